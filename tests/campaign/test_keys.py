from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.campaign.keys import QUICK_LENGTH, digest_of, quick, read_address
from bulkmail.mail import AddressError, address_in

_PIECES = st.sampled_from(
    ["a", "B", "9", "-", "_", "+", ".", "@", "com", "ex", "\u212a", "\u00e9", "\n", " ", "x" * 30]
)
_SHAPED = st.from_regex(r"[A-Za-z0-9_+.-]{1,40}@[A-Za-z0-9.-]{1,40}", fullmatch=True)


@given(st.lists(_PIECES, max_size=12).map("".join) | _SHAPED)
def test_the_quick_way_takes_only_what_a_cell_may_hold_and_agrees_with_it(text):
    found = quick(text) if len(text) <= QUICK_LENGTH else None
    if found is not None:
        address = address_in(text)
        assert (address.key, address.domain) == (text.lower(), found[1].lower())


def test_the_quick_way_takes_usual_addresses():
    for text in ("Ann@Example.com", "first.last+tag@mail.example.co.uk", "x_1-2@a-b.de"):
        assert quick(text)


def test_the_key_is_the_address_in_its_one_form():
    assert read_address(" Ann@Example.COM\t") == ("ann@example.com", "example.com")
    assert read_address("\u00a0ann@example.com ") == ("ann@example.com", "example.com")
    assert read_address("ann@M\u00dcNCHEN.de") == ("ann@xn--mnchen-3ya.de", "xn--mnchen-3ya.de")
    assert read_address("'+ann@example.com") == ("+ann@example.com", "example.com")


@pytest.mark.parametrize(
    "text", ["ann@example.com\n", "\r\nann@example.com", "ann@example.com\r\nRCPT TO:<b@c.de>", ""]
)
def test_line_ends_make_no_address(text):
    with pytest.raises(AddressError):
        read_address(text)


def test_digests_are_sixteen_bytes_and_differ():
    assert len(digest_of("a@b.de")) == 16
    assert digest_of("a@b.de") != digest_of("@b.de")
