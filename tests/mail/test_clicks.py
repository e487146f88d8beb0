"""Links that are counted, and their signatures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import (
    Click,
    ClickCount,
    campaign_key,
    click_path,
    clicks_by_variant,
    link_id,
    quoted_target,
    read_click,
)
from bulkmail.mail import token as token_of

KEY = bytes(range(32))
TOKEN = token_of(campaign_key(KEY, 7), 12)
TARGET = "https://shop.example/a?b=1&c[0]=ü#part"


def made(target: str = TARGET, place: str = "abcdefgh", key: bytes = KEY) -> tuple[bytes, bytes]:
    path, _, query = click_path(key, TOKEN, place, quoted_target(target)).partition("?")
    return path.encode(), query.encode()


def test_a_link_says_whose_it_is_and_where_it_leads() -> None:
    assert read_click(KEY, *made()) == Click(7, 12, "abcdefgh", "", TARGET)
    assert read_click(KEY, *made(place="abcdefgh-B-2")) == Click(7, 12, "abcdefgh", "B-2", TARGET)
    assert read_click(KEY, *made(key=campaign_key(KEY, 7))) == Click(7, 12, "abcdefgh", "", TARGET)


def test_what_mail_programs_do_to_a_link_does_not_break_it() -> None:
    path, query = made()
    expected = Click(7, 12, "abcdefgh", "", TARGET)
    assert read_click(KEY, path.upper().replace(b"ABCDEFGH", b"abcdefgh"), query) == expected
    assert read_click(KEY, path, query + b"&utm_source=x&fbclid=y") == expected
    assert read_click(KEY, path, query + b").") == expected
    assert read_click(KEY, path, query.replace(b":", b"%3A").replace(b"/", b"%2f")) == expected


@pytest.mark.parametrize(
    "change",
    [
        lambda path, query: (path, query.replace(b"shop", b"evil")),
        lambda path, _: (path, b"https://evil.example/"),
        lambda path, _: (path, b""),
        lambda path, _: (path, b"%ff"),
        lambda path, query: (path.replace(b"abcdefgh", b"abcdefgi"), query),
        lambda path, query: (path.replace(b"abcdefgh", b"abcdefgh-b"), query),
        lambda path, query: (path[:-1] + (b"a" if path[-1:] != b"a" else b"b"), query),
        lambda path, query: (path + b"/x", query),
        lambda path, query: (path.rpartition(b"/")[0], query),
        lambda path, query: (path + "ü".encode(), query),
        lambda path, query: (token_of(campaign_key(KEY, 7), 13).encode() + path[26:], query),
        lambda path, query: (b"a" * 26 + path[26:], query),
    ],
)
def test_nothing_else_leads_anywhere(change) -> None:  # type: ignore[no-untyped-def]
    assert read_click(KEY, *change(*made())) is None


def test_another_spool_has_signed_nothing_here() -> None:
    assert read_click(bytes(32), *made()) is None


@given(st.text(max_size=60))
def test_every_target_comes_back(text: str) -> None:
    target = "https://x.example/" + text.encode("utf-8", "replace").decode()
    found = read_click(KEY, *made(target))
    assert found is not None
    assert found.target == target


@given(st.binary(max_size=80), st.binary(max_size=40))
def test_any_octets_are_no_link(path: bytes, query: bytes) -> None:
    assert read_click(KEY, path, query) is None


def test_ids_and_sums() -> None:
    assert link_id("https://x.example") == link_id("https://x.example") != link_id("https://x.example/")
    counts = [ClickCount("a", "", 1, 9), ClickCount("a", "b", 2, 9), ClickCount("c", "b", 3, 0)]
    assert clicks_by_variant(counts) == {"": 1, "b": 5}
