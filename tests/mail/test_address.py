from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import AddressError, domain_key, parse_address


@pytest.mark.parametrize(
    ("text", "local", "domain"),
    [
        ("a@example.com", "a", "example.com"),
        ("  A.b+c@EXAMPLE.com\t", "A.b+c", "example.com"),
        ('"a b"@example.com', '"a b"', "example.com"),
        ("jörg@example.com", "jörg", "example.com"),
        ("a@Bücher.example", "a", "xn--bcher-kva.example"),
        ("a@xn--bcher-kva.example", "a", "xn--bcher-kva.example"),
        ("o'neil_{x}@sub.example.co.uk", "o'neil_{x}", "sub.example.co.uk"),
        ("a@example.com.", "a", "example.com"),
        ("用户@例子.example", "用户", "xn--fsqu00a.example"),
    ],
)
def test_what_can_be_sent_to(text: str, local: str, domain: str) -> None:
    address = parse_address(text)
    assert (address.local, address.domain) == (local, domain)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("nobody", "no @"),
        ("@example.com", "nothing before the @"),
        ("a@b@example.com", "more than one @"),
        ("a..b@example.com", "dots"),
        (".a@example.com", "dots"),
        ("a@example..com", "two dots"),
        ("a@localhost", "no dot"),
        ("a@[192.0.2.1]", "literal"),
        ("a@192.0.2.1", "IP address"),
        ("Ann <a@example.com>", "bare address"),
        ("<a@example.com>", "bare address"),
        ("a@x.example>\r\nRCPT TO:<v@y.example", "control character"),
        ("a@x.example SIZE=1", "label"),
        ("a(comment)@example.com", "bare address"),
        ("a@-x.example", "label"),
        ("a\x00b@example.com", "control character"),
        ("a\u2028b@example.com", "control character"),
        ("x" * 65 + "@example.com", "64 bytes"),
        ("x@" + "a" * 64 + ".example", "label"),
        ("x@" + "a." * 130 + "example", "253"),
        ("x" * 60 + "@" + "a" * 60 + "." + "b" * 60 + "." + "c" * 60 + ".de" + "f" * 20, "254 bytes"),
        ("a@☃☃☃..example", "internationalised|two dots"),
    ],
)
def test_what_is_refused_and_why(text: str, words: str) -> None:
    with pytest.raises(AddressError, match=words):
        parse_address(text)


def test_two_spellings_are_one_recipient() -> None:
    assert parse_address("Ann@EXAMPLE.com").key == parse_address("ann@example.com").key
    assert parse_address("ann@bücher.example").key == parse_address("ANN@xn--bcher-kva.example").key


def test_smtputf8_is_needed_for_the_local_part_only() -> None:
    assert parse_address("jörg@example.com").needs_smtputf8
    assert not parse_address("joerg@bücher.example").needs_smtputf8


@given(st.text(max_size=80))
def test_whatever_is_taken_is_safe_on_a_command_line(text: str) -> None:
    try:
        address = parse_address(text)
    except AddressError:
        return
    written = str(address)
    assert not any(character in written for character in "\r\n\0<>")
    assert address.domain == domain_key(address.domain)
    assert parse_address(written) == address


def test_a_long_hostile_local_part_is_refused_quickly() -> None:
    with pytest.raises(AddressError):
        parse_address("é" * 5000 + "!@" + "x")
