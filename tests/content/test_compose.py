from __future__ import annotations

import json
import marshal
import re
from email import message_from_bytes, policy

import pytest

from bulkmail.content.compose import Composer
from bulkmail.mail import token


def parsed(message: bytes):
    return message_from_bytes(message, policy=policy.default)


def body(message: bytes, kind: str) -> str:
    content = parsed(message).get_body((kind,)).get_content()
    return content.replace("\r\n", "\n")  # the last line end belongs to the boundary (RFC 2046 5.1.1)


def test_one_bad_row_leaves_the_others_alone(work):
    html = "\n{{ first_name }}{{ 10 // first_name|int }}"
    answers = work(
        [
            ["a@example.org", "5"],
            ["b@example.org", "0"],
            ["c@example.org", "\ud83d"],
            ["a b", "5"],
            ["e@example.org", "2"],
        ],
        html=html,
        envelope_from="bounces@bounces.example.com",
    )
    assert [(number, message is None, sender, error) for number, message, sender, error in answers] == [
        (101, False, "bounces@bounces.example.com", None),
        (
            102,
            True,
            "",
            "html body.html.j2 line 2: integer division or modulo by zero (ZeroDivisionError)",
        ),
        (103, True, "", answers[2][3]),
        (104, True, "", answers[3][3]),
        (105, False, "bounces@bounces.example.com", None),
    ]
    assert answers[3][3].startswith("'a b'")
    marshal.dumps(answers)


def test_a_row_that_is_no_json_costs_itself_alone(make):
    composer = Composer()
    composer.handle(("load", 7, make()))
    rows = [
        (n, n, "a@example.org", 1e9, 0, fields) for n, fields in enumerate(('["a","b"]', '["a","\0"]', '["a","b"]'))
    ]
    answers = composer.handle(("compose", 7, rows))
    assert [answer[1] is not None for answer in answers] == [True, False, True]
    assert answers[1][3].startswith("the row's cells cannot be read")


def test_half_a_surrogate_pair_costs_its_row(work):
    for template in ({"subject": "{{ first_name }}"}, {"html": "{{ first_name }}", "subject": "x"}):
        (answer,) = work([["a@example.org", "\ud83d"]], **template)
        assert answer[1] is None
        assert answer[3] == "the row holds half of a surrogate pair (U+D83D), which is no character"


def test_an_error_text_can_be_stored_anywhere(work):
    for row in (["a@example.org", "\ud83d\r\n"], ["\ud83d b", "1"]):
        (answer,) = work([row], html="{{ first_name|int(base=99) + [first_name] }}")
        answer[3].encode("utf-8")
        assert answer[1] is None
        assert "\n" not in answer[3]


def test_an_undefined_variable_costs_its_row(work):
    (answer,) = work([["a@example.org", "x"]], subject="{% if first_name == 'x' %}{{ nope }}{% endif %}")
    assert answer[1:] == (None, "", "subject: 'nope' is undefined")
    (answer,) = work([["a@example.org", "x"]], headers={"X-A": "{{ nope }}"})
    assert answer[3] == "headers.X-A: 'nope' is undefined"


def test_a_message_too_large_costs_its_row(work, monkeypatch):
    monkeypatch.setattr("bulkmail.content.draft.SIZE_CAP", 5000)
    short, long = work([["a@example.org", "x"], ["b@example.org", "x" * 5000]])
    assert short[3] is None
    assert long[1] is None
    assert re.fullmatch(r"the message has 1\d,\d{3} bytes, more than the 5,000 that providers take", long[3])


def test_each_message_holds_its_own_token_only(work):
    answers = work(
        [[f"user{n}@example.org", "x"] for n in range(20)], html="{{ token }}\n\n{{ token }}", text="{{ token }}"
    )
    tokens = [token(b"k" * 32, n) for n in range(1, 21)]
    for at, (_number, message, _sender, _error) in enumerate(answers):
        assert [one for one in tokens if one.encode() in message] == [tokens[at]]


def test_jobs():
    composer = Composer()
    for job in (("compose", 1, []), ("dance", 1)):
        with pytest.raises(LookupError):
            composer.handle(job)
    assert composer.handle(("forget", 1)) == ("forgotten", 1)


def test_campaigns_are_kept_apart_and_forgotten(make):
    composer = Composer()
    composer.handle(("load", 1, make()))
    composer.handle(("load", 2, make(html="<p>two</p>", columns=[["email"], ["first_name", "email"]])))
    row = (1, 1, "a@example.org", 1e9, 1, json.dumps(["Ann", "a@example.org"]))
    ((_id, message, _sender, error),) = composer.handle(("compose", 2, [row]))
    assert error is None
    assert parsed(message)["subject"] == "Ann, spring is here"
    assert body(message, "html") == "<p>two</p>"
    composer.handle(("forget", 2))
    with pytest.raises(LookupError, match="campaign 2 is not loaded"):
        composer.handle(("compose", 2, [row]))
    assert composer.handle(("compose", 1, [])) == []


def test_a_message_with_a_line_that_must_not_be_sent_as_it_is_costs_its_row(work, monkeypatch):
    monkeypatch.setattr("bulkmail.content.draft.plain_lines", lambda message: b"Ann" not in message)
    answers = work([["ann@example.org", "Ann"], ["bob@example.org", "Bob"]])
    assert [answer[1] is None for answer in answers] == [True, False]
    assert "a mistake of bulkmail" in answers[0][3]


@pytest.fixture
def invoices(tmp_path):
    """The folder's part of a content with a file for each row."""
    (tmp_path / "Ann.pdf").write_bytes(b"of Ann")
    status = tmp_path.stat()
    names = [(1, "{{ first_name }}.pdf")]
    never = {"never": [], "own": [], "ours": []}
    return {"folder": str(tmp_path), "id": (status.st_dev, status.st_ino), "names": names, **never}


def test_each_row_carries_its_own_file_or_is_told(work, invoices):
    ann, bob = work(
        [["a@example.org", "Ann"], ["b@example.org", "Bob"]],
        attachments=[("terms.pdf", b"terms")],
        row_attachments=invoices,
        html="x",
    )
    parts = list(parsed(ann[1]).iter_attachments())
    assert [(part.get_filename(), part.get_content()) for part in parts] == [
        ("terms.pdf", b"terms"),
        ("Ann.pdf", b"of Ann"),
    ]
    assert bob[1:] == (None, "", "attachments: Bob.pdf does not exist")


def test_a_folder_that_is_gone_costs_no_row(work, invoices):
    gone = {**invoices, "folder": "/nowhere", "names": [(0, "x.pdf")]}
    answer = work([["a@example.org", "Ann"]], row_attachments=gone, html="x")
    assert answer.startswith("the campaign's folder /nowhere cannot be opened")
