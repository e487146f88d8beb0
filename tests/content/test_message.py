from __future__ import annotations

import base64
import marshal
import re
from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jinja2 import Environment

from bulkmail.content.check import check_content
from bulkmail.content.dkim import load_key
from bulkmail.content.headers import clean
from bulkmail.content.message import MessageTemplate
from bulkmail.content.shared import same_for_all
from bulkmail.content.templates import RowError
from bulkmail.mail import message_id, token

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=120)


HOSTILE = st.one_of(
    TEXTS,
    st.sampled_from(
        [
            "\r\nBcc: x@example.org",
            "x\r\n.\r\nMAIL FROM:<a@b.example>",
            ".",
            "From x",
            "\x00\x0b\x1c\x85\u2028",
            "a" * 1500,
            "{{ 7*7 }}",
            "<b>&amp;</b>",
            "=?utf-8?q?x?=",
            "👩\u200d👩\u200d👧 שלום",
            "\x01\n",
            "--=_a",
            "ü" * 300,
            "\r",
            "\n\n\n",
        ]
    ),
)


def parsed(message: bytes):
    return message_from_bytes(message, policy=policy.default)


def body(message: bytes, kind: str) -> str:
    content = parsed(message).get_body((kind,)).get_content()
    return content.replace("\r\n", "\n")  # the last line end belongs to the boundary (RFC 2046 5.1.1)


def on_the_wire(message: bytes) -> None:
    assert message.isascii()
    assert message.endswith(b"\r\n")
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", message)
    assert max(map(len, message.split(b"\r\n"))) <= 998
    head, _, rest = message.partition(b"\r\n\r\n")
    assert max(len(line) for line in head.split(b"\r\n") if not line.startswith(b"List-Unsubscribe:")) <= 78
    assert max(map(len, rest.split(b"\r\n"))) <= 78
    assert b"\r\n." not in message


def test_the_fields_of_a_bulk_mail(compose):
    message = compose(
        "Ann",
        reply_to="Help <help@example.com>",
        headers={"X-Campaign": "spring", "X-Name": "{{ first_name|upper }}", "X-None": "{{ '' }}", "X-Empty": ""},
        unsubscribe={"url": "https://example.com/u/{{ token }}", "mailto": "out@example.com"},
    )
    on_the_wire(message)
    key, mail = b"k" * 32, parsed(message)
    who = token(key, 1)
    assert dict(mail.items()) == {
        "From": "Example Shop <news@example.com>",
        "To": "ann@example.org",
        "Date": "Mon, 23 Nov 2026 09:00:00 +0000",
        "Message-ID": message_id(key, 1, "example.com"),
        "Reply-To": "Help <help@example.com>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Id": "<spring-sale.example.com>",
        "Feedback-ID": f"{token(key, 0)[:8]}:spring-sale:marketing:examplecom",
        "Precedence": "bulk",
        "X-Campaign": "spring",
        "MIME-Version": "1.0",
        "List-Unsubscribe": f"<https://example.com/u/{who}>, <mailto:out@example.com?subject=unsubscribe-{who}>",
        "Subject": "Ann, spring is here",
        "X-Name": "ANN",
        "Content-Type": f'multipart/alternative; boundary="=_a{who}"',
    }
    assert parsedate_to_datetime(mail["date"]).timestamp() == 1_795_424_400
    assert not mail.defects
    assert body(message, "html") == "<p>Dear Ann</p>"
    assert body(message, "plain") == "Dear Ann"


def test_the_authors_own_fields_win(compose):
    mail = parsed(compose("Ann", headers={"precedence": "list", "List-Id": "<x.example.org>", "Feedback-ID": ""}))
    assert mail.get_all("precedence") == ["list"]
    assert mail.get_all("list-id") == ["<x.example.org>"]
    assert mail["feedback-id"] is None


def test_ways_out(compose):
    mail = parsed(compose("Ann", html="{{ unsubscribe_url }}", unsubscribe={"url": None, "mailto": "out@example.com"}))
    assert mail["list-unsubscribe"].startswith("<mailto:out@example.com?subject=unsubscribe-")
    assert mail["list-unsubscribe-post"] is None
    assert body(mail.as_bytes(), "html").startswith("mailto:out@example.com?subject=")
    mail = parsed(compose("https://own.example/u/1", unsubscribe={"url": "{{ first_name }}", "mailto": None}))
    assert mail["list-unsubscribe"] == "<https://own.example/u/1>"
    mail = parsed(compose("Ann"))
    assert mail["list-unsubscribe"] is None
    assert mail["list-unsubscribe-post"] is None


