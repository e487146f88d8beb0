from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.campaign.entries import keys_of
from bulkmail.mail import AddressError, address_in, parse_address


@pytest.mark.parametrize(
    "entry",
    [
        "bob@a.example",
        "  BOB@A.Example. ",
        "mailto:bob@a.example",
        "MAILTO:bob%40a.example?subject=stop",
        "<bob@a.example>",
        "<mailto:bob@a.example>",
        "Bob <bob@a.example>",
        '"Bob, of A" <bob@a.example>',
        '"bob@a.example"',
        "'bob@a.example'",
        '"bob"@a.example',
        '"b\\ob"@a.example',
        "bob@a.example;",
        "bob@a.example,,",
        "\u200bbob@a.example",
        "bo\u00adb@a.example",
        "\u202abob@a.example\u202c",
        "bob@a.exa\u200bmple",
        "bob@a.example\ufeff",
        "\u00a0bob@a.example",
        "'bob@a.example",
        "bob＠a.example",
        "bob＠a．example",
    ],
)
def test_an_address_is_taken_in_any_dress(entry):
    assert "bob@a.example" in keys_of(entry)


@pytest.mark.parametrize(
    "entry",
    [
        "a.example",
        "A.Example.",
        "@a.example",
        "*@a.example",
        "%@a.example",
        "'@a.example",
        "<a.example>",
        '"*@a.example"',
        "mailto:@a.example",
        "\u200ba.example",
        "*@a\u00ad.example",
        "@a.example,",
        "＊@a.example",
        "％＠a．example",
    ],
)
def test_a_whole_domain_is_taken_in_any_dress(entry):
    assert "@a.example" in keys_of(entry)


def test_several_addresses_in_a_cell_are_all_stopped():
    assert keys_of("ann@a.example ::: <Bob@b.example> ::: ") == {"ann@a.example", "bob@b.example"}


def test_what_could_be_two_addresses_stops_both():
    assert keys_of("'=eq@a.example") == {"=eq@a.example", "'=eq@a.example"}
    assert keys_of("'bob@a.example") == {"bob@a.example", "'bob@a.example"}


def test_a_pattern_as_an_address_can_be_written_in_quotes():
    assert keys_of('"b*b"@a.example') == {"b*b@a.example"}
    assert keys_of("jack%x@a.example") == {"jack%x@a.example"}


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("b*b@a.example", 'looks like a pattern, .* "b\\*b"@a.example'),
        ("bo?@a.example", "pattern"),
        ("%bob%@a.example", "pattern"),
        ("bob+*@a.example", "pattern"),
        ("*.a.example", "list each domain"),
        ("*@*.a.example", "list each domain"),
        ("@*.a.example", "list each domain"),
        ("*", "list each domain"),
        ("*@*", "list each domain"),
        ("bob@*", "label"),
        (".a.example", "empty label"),
        ("bob", "no dot"),
        ("bob@a.example, ann@a.example", "more than"),
        ("bob@a.example (left)", "label"),
        ("http://a.example/", "label"),
        ("a.example\r\nb.example", "label"),
        ("bob@a.example\nann@b.example", "control character"),
        ("Bob <bob@a.example> <ann@a.example>", "more than"),
        ("<>", "missing|empty"),
        ("", "missing|empty"),
        ("@", "nothing before"),
        ("\u200b", "missing|internationalised|empty"),
    ],
)
def test_what_cannot_be_told_is_refused(entry, words):
    with pytest.raises(AddressError, match=words):
        keys_of(entry)


@given(st.text("ab.'=+-@*?%\"\\\u200b\u00e9 <>:,;", max_size=14).map(lambda text: f"{text}@a.example"))
def test_an_address_that_can_be_mailed_is_stopped_by_its_own_cell_or_refused(cell):
    try:
        address = address_in(cell)
        keys = keys_of(cell)
    except AddressError:
        return
    assert address.key in keys or f"@{address.domain}" in keys
    assert parse_address(str(address)).key == address.key
