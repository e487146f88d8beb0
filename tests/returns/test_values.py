from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.returns.values import (
    address,
    addresses,
    from_octal,
    from_xtext,
    mailbox,
    message_ids,
    one_line,
    typed,
    words,
)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("rfc822; joe@d.example", "joe@d.example"),
        ("rfc822;joe@d.example", "joe@d.example"),
        ("RFC822; <joe@d.example>", "joe@d.example"),
        ("utf-8; δοκιμή@d.example", "δοκιμή@d.example"),
        ("utf-8;\\x{3B4}@d.example", "δ@d.example"),
        ("rfc822; \\316\\264@d.example", "δ@d.example"),
        ("joe@d.example", "joe@d.example"),
        ("rfc822; joe@d.example (Joe)", "joe@d.example"),
        ('rfc822; "joe smith"@d.example', '"joe smith"@d.example'),
        ("x400; /C=DE/", ""),
        ("rfc822; joe", ""),
        ("rfc822; ", ""),
        ("", ""),
        ("rfc822; a@" + "b" * 400, ""),
    ],
)
def test_the_address_of_a_field(value, wanted):
    assert address(value) == wanted


def test_types():
    assert typed("smtp; 550 gone; really") == ("smtp", "550 gone; really")
    assert typed("550 5.1.1 gone; really") == ("", "550 5.1.1 gone; really")
    assert typed("X-Postfix;connect to x") == ("x-postfix", "connect to x")


def test_encoded_words():
    assert words("=?utf-8?B?R3LDvMOfZQ==?= =?iso-8859-1?q?f=FCr_Sie?=") == "Grüßefür Sie"
    assert words("=?utf-8?q?broken") == "=?utf-8?q?broken"
    assert words("=?no-such?q?a=41?=") == "=?no-such?q?a=41?="
    assert words("plain") == "plain"


def test_escapes():
    assert from_octal("\\316\\264x") == "δx"
    assert from_octal("no\\escape") == "no\\escape"
    assert from_xtext("a+2Bb+3Dc") == "a+b=c"


def test_one_line():
    assert one_line("a\r\n\tb\x00c  d") == "a b c d"
    assert len(one_line("ab " * 1000)) <= 512


def test_the_addresses_of_a_text():
    text = "<a@b.example>: to a@b.example, c@d.example. (e@f.example) @ x@ @y \\316\\264@g.example"
    assert addresses(text) == ["a@b.example", "c@d.example", "e@f.example", "δ@g.example"]
    assert addresses(text, 1) == ["a@b.example"]
    assert len(addresses("".join(f"a{n}@b.example " for n in range(100)))) == 20


def test_marks_of_chinese_and_japanese_texts_end_an_address():
    text = "收件人\uff1anobody@d.example\uff0c原因\uff08joe@e.example\uff09\u300cδ@g.example\u300d\u3002"
    assert addresses(text) == ["nobody@d.example", "joe@e.example", "δ@g.example"]


def test_mailboxes():
    assert mailbox("Joe <joe@d.example>") == "joe@d.example"
    assert mailbox("joe@d.example (Joe)") == "joe@d.example"
    assert mailbox("MAILER-DAEMON <>") == ""


def test_message_ids():
    assert message_ids("<a@b> <c@d>\n <e@f>", 2) == ("c@d", "e@f")
    assert message_ids("none") == ()


@given(st.text(max_size=300))
def test_any_text_is_taken(text):
    assert len(address(text)) <= 320
    assert "\n" not in one_line(text)
    words(text)
    from_octal(text)
    from_xtext(text)
    assert len(addresses(text)) <= 20