def test_a_way_out_leads_where_the_author_meant(compose):
    url = {"url": "https://bücher.test/u?e={{ email }}&t={{ token }}", "mailto": None}
    mail = parsed(compose("Ann", html="{{ unsubscribe_url }}", unsubscribe=url))
    assert mail["list-unsubscribe"].startswith("<https://xn--bcher-kva.test/u?e=ann@example.org&t=")
    assert body(mail.as_bytes(), "html").startswith("https://xn--bcher-kva.test/u?e=ann@example.org")
    for email, words in (("#hash@a.test", "'#' in it"), ("50%off@a.test", "a % that begins no escape ('%of')")):
        with pytest.raises(RowError, match=re.escape(words)):
            compose("Ann", email=email, unsubscribe=url)
    encoded = {"url": "https://e.test/u?e={{ email|urlencode }}#/{{ token }}", "mailto": None}
    assert (
        "e=%23hash%40a.test#/" in parsed(compose("Ann", email="#hash@a.test", unsubscribe=encoded))["list-unsubscribe"]
    )
    whole = {"url": "{{ first_name }}", "mailto": None}
    assert (
        parsed(compose("https://own.example/#/1", unsubscribe=whole))["list-unsubscribe"] == "<https://own.example/#/1>"
    )


def test_a_rows_words_in_a_field_with_a_grammar(compose):
    headers = {"List-Id": "{{ first_name }} <news.shop.test>", "Errors-To": "{{ first_name }}"}
    message = compose("Jo, Al", headers={"List-Id": headers["List-Id"]})
    assert b'List-Id: "Jo, Al" <news.shop.test>\r\n' in message
    with pytest.raises(RowError, match=r"headers\.Errors-To: 'Ann' has no @"):
        compose("Ann", headers=headers)


def test_a_column_may_be_called_like_what_the_campaign_lacks(compose):
    message = compose(
        "https://own.example/1",
        columns=[["email", "unsubscribe_url"]],
        html="{{ unsubscribe_url }}",
        subject="s",
        text=None,
    )
    assert body(message, "html") == "https://own.example/1"


@pytest.mark.parametrize("subject", ["Grüße", "春が来た" * 12, "Скидки", "مرحبا", "🎉" * 40, "x" * 200, "plain"])
def test_subjects_in_many_scripts(compose, subject):
    message = compose(subject, subject="{{ first_name }}")
    on_the_wire(message)
    assert parsed(message)["subject"] == subject


def test_variables(compose):
    message = compose(
        "Ann",
        "Lee",
        "cell",
        " ",
        html=None,
        subject="s",
        text="{{ email }}|{{ token }}|{{ campaign }}|{{ city }}|{{ row['Last Name'] }}|{{ last_name }}|{{ row.token }}",
        columns=[["email", "first_name", "Last Name", "token", "City"]],
        defaults={"city": "Rome"},
    )
    assert parsed(message).get_content().strip() == (
        f"ann@example.org|{token(b'k' * 32, 1)}|spring-sale|Rome|Lee|Lee|cell"
    )


def test_text_alone_html_alone_and_text_made_from_html(compose):
    mail = parsed(compose("Ann", html=None))
    assert mail.get_content_type() == "text/plain"
    mail = parsed(compose("Ann", text=None, html="<h1>Dear {{ first_name }}</h1><a href='https://e.example'>shop</a>"))
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert mail.get_body(("plain",)).get_content().strip() == "Dear Ann\r\n\r\nshop (https://e.example)"
    mail = parsed(compose("Ann", text=None, html="<img src='x'>"))
    assert mail.get_content_type() == "text/html"


def test_attachments(compose):
    message = compose("Ann", attachments=[("Übersicht.pdf", b"%PDF" * 100), ("a.txt", b"x")])
    on_the_wire(message)
    mail = parsed(message)
    assert mail.get_content_type() == "multipart/mixed"
    assert [(one.get_filename(), one.get_payload(decode=True)) for one in mail.iter_attachments()] == [
        ("Übersicht.pdf", b"%PDF" * 100),
        ("a.txt", b"x"),
    ]
    assert body(message, "plain") == "Dear Ann"
    mail = parsed(compose("Ann", html=None, attachments=[("a.txt", b"x")]))
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/plain"]


