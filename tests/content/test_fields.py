from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.header import decode_header, make_header

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulkmail.content.fields import _GRAMMARS, FieldError, header_field

_WORD = re.compile(r"=\?utf-8\?[bq]\?[^?]*\?=")


def value(field: bytes) -> str:
    """The field's value unfolded, each encoded word as {what it stands for}."""
    text = field.partition(b": ")[2].decode("ascii").removesuffix("\r\n").replace("\r\n ", " ")
    return _WORD.sub(lambda word: "{" + str(make_header(decode_header(word[0]))) + "}", text)


@pytest.mark.parametrize(
    ("name", "given", "written"),
    [
        ("List-Id", "Büro News <news.shop.test>", "{Büro News} <news.shop.test>"),
        ("List-Id", "Jo, Al <news.shop.test>", '"Jo, Al" <news.shop.test>'),
        ("List-ID", '"Jo, Al" <news.shop.test>', '"Jo, Al" <news.shop.test>'),
        ("List-Id", "a < b <news.shop.test>", '"a < b" <news.shop.test>'),
        ("List-Id", "news.shop.test", "<news.shop.test>"),
        (
            "List-Help",
            "<mailto:help@shop.test> (Hilfe für alle)",
            "<mailto:help@shop.test> ({Hilfe für alle})",
        ),
        ("List-Archive", "<https://bücher.test/ü>", "<https://xn--bcher-kva.test/%C3%BC>"),
        ("List-Help", "https://shop.test/help", "<https://shop.test/help>"),
        ("List-Owner", "(who) <mailto:a@b.test>,<https://b.test/ x>", "(who) <mailto:a@b.test>, <https://b.test/x>"),
        ("List-Subscribe", "<mailto:a@b.test?subject=join>", "<mailto:a@b.test?subject=join>"),
        ("List-Post", "no", "NO"),
        ("List-Post", "NO (nur für uns (intern))", "NO ({nur für uns (intern)})"),
        ("List-Post", "<mailto:all@b.test>", "<mailto:all@b.test>"),
        ("Archived-At", "<https://b.test/1>", "<https://b.test/1>"),
        ("Disposition-Notification-To", "Büro <a@bücher.test>", "{Büro} <a@xn--bcher-kva.test>"),
        ("Errors-To", 'a@b.test, "Jo, Al" <c@d.test>', 'a@b.test, "Jo, Al" <c@d.test>'),
        ("Return-Receipt-To", "Jo, Al <c@d.test>", '"Jo, Al" <c@d.test>'),
        ("Keywords", 'spring, "a, b", für uns', 'spring, "a, b", {für uns}'),
        ("Precedence", "list", "list"),
        ("Auto-Submitted", "auto-generated; owner-email=a@b.test", "auto-generated; owner-email=a@b.test"),
        ("Feedback-ID", "1.eu-west-1.abc=:AmazonSES", "1.eu-west-1.abc=:AmazonSES"),
        ("Feedback-ID", "spring:::shop", "spring:::shop"),
        ("X-Auto-Response-Suppress", "OOF,AutoReply", "OOF, AutoReply"),
        ("Importance", "High", "High"),
        ("References", "<a@b.test>  <c@d.test>", "<a@b.test> <c@d.test>"),
        ("Expires", "Tue, 1 Dec 2026 09:00:00 +0100", "Tue, 1 Dec 2026 09:00:00 +0100"),
        ("X-Anything", "<a> für (b), c", "{<a> für (b), c}"),
        ("Comments", "a, b", "a, b"),
    ],
)
def test_a_field_is_written_as_its_grammar_says(name, given, written):
    field = header_field(name, given)
    assert field.startswith(f"{name}: ".encode())
    assert value(field) == written
    if name.lower() in _GRAMMARS and "{" not in written:
        assert header_field(name, written) == field, "what is right stays as it is"


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("List-Id", "<foo.example.com:3000>", "is not a list id; write e.g. Our readers <readers.example.com>"),
        ("List-Id", "Shop Users users@shop.test", "is not a list id"),
        ("List-Id", "<users@shop.test>", "is not a list id"),
        ("List-Id", "Büro", "is not a list id"),
        ("List-Help", "help@shop.test", "write <mailto:help@shop.test>"),
        ("List-Help", "ask us", "is not a URL"),
        ("List-Help", "see <https://shop.test/>", "is not a list of URLs; write <https://...>"),
        ("List-Help", "<https://shop.test/", "is not a list of URLs"),
        ("List-Help", "<https://a.test/> <https://b.test/>", "is not a list of URLs"),
        ("List-Help", "<https://shop.test/> (open", "a comment is not closed"),
        ("List-Help", "(only words)", "is not a list of URLs"),
        ("List-Help", "<https://shop.test/50%of>", "a % that begins no escape"),
        ("List-Help", "<shop.test/help>", "is not a URL"),
        ("List-Archive", "<https://shop.test/" + "x" * 1000 + ">", "too long for a line"),
        ("List-Post", "NO (x) y", "is not a list of URLs"),
        ("Archived-At", "<https://a.test/>, <https://b.test/>", "more than one URL"),
        ("Disposition-Notification-To", "yes", "'yes' has no @"),
        ("Errors-To", "jörg@b.test", "is not ASCII"),
        ("Precedence", "für alle", "one word of ASCII"),
        ("Auto-Submitted", "yes please", "RFC 3834"),
        ("Feedback-ID", "spring sale", "two to four parts"),
        ("Feedback-ID", "a:b:c:d:e", "two to four parts"),
        ("Feedback-ID", "a:b:", "two to four parts"),
        ("Feedback-ID", "Frühling:shop", "two to four parts"),
        ("Importance", "5", "write low or normal or high"),
        ("In-Reply-To", "a@b.test", "is not a message id"),
        ("References", "<a@b.test> <ü@b.test>", "'<ü@b.test>' is not a message id"),
        ("Expires", "2026-12-01", "is not a date of mail"),
    ],
)
def test_what_the_grammar_does_not_allow_is_refused_with_what_would_be(name, given, words):
    with pytest.raises(FieldError) as error:
        header_field(name, given)
    assert words in str(error.value)


@given(st.sampled_from(sorted(_GRAMMARS)), st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
@example("list-help", "<https://a.test>(ü\r\nBcc: x@y.test)")
@example("supersedes", "<a@bü>")
@example("list-id", 'a\r\nB: c" <x.y>')
def test_whatever_a_row_brings_is_refused_or_one_field_that_others_read(name, text):
    try:
        field = header_field(name, text)
    except FieldError:
        return
    assert field.isascii()
    lines = field.removesuffix(b"\r\n").split(b"\r\n")
    assert all(line.startswith(b" ") and line.strip() for line in lines[1:])
    parsed = message_from_bytes(field + b"\r\n", policy=policy.default)
    assert [key.lower() for key in parsed] == [name]


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=40))
def test_any_name_in_front_of_an_id_leaves_the_id_in_clear(name):
    field = header_field("List-Id", f"{name} <news.shop.test>")
    assert value(field).endswith("<news.shop.test>")
