from __future__ import annotations

import pytest

from bulkmail.smtp.capabilities import NONE, Capabilities, parse_capabilities


def test_every_extension_we_use_is_read_in_any_case():
    lines = ["PIPELINING", "Size 5000", "8bitmime", "starttls", "CHUNKING", "SmtpUtf8", "ENHANCEDSTATUSCODES", "DSN"]
    assert parse_capabilities(lines) == Capabilities(
        size_offered=True,
        size=5000,
        eight_bit=True,
        pipelining=True,
        starttls=True,
        chunking=True,
        smtputf8=True,
        enhanced_codes=True,
        dsn=True,
    )


@pytest.mark.parametrize(
    "lines", [[], [""], ["PIPELININGX"], ["-PIPELINING"], ["AUTHX PLAIN"], ["AUTH"], ["SIZE=7"], ["\ufffd"]]
)
def test_what_does_not_parse_is_not_offered(lines: list[str]):
    assert parse_capabilities(lines) == NONE


@pytest.mark.parametrize(
    ("line", "offered", "size"),
    [
        ("SIZE", True, 0),
        ("SIZE 0", True, 0),
        ("SIZE 12", True, 12),
        ("SIZE abc", False, 0),
        ("SIZE -1", False, 0),
        ("SIZE ²", False, 0),
        ("SIZE 99999999999999999999", True, 99999999999999999999),
        ("SIZE " + "9" * 21, False, 0),
    ],
)
def test_size(line: str, offered: bool, size: int):
    found = parse_capabilities([line])
    assert (found.size_offered, found.size) == (offered, size)


def test_parameters_and_repetitions_do_no_harm():
    assert parse_capabilities(["PIPELINING now", "PIPELINING"]) == Capabilities(pipelining=True)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("LIMITS RCPTMAX=20 MAILMAX=5 RCPTDOMAINMAX=1", (5, 20, 1)),
        ("limits rcptmax=1", (0, 1, 0)),
        ("LIMITS", (0, 0, 0)),
        ("LIMITS RCPTMAX=0 MAILMAX=07 RCPTDOMAINMAX=1234567", (0, 0, 0)),
        ("LIMITS RCPTMAX= MAILMAX=-1 RCPTDOMAINMAX=x =3 RCPTMAX", (0, 0, 0)),
        ("LIMITS FUTURE=9 MAILMAX=3", (3, 0, 0)),
    ],
)
def test_limits(line: str, expected: tuple[int, int, int]):
    found = parse_capabilities([line])
    assert (found.mails, found.recipients, found.domains) == expected


def test_the_mechanisms_of_auth_are_read_in_both_spellings():
    assert parse_capabilities(["AUTH plain LOGIN", "AUTH=LOGIN CRAM-MD5"]).auth == ("PLAIN", "LOGIN", "CRAM-MD5")
    assert parse_capabilities(["AUTH=PLAIN"]).auth == ("PLAIN",)