def test_includes_and_inheritance(compose):
    message = compose(
        "<Ann>",
        html="{% extends 'base.html' %}{% block main %}Dear {{ first_name }}{% endblock %}",
        includes={
            "base.html": "<body>{% block main %}{% endblock %}{% include 'foot' %}</body>",
            "foot": "{{ email }}",
        },
        text=None,
    )
    assert body(message, "html") == "<body>Dear &lt;Ann&gt;ann@example.org</body>"
    assert body(message, "plain") == "Dear <Ann>\nann@example.org"


@settings(max_examples=settings.default.max_examples * 3 // 2)
@given(HOSTILE, HOSTILE, st.booleans())
@example("Ann", "\x01", True)
def test_whatever_a_row_holds_it_arrives_and_breaks_nothing(first, second, known):
    template = "<p>Dear {{ a }},</p>\n\n<p>{{ b }}</p>\nmiddle  line\n\n{{ a }}" + ("\nend\n" if known else "")
    content = {
        "name": "n", "from": "news@example.com", "subject": "{{ a }} {{ b }}", "html": template, "text": template,
        "html_name": "h", "text_name": "t", "includes": {}, "reply_to": None, "envelope_from": None,
        "headers": {"X-A": "{{ b }}"}, "unsubscribe": None, "attachments": [], "defaults": {},
        "columns": [["email", "a", "b"]], "list_id": "", "key": b"k", "dkim": [],
    }  # fmt: skip
    message = MessageTemplate(content).compose(5, "ann@example.org", 1e9, 0, ["", first, second])
    on_the_wire(message)
    mail = parsed(message)
    names = [name.lower() for name in mail]
    assert len(names) == len(set(names))
    assert "bcc" not in names
    expected = {"from", "to", "date", "message-id", "list-id", "feedback-id", "precedence", "mime-version"}
    assert set(names) - {"x-a", "subject"} == expected | {"content-type"}
    if "=?" not in first + second:
        assert (mail["subject"] or "").split() == clean(f"{first} {second}").split()
    for kind, escape in (("html", True), ("plain", False)):
        rendered = Environment(autoescape=escape).from_string(template).render(a=first, b=second)
        rendered = re.sub(r"\r\n?", "\n", rendered).removesuffix("\n")
        assert body(message, kind) in (rendered, rendered + "\n")  # base64 keeps the last line end for itself


SOURCE = """{%- macro link(to) -%}<a href="{{ to }}?a=1">{{ b }}</a>{%- endmacro -%}
<p>Dear {{ a }}{% if b %} {{ b }}{% endif %},</p> {{ b }}\n\n  <td style="padding:18px 40px">{{ a|upper }}</td>
{% for word in a.split() -%}* {{ word }} costs {{ word|length }} &euro;{{ loop.index }}.  {% endfor %}
{{ link(token) }} {{ unsubscribe_url }}.\n{{ b|replace("x", "  ") }}\nGr\u00fc\u00dfe{{ email }}{{ (a ~ b)|safe }}\n"""


@given(st.lists(st.tuples(HOSTILE, HOSTILE), min_size=1, max_size=4))
def test_the_bytes_are_those_of_the_straightforward_way(plainly_composed, rows):
    content = {
        "name": "n", "from": "News <news@example.com>", "subject": "{{ a }} for {{ b }}", "html": SOURCE,
        "text": SOURCE, "html_name": "h", "text_name": "t", "includes": {}, "reply_to": None, "envelope_from": None,
        "headers": {}, "unsubscribe": {"url": "https://e.example/{{ token }}", "mailto": None}, "attachments": [],
        "defaults": {}, "columns": [["email", "a", "b"]], "list_id": "", "key": b"k", "dkim": [],
    }  # fmt: skip
    template = MessageTemplate(content)
    for n, cells in enumerate(rows):
        row = (n, "ann@example.org", 1e9, ["", *cells])
        assert template.compose(*row[:3], 0, row[3]) == plainly_composed(content, *row)


def test_a_retry_has_the_same_bytes(make, rsa_pem, ed25519_pem):
    dkim_keys = [
        {"domain": "example.com", "selector": "s1", "pem": rsa_pem},
        {"domain": "example.com", "selector": "e1", "pem": ed25519_pem},
    ]
    content = make(dkim=dkim_keys, attachments=[("a.pdf", b"x")])
    row = (5, "ann@example.org", 1_795_424_400.75, 0, ["", "Änn"])
    first, other = MessageTemplate(content), MessageTemplate(marshal.loads(marshal.dumps(content)))
    message = first.compose(*row)
    first.compose(6, "bob@example.org", 1.0, 0, ["", "Bob"])
    assert first.compose(*row) == other.compose(*row) == message
    assert message.count(b"DKIM-Signature: ") == 2


def test_the_signature_holds(make, rsa_pem):
    public = load_key(rsa_pem).public_key()
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    record = b"v=DKIM1; p=" + base64.b64encode(der)
    content = make(
        **{"from": "Bücher, Inc. <news@news.example.com>"},
        dkim=[{"domain": "example.com", "selector": "s1", "pem": rsa_pem}],
        reply_to="Hilfe für alle und jeden, der sie braucht, jederzeit <help@example.com>",
        unsubscribe={"url": "https://example.com/u/{{ token }}", "mailto": "out@example.com"},
        headers={"X-Note": "a  b"},
    )
    template = MessageTemplate(content)
    for changes in (
        {},
        {"subject": "two  spaces  {{ first_name }}" + "  wide" * 20},
        {"html": None, "text": "one {{ first_name }}\n\n\n\n"},
        {"html": None, "text": "Привет {{ first_name }}  \n\n"},
        {"text": None, "html": "<p>   {{ first_name }}\t\t<b>x</b>\n\n\n <i>{{ first_name }}</i> </p>\n  \n\n"},
        {"attachments": [("a  b.pdf", b"%PDF"), ("Ü  b.txt", b"x" * 1000)]},
        {"html": None, "text": "{{ '' }}"},
    ):
        template = MessageTemplate({**content, **changes})
        for name in ("Ann", "Änn  \t x \r\n\r\n", ""):
            message = template.compose(9, "ann@example.org", 1_795_424_400.5, 0, ["", name])
            on_the_wire(message)
            assert dkim.verify(message, dnsfunc=lambda *_args, **_named: record), (changes, name)
            assert not dkim.verify(message.replace(b"One-Click", b"Two-Click"), dnsfunc=lambda *_args, **_named: record)
    signed = re.search(rb"h=([^;]*);", message.replace(b"\r\n ", b""))[1].split(b":")
    assert {b"list-unsubscribe", b"list-unsubscribe-post", b"list-id", b"feedback-id", b"reply-to"} <= set(signed)


def test_email_is_the_address_that_is_mailed(make):
    url = {"url": "https://x.example/u?e={{ email|urlencode }}", "mailto": None}
    template = MessageTemplate(make(html=None, text="You are [{{ email }}]", unsubscribe=url))
    for cell, address in (
        ("  p1@a.example  ", "p1@a.example"),
        ('"p1"@A.example', "p1@a.example"),
        ("'+p1@a.example", "+p1@a.example"),
        ("p1@b\u00fccher.example", "p1@xn--bcher-kva.example"),
        ("p1@a.example ::: p2@b.example", "p1@a.example"),
    ):
        message = template.compose(1, cell, 1e9, 0, [cell, "Ann"])
        assert body(message, "plain") == f"You are [{address}]\n"
        assert parsed(message)["to"] == address
        assert f"e={quote(address)}>" in parsed(message)["list-unsubscribe"]


def test_an_address_beyond_ascii(compose):
    message = compose("Ann", email="jörg@bücher.example")
    assert "To: jörg@xn--bcher-kva.example\r\n".encode() in message


@pytest.fixture
def invoices(tmp_path):
    """The folder's part of a content with a file for each row."""
    (tmp_path / "Ann.pdf").write_bytes(b"of Ann")
    status = tmp_path.stat()
    names = [(1, "{{ first_name }}.pdf")]
    never = {"never": [], "own": [], "ours": []}
    return {"folder": str(tmp_path), "id": (status.st_dev, status.st_ino), "names": names, **never}


def test_the_names_of_such_files_are_checked_as_templates_are(make, invoices):
    told = [str(problem) for problem in check_content(make(row_attachments={**invoices, "names": [(0, "{{ nope }}")]}))]
    assert len(told) == 1
    assert told[0].startswith(": attachments[0]: ")
    assert "nope" in told[0]
    content = make(to="Readers <r@example.com>", html="x", text="x", subject="x", headers={}, unsubscribe=None)
    assert same_for_all(content)
    assert not same_for_all({**content, "row_attachments": invoices})
