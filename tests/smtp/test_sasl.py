"""The RFCs' own examples, and what a server must not get away with."""

from __future__ import annotations

import base64

import pytest

from bulkmail.smtp.sasl import MECHANISMS, Credentials, SaslError, answer, choose, initial, prepared, proven, unbase64

# RFC 7677 3
PENCIL = Credentials("user", "pencil", nonce="rOprNGfwEbeRWgbNEkqO")
SERVER_FIRST = (
    b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
)  # fmt: skip
CLIENT_FINAL = (
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)
SERVER_FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_scram_sha_256_as_in_rfc_7677():
    assert initial("SCRAM-SHA-256", PENCIL) == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    assert answer("SCRAM-SHA-256", PENCIL, [SERVER_FIRST]) == CLIENT_FINAL
    assert not proven("SCRAM-SHA-256", [SERVER_FIRST])
    assert answer("SCRAM-SHA-256", PENCIL, [SERVER_FIRST, SERVER_FINAL]) == b""
    assert proven("SCRAM-SHA-256", [SERVER_FIRST, SERVER_FINAL])


def test_cram_md5_as_in_rfc_2195():
    tim = Credentials("tim", "tanstaaftanstaaf")
    assert initial("CRAM-MD5", tim) is None
    challenge = base64.b64decode("PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+")
    assert challenge == b"<1896.697170952@postoffice.reston.mci.net>"
    said = base64.b64encode(answer("CRAM-MD5", tim, [challenge]))
    assert said == b"dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw"


def test_plain_as_in_rfc_4616():
    assert initial("PLAIN", Credentials("tim", "tanstaaftanstaaf")) == b"\0tim\0tanstaaftanstaaf"
    assert base64.b64encode(initial("PLAIN", Credentials("test", "test"))) == b"AHRlc3QAdGVzdA=="
    assert initial("PLAIN", Credentials("Zoë", "ß")) == "\0Zoë\0ß".encode()
    with pytest.raises(SaslError, match="more than PLAIN"):
        answer("PLAIN", PENCIL, [b""])


def test_login_gives_the_name_and_the_password_in_turn():
    assert initial("LOGIN", PENCIL) is None
    assert answer("LOGIN", PENCIL, [b"Username:"]) == b"user"
    assert answer("LOGIN", PENCIL, [b"Username:", b"Password:"]) == b"pencil"
    with pytest.raises(SaslError, match="more than LOGIN"):
        answer("LOGIN", PENCIL, [b"", b"", b"Again:"])


def test_xoauth2_as_google_shows_it():
    some = Credentials("someuser@example.com", "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg")
    assert base64.b64encode(initial("XOAUTH2", some)) == (
        b"dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ=="
    )
    assert answer("XOAUTH2", some, [b'{"status":"401"}']) == b""


def test_names_are_quoted_and_prepared_in_scram():
    odd = Credentials("a=b,c\u00a0d", "x", nonce="n")
    assert initial("SCRAM-SHA-256", odd) == b"n,,n=a=3Db=2Cc d,r=n"


@pytest.mark.parametrize(
    ("typed", "prepared_as"),
    [("I\u00adX", "IX"), ("user", "user"), ("USER", "USER"), ("\u00aa", "a"), ("\u2168", "IX"), ("a\u3000b", "a b")],
)
def test_saslprep_as_in_rfc_4013(typed, prepared_as):
    assert prepared(typed) == prepared_as


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (b"r=other,s=QSXCR+Q6sek8bf92,i=4096", "not made from ours"),
        (b"r=rOprNGfwEbeRWgbNEkqO,s=QSXCR+Q6sek8bf92,i=4096", "not made from ours"),
        (b"s=QSXCR+Q6sek8bf92,i=4096", "not made from ours"),
        (SERVER_FIRST.replace(b"i=4096", b"i=1"), "asks for 1 rounds"),
        (SERVER_FIRST.replace(b"i=4096", b"i=999999999"), "asks for 999999999 rounds"),
        (SERVER_FIRST.replace(b"i=4096", b"i=" + b"9" * 900), "asks for 9{20} rounds"),
        (SERVER_FIRST.replace(b",i=4096", b""), "asks for no rounds"),
        (SERVER_FIRST.replace(b"i=4096", "i=٤٠٩٦".encode()), "rounds"),
        (SERVER_FIRST.replace(b"s=W22", b"s=***"), "not base64"),
        (SERVER_FIRST.replace(b"s=W22ZaJ0SNY7soEsUEjb6gQ==,", b""), "no salt"),
        (b"m=ext," + SERVER_FIRST, "extension"),
        (b"\xff", "not text"),
        (b"", "not made from ours"),
    ],
)
def test_scram_refuses_what_is_not_scram(first, words):
    with pytest.raises(SaslError, match=words):
        answer("SCRAM-SHA-256", PENCIL, [first])


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (b"e=invalid-proof", "says with SCRAM: invalid-proof"),
        (b"", "did not prove"),
        (b"v=", "did not prove"),
        (b"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "did not prove"),
        (b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "did not prove"),
    ],
)
def test_scram_wants_the_servers_proof(last, words):
    with pytest.raises(SaslError, match=words):
        answer("SCRAM-SHA-256", PENCIL, [SERVER_FIRST, last])


def test_the_strongest_that_is_offered():
    every = [*MECHANISMS, "GSSAPI"]
    assert choose(PENCIL, every, secure=True) == "SCRAM-SHA-256"
    assert choose(PENCIL, ["LOGIN", "PLAIN"], secure=True) == "PLAIN"
    assert choose(PENCIL, ["LOGIN", "CRAM-MD5"], secure=True) == "CRAM-MD5"
    assert choose(PENCIL, ["XOAUTH2", "GSSAPI"], secure=True) == "", "a password is no token"
    assert choose(Credentials("u", "s", "LOGIN"), every, secure=True) == "LOGIN"
    assert choose(Credentials("u", "s", "XOAUTH2"), ["PLAIN"], secure=True) == "", "a token is no password"


@pytest.mark.parametrize("name", ["PLAIN", "LOGIN", "XOAUTH2"])
def test_what_shows_the_secret_is_never_chosen_in_clear(name):
    assert choose(Credentials("u", "s", name), [name], secure=False) == ""
    assert choose(PENCIL, ["PLAIN", "LOGIN", "XOAUTH2"], secure=False) == ""
    assert choose(PENCIL, ["PLAIN", "CRAM-MD5"], secure=False) == "CRAM-MD5"


def test_base64_is_read_strictly():
    assert unbase64(b"") == b""
    for text in (b"a", b"%%%%", b"YQ", b"YQ==\r"):
        with pytest.raises(SaslError):
            unbase64(text)


def test_nobody_prints_a_secret():
    assert "pencil" not in repr(PENCIL)
    assert PENCIL.nonce not in repr(PENCIL)
