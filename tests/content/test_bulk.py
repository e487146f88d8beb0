from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.content import bulk
from bulkmail.content.templates import RowError


def test_links_are_kept_or_percent_encoded():
    assert (
        bulk.link(" https://example.com/u/abc?x=%20&y=1,2#z \n", fragment=True)
        == "https://example.com/u/abc?x=%20&y=1,2#z"
    )
    assert bulk.link("https://example.com/ü") == "https://example.com/%C3%BC"
    assert bulk.link("https://bücher.test/u") == "https://xn--bcher-kva.test/u"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://example.com/",
        "https://",
        "javascript:x",
        "https://example.com/a b",
        "https://example.com/\r\nBcc: x",
        "https://example.com/>,<mailto:x",
        "https://example.com/\u2028x",
        "https://example.com/" + "x" * 1000,
        "https://example.com/\x00",
        "HTTPS://example.com/\xa0",
        "https://example.com/?e=50%off@a.test&t=1",
        "https://example.com/?e=#hash@a.test&t=1",
    ],
)
def test_links_that_would_break_the_field_are_row_errors(url):
    with pytest.raises(RowError, match=r"^unsubscribe\.url: "):
        bulk.link(url)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_link_taken_is_one_ascii_token(text):
    try:
        link = bulk.link("https://example.com/" + text)
    except RowError:
        return
    assert link.isascii()
    assert not set(link) & set(" \r\n\t<>")
    assert unquote(link) == unquote("https://example.com/" + text.strip())
    assert "#" not in link


def test_the_mailto_names_the_recipient():
    assert "t0ken".join(bulk.mailto("out@example.com")) == "mailto:out@example.com?subject=unsubscribe-t0ken"
    assert "t0ken".join(bulk.mailto("out+{{ token }}@example.com")) == (
        "mailto:out+t0ken@example.com?subject=unsubscribe"
    )
    parts = urlsplit(bulk.mailto("a&b?c#d%e+f@example.com")[0])
    assert unquote(parts.path) == "a&b?c#d%e+f@example.com"
    assert parts.query == "subject=unsubscribe-"


def test_the_longest_link_still_fits_its_line():
    longest = bulk.link("https://example.com/" + "x" * 957)
    field = bulk.list_unsubscribe(longest, ("t" * 26).join(bulk.mailto("out@example.com")))
    assert [len(line) for line in field.split(b"\r\n")] == [998, 72, 0]
    with pytest.raises(RowError, match="longer than 977"):
        bulk.link(longest + "x")


def test_list_unsubscribe_is_one_line():
    assert bulk.list_unsubscribe("https://e.example/u", "mailto:x@e.example") == (
        b"List-Unsubscribe: <https://e.example/u>, <mailto:x@e.example>\r\n"
    )


@pytest.mark.parametrize(
    ("text", "name", "field"),
    [
        ("", "Spring Sale 2026!", b"List-Id: <spring-sale-2026.example.com>\r\n"),
        ("", "春", b"List-Id: <campaign.example.com>\r\n"),
        ("readers.example.org", "x", b"List-Id: <readers.example.org>\r\n"),
        ("<readers.example.org>", "x", b"List-Id: <readers.example.org>\r\n"),
        ('"Our readers" <readers.example.org>', "x", b"List-Id: Our readers <readers.example.org>\r\n"),
    ],
)
def test_list_id(text, name, field):
    assert bulk.list_id(text, name, "example.com") == field
    assert bulk.is_list_id(field.rpartition(b"<")[2].partition(b">")[0].decode())


def test_what_is_no_list_id():
    for text in ("", "spring", "a b.example.com", "a..b", "ü.example.com", "x" * 250 + ".example"):
        assert not bulk.is_list_id(text)


@pytest.mark.parametrize("domain", ["example.com", "a.io", "a.very.long.domain.of.some.company.example.com"])
def test_feedback_id_has_four_fields_and_a_stable_sender(domain):
    value = bulk.feedback_id("abcdefgh", "readers", "marketing", domain).decode().removeprefix("Feedback-ID: ").strip()
    *others, sender = value.split(":")
    assert others == ["abcdefgh", "readers", "marketing"]
    assert 5 <= len(sender) <= 15
    assert bulk.feedback_id("other", "x", "transactional", domain).decode().strip().endswith(":" + sender)


@pytest.mark.parametrize("listed", ["marketing", "examplecom", "abcdefgh"])
def test_no_two_fields_of_a_feedback_id_are_the_same(listed):
    value = bulk.feedback_id("abcdefgh", listed, "marketing", "example.com").decode().partition(": ")[2].strip()
    assert value == f"abcdefgh:list-{listed}:marketing:examplecom"


def test_the_fields_of_marketing_and_of_transactional_mail(make):
    assert bulk.constant_fields(make(), "abcdefgh", "example.com") == {
        "List-Id": b"List-Id: <spring-sale.example.com>\r\n",
        "Feedback-ID": b"Feedback-ID: abcdefgh:spring-sale:marketing:examplecom\r\n",
        "Precedence": b"Precedence: bulk\r\n",
    }
    assert bulk.constant_fields(make(list="Our_readers"), "abcdefgh", "example.com")["List-Id"] == (
        b"List-Id: <our-readers.example.com>\r\n"
    )
    assert bulk.constant_fields(make(list="receipts", kind="transactional"), "abcdefgh", "example.com") == {
        "Feedback-ID": b"Feedback-ID: abcdefgh:receipts:transactional:examplecom\r\n",
        "Auto-Submitted": b"Auto-Submitted: auto-generated\r\n",
    }
