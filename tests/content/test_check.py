from __future__ import annotations

import pytest

from bulkmail.content.check import check_content
from bulkmail.mail import Problem


@pytest.fixture
def problems(make):
    def found(**changes):
        return [str(problem).removeprefix(": ") for problem in check_content(make(**changes))]

    return found


def test_a_right_campaign_has_none(problems, rsa_pem, ed25519_pem):
    assert problems() == []
    assert (
        problems(
            text=None,
            reply_to='"Help, Inc." <help@example.com>',
            envelope_from="bounces@bounces.example.com",
            headers={"X-Campaign": "spring", "Precedence": "list", "X-Name": "{{ first_name }}\n"},
            unsubscribe={"url": "https://example.com/u/{{ token }}", "mailto": "out@example.com"},
            attachments=[("Übersicht.pdf", b"x")],
            list_id="Readers <readers.example.com>",
            dkim=[
                {"domain": "example.com", "selector": "s1", "pem": rsa_pem},
                {"domain": "example.org", "selector": "e1", "pem": ed25519_pem},
            ],
        )
        == []
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"from": "Shop"}, "from: 'Shop' has no @"),
        ({"from": "Shop <news@example.com>\r\nBcc: x@example.org"}, "from: it has a control character (U+000D)"),
        ({"from": "{{ brand }} <news@example.com>"}, "from: no template is possible here"),
        ({"from": "jörg@example.com"}, "from: 'jörg' is not ASCII"),
        ({"from": "S\ud800 <a@example.com>"}, "from: "),
        ({"reply_to": "a@b, c@d"}, "reply_to: "),
        ({"envelope_from": "Shop <a@example.com>"}, "envelope_from: "),
        ({"subject": "a\nb"}, "subject: it has a line break in it"),
        ({"subject": "a\x0bb"}, "subject: it has the control character U+000B"),
        ({"subject": "a\u2028b {{ first_name }}"}, "subject: it has the control character U+2028"),
        ({"subject": "\ud800"}, "subject: it has half of a surrogate pair"),
        ({"subject": " "}, "subject: it is empty"),
        ({"headers": {"X Y": "1"}}, "headers.'X Y': a field's name is"),
        ({"headers": {"X-A\r\nBcc": "1"}}, "headers.'X-A\\r\\nBcc': a field's name is"),
        ({"headers": {"X-Ü": "1"}}, "headers.'X-Ü': a field's name is"),
        ({"headers": {"References": "<a@bü.example>"}}, "headers.References: '<a@bü.example>' is not a message id"),
        ({"headers": {"Bcc": "x@example.org"}}, "headers.Bcc: each row of the list is a message to one recipient"),
        ({"headers": {"Received": "x"}}, "headers.Received: the mailer writes this field itself"),
        ({"headers": {"content-Type": "text/html"}}, "headers.content-Type: the mailer writes"),
        ({"headers": {"DKIM-Signature": "v=1"}}, "headers.DKIM-Signature: the mailer writes"),
        ({"headers": {"Reply-To": "a@b.example"}}, "headers.Reply-To: this field is written from the key 'reply_to'"),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "headers.x-a: the same field as 'X-A'"),
        ({"headers": {"X-A": "1\r\nBcc: x@example.org"}}, "headers.X-A: it has a line break"),
        (
            {"headers": {"List-Id": "<foo.example.com:3000>"}},
            "headers.List-Id: '<foo.example.com:3000>' is not a list id",
        ),
        ({"headers": {"errors-to": "nobody"}}, "headers.errors-to: 'nobody' has no @"),
        (
            {"unsubscribe": {"url": "https://example.com/50%off/{{ token }}", "mailto": None}},
            "unsubscribe.url: a % that",
        ),
        ({"headers": {"X-A": "{{ nope }}"}}, "headers.X-A: unknown variable 'nope'"),
        ({"unsubscribe": {"url": "http://example.com/{{ token }}", "mailto": None}}, "unsubscribe.url: one-click"),
        (
            {"unsubscribe": {"url": "https://example.com/\n{{ token }}", "mailto": None}},
            "unsubscribe.url: it has a line",
        ),
        ({"unsubscribe": {"url": None, "mailto": "mailto:out@example.com"}}, "only the address: 'out@example.com'"),
        ({"unsubscribe": {"url": None, "mailto": "out+{{email}}@example.com"}}, "unsubscribe.mailto: no template"),
        (
            {"unsubscribe": {"url": None, "mailto": f"{'out' * 12}+{{{{ token }}}}@example.com"}},
            "unsubscribe.mailto: the part before the @ is longer",
        ),
        ({"unsubscribe": {"url": None, "mailto": "out"}}, "unsubscribe.mailto: "),
        ({"list_id": "spring"}, "list_id: 'spring' is not a list id"),
        ({"list_id": "a\r\nb.example.com"}, "list_id: "),
        ({"attachments": [("a\nb", b"")]}, "attachments: the file name 'a\\nb' has a control character"),
        ({"attachments": [("a\udcff", b"")]}, "attachments: the file name 'a\\udcff' is not in UTF-8"),
        ({"attachments": [("a", bytes(20_000_000))]}, "attachments: together 27,368,421 bytes"),
        ({"html": None, "text": None}, "template: a campaign needs"),
        ({"html": "{{ nope }}"}, "body.html.j2:1:4: unknown variable 'nope'"),
        ({"text": "{% if %}"}, "body.txt.j2:1: "),
        (
            {"dkim": [{"domain": "example.com", "selector": "s", "pem": b"x"}]},
            "dkim[0]: example.com, selector s: the file",
        ),
    ],
)
def test_each_problem_is_told_once(problems, changes, words):
    (problem,) = problems(**changes)
    assert problem.startswith(words) or words in problem


def test_a_key_for_the_domain_is_wanted_when_there_are_keys(problems, rsa_pem):
    (problem,) = problems(dkim=[{"domain": "example.org", "selector": "s", "pem": rsa_pem}])
    assert problem == "dkim: no key for the domain of `from`, example.com; there are keys for example.org"
    assert (
        problems(**{"from": "a@news.example.org"}, dkim=[{"domain": "example.org", "selector": "s", "pem": rsa_pem}])
        == []
    )


def test_the_mailbox_for_unsubscribing_may_hold_the_token(problems):
    assert problems(unsubscribe={"url": None, "mailto": "out+{{token}}@example.com"}) == []


def test_a_broken_value_is_told_once(problems):
    (problem,) = problems(unsubscribe={"url": "http://example.com/{{ token", "mailto": None})
    assert problem.startswith("unsubscribe.url: ")


def test_a_url_that_starts_with_a_column_is_left_to_each_row(problems):
    assert problems(unsubscribe={"url": "{{ first_name }}", "mailto": None}) == []


def test_all_problems_come_at_once_and_know_their_place(make):
    found = check_content(
        make(**{"from": "x"}, subject="{{ a }}", headers={"To": "x"}, html="\n{{ b }}", text="{{ c }}", list_id="z")
    )
    assert all(isinstance(problem, Problem) for problem in found)
    assert [problem.message.partition(":")[0] for problem in found if not problem.file] == [
        "from",
        "list_id",
        "headers.To",
        "subject",
    ]
    assert [(problem.file, problem.line) for problem in found if problem.file] == [
        ("body.html.j2", 2),
        ("body.txt.j2", 1),
    ]
