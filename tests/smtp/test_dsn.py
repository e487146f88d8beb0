from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.smtp.dsn import original_recipient, xtext


def from_xtext(text: str) -> str:
    """RFC 3461 4, read: hexchar is ``+`` and two hexadecimal digits in upper case."""
    return re.sub(rb"\+([0-9A-F]{2})", lambda found: bytes.fromhex(found[1].decode()), text.encode()).decode()


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_xtext_has_only_its_characters_and_reads_back(text: str) -> None:
    encoded = xtext(text)
    assert re.fullmatch(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*", encoded)
    assert from_xtext(encoded) == text


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("anna@example.org", "rfc822;anna@example.org"),
        ("User+Tag=x@example.org", "rfc822;User+2BTag+3Dx@example.org"),
        ('"a b"@example.org', 'rfc822;"a+20b"@example.org'),
        ("o'neil{a}|~@example.org", "rfc822;o'neil{a}|~@example.org"),
        ("δοκιμή@example.org", r"utf-8;\x{3B4}\x{3BF}\x{3BA}\x{3B9}\x{3BC}\x{3AE}@example.org"),
        ("jö+a=b\\c@example.org", r"utf-8;j\x{F6}\x{2B}a\x{3D}b\x{5C}c@example.org"),
        ("😀@example.org", r"utf-8;\x{1F600}@example.org"),
    ],
)
def test_the_original_recipient(address: str, expected: str) -> None:
    assert original_recipient(address) == expected


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=64))
def test_the_original_recipient_breaks_no_command_and_reads_back(local: str) -> None:
    kind, _, value = original_recipient(f"{local}@example.org").partition(";")
    assert value.isascii()
    assert not set(value) & set("\r\n =")
    if kind == "utf-8":
        assert re.sub(r"\\x\{([0-9A-F]+)\}", lambda found: chr(int(found[1], 16)), value) == f"{local}@example.org"
    else:
        assert from_xtext(value) == f"{local}@example.org"
