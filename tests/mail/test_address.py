from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import (
    Address,
    AddressError,
    address_in,
    domain_key,
    local_in,
    parse_address,
    unguarded,
    unseen,
    without_invisible,
)


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
        ("\u00a0\u2003a@example.com\u3000", "a", "example.com"),
        ("cafe\u0301@example.com", "caf\u00e9", "example.com"),
        ("\u212aim@example.com", "Kim", "example.com"),  # KELVIN SIGN
        ('"bob"@example.com', "bob", "example.com"),
        ('"b\\o\\b"@example.com', "bob", "example.com"),
        ('"J\u00f6rg"@example.com', "J\u00f6rg", "example.com"),
        ('"J\u00f6rg M."@example.com', '"J\u00f6rg M."', "example.com"),
        ('"a\\ b\\""@example.com', '"a b\\""', "example.com"),
        ('"a\\\\b"@example.com', '"a\\\\b"', "example.com"),
        ('"a..b"@example.com', '"a..b"', "example.com"),
        ('""@example.com', '""', "example.com"),
        ("a@\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.example", "a", "xn--mgba3gch31f060k.example"),
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
        ("a@x.example-", "label"),
        ("a@x." + "e" * 64, "label"),
        ("a\x00b@example.com", "control character"),
        ("a\u2028b@example.com", r"control character U\+2028 \(LINE SEPARATOR\)"),
        ("\u200bbob@example.com", r"the invisible character U\+200B \(ZERO WIDTH SPACE\)"),
        ("bo\u00adb@example.com", r"U\+00AD \(SOFT HYPHEN\)"),
        ("bob\u2060@example.com", r"U\+2060 \(WORD JOINER\)"),
        ("\u202ebob@example.com", r"U\+202E \(RIGHT-TO-LEFT OVERRIDE\)"),
        ("bo\u200db@example.com", r"U\+200D \(ZERO WIDTH JOINER\)"),
        ("\ufeffbob@example.com", r"U\+FEFF \(ZERO WIDTH NO-BREAK SPACE\)"),
        ("bob\ufe0f@example.com", r"U\+FE0F \(VARIATION SELECTOR-16\)"),
        ("bob\u3164@example.com", r"U\+3164 \(HANGUL FILLER\)"),
        ("bob@exam\u200bple.com", r"U\+200B"),
        ("bob@exam\u200dple.com", "internationalised"),
        ("bob\ud800@example.com", r"surrogate character U\+D800"),
        ('"bo\u200bb"@example.com', r"U\+200B"),
        ("bob\x1b@example.com", r"control character U\+001B"),
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
    assert parse_address('"Ann B"@x.example').key == parse_address('"ann\\ b"@x.example').key
    assert parse_address("CAFE\u0301@x.example").key == parse_address("caf\u00e9@x.example").key
    assert parse_address("J\u030c@x.example").key == parse_address("\u01f0@x.example").key  # no capital of its own


def test_smtputf8_is_needed_for_the_local_part_only() -> None:
    assert parse_address("jörg@example.com").needs_smtputf8
    assert not parse_address("joerg@bücher.example").needs_smtputf8


@pytest.mark.parametrize(
    ("cell", "mailed"),
    [
        ("'=eq@a.example", "=eq@a.example"),
        ("'+a@a.example", "+a@a.example"),
        ("'-a@a.example", "-a@a.example"),
        ("'\ta@a.example", "a@a.example"),
        ("''=eq@a.example", "'=eq@a.example"),
        ('"\'=eq"@a.example', "'=eq@a.example"),
        ("'ann@a.example", "'ann@a.example"),
        ("=eq@a.example", "=eq@a.example"),
        ("ann@a.example ::: bob@b.example", "ann@a.example"),
        ('"a ::: b"@a.example', '"a ::: b"@a.example'),
        (" Ann@A.example ", "Ann@a.example"),
    ],
)
def test_what_a_cell_of_a_list_means(cell: str, mailed: str) -> None:
    assert str(address_in(cell)) == mailed
    assert local_in(cell) == mailed.rpartition("@")[0]


def test_the_local_part_of_a_cell_that_is_no_address_any_more() -> None:
    assert local_in(" bo\u00adb@example.com\t") == "bo\u00adb"


def test_only_a_guarded_cell_loses_its_apostrophe() -> None:
    assert [unguarded(cell) for cell in ("'@x", "'x", "'", "")] == ["@x", "'x", "'", ""]


def test_what_cannot_be_seen_is_named_or_left_out() -> None:
    assert unseen("Jörg \u0915\u094d") == ""
    assert unseen("a\u061cb") == "the invisible character U+061C (ARABIC LETTER MARK)"
    assert without_invisible("\u200bbo\u00adb\u202c\n\u115f") == "bob\n"


@given(st.text(max_size=80) | st.text('"\\\u0301a.b @\u00ad=<', max_size=12).map(lambda text: f"{text}@x.example"))
def test_whatever_is_taken_is_safe_on_a_command_line(text: str) -> None:
    try:
        address = parse_address(text)
    except AddressError:
        return
    written = str(address)
    assert not any(character in written for character in "\r\n\0")
    assert written.startswith('"') or not any(character in written for character in "<> ")
    assert address.domain == domain_key(address.domain)
    assert parse_address(written) == address
    assert unseen(written) == ""


@given(st.text("aB'.-+=_09", min_size=1, max_size=66), st.lists(st.text("aB-9", min_size=1, max_size=65), max_size=5))
def test_a_plain_address_is_judged_as_any_other(local: str, labels: list[str]) -> None:
    """A dot behind the domain, which is taken away, keeps the short way from being taken."""

    def result(text: str) -> Address | None:
        try:
            return parse_address(text)
        except AddressError:
            return None

    domain = ".".join(labels)
    address = result(f"{local}@{domain}")
    assert address == result(f"{local}@{domain}.")
    if not local.startswith("'") and address is not None:
        assert address_in(f"{local}@{domain}") == address


def test_a_long_hostile_local_part_is_refused_quickly() -> None:
    with pytest.raises(AddressError):
        parse_address("é" * 5000 + "!@" + "x")
