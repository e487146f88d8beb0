from __future__ import annotations

import base64

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkmail.smtp import Credentials, What
from bulkmail.smtp.pipeline import PIECE, Pipeline
from bulkmail.smtp.replies import ReplyReader
from bulkmail.smtp.telling import MASK

USER, PASSWORD = "anna@me.example", "geheim 12"
SIGNS = {What.COMMAND: ">", What.REPLY: "<", What.MESSAGE: "=", What.NOTE: "*"}


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def traced(talk, **options):
    """A session, and the list of what it tells."""
    one, told = talk(**options), []
    one.session.tell(lambda what, text: told.append(f"{SIGNS[what]} {text}"))
    return one, told


def signing_in(talk, mechanism, user=USER, password=PASSWORD):
    one, told = traced(talk, **under_tls(Credentials(user, password, mechanism, nonce="abc")))
    return greeted(one, mechanism), told


def under_tls(credentials):
    return {"tls": "required", "implicit_tls": True, "credentials": credentials}


def greeted(one, mechanism):
    one.told(one.session.tls_established("TLSv1.3"))
    one.hear("220 mx.example")
    one.hear("250-mx.example", f"250 AUTH {mechanism}")
    return one


def test_a_session_is_told_in_the_order_of_the_wire(talk):
    one, told = traced(talk, chunking=False)
    one.ready("PIPELINING").submit()
    one.hear("250 2.1.0 s", "250 r", "354 go")
    one.hear("250 2.0.0 taken")
    one.session.quit()
    one.told([])
    one.hear("221 bye")
    assert told == [
        "< 220 mx.example", "> EHLO me.example", "< 250-mx.example", "< 250 PIPELINING",
        "> MAIL FROM:<s@me.example>", "> RCPT TO:<r@you.example>", "> DATA", "< 250 2.1.0 s", "< 250 r", "< 354 go",
        "= 28 bytes", "> .", "< 250 2.0.0 taken", "> QUIT", "< 221 bye",
    ]  # fmt: skip


def test_of_a_message_its_size_is_told_by_data_and_by_bdat(talk):
    secret = b"Subject: MAIL FROM:<x@y>\r\n\r\nAUTH PLAIN \r\nprivate\r\n"
    for extensions in ((), ("PIPELINING",), ("PIPELINING", "CHUNKING")):
        one, told = traced(talk)
        one.ready(*extensions).submit(message=secret)
        while one.session.owed and not one.session.ready:
            one.hear("354 go" if one.session.owed == "DATA" else "250 ok")
        assert [line for line in told if line.startswith("=")] == [f"= {len(secret)} bytes"]
        assert not [line for line in told if "private" in line or "Subject" in line or "x@y" in line]
        assert (f"> BDAT {len(secret)} LAST" in told) is ("CHUNKING" in extensions)


def test_a_message_in_pieces_is_told_once(talk):
    one, told = traced(talk)
    one.ready("PIPELINING", "CHUNKING").submit(message=b"x" * (3 * PIECE) + b"\r\n")
    assert [line for line in told if line[0] == "="] == ["= 786,434 bytes"]
    one.hear("250 s", "250 r", "250 taken")
    assert one.session.ready


def test_plain_with_an_initial_response(talk):
    one, told = signing_in(talk, "PLAIN")
    assert coded(f"\0{USER}\0{PASSWORD}").encode() in one.said
    one.hear(f"535 5.7.8 no: {coded(chr(0) + USER + chr(0) + PASSWORD)} {PASSWORD}")
    assert told[-3:] == ["> AUTH PLAIN ***", "< 535 5.7.8 no: *** ***", "> QUIT"]


def test_login_in_three_lines(talk):
    one, told = signing_in(talk, "LOGIN")
    one.hear(f"334 {coded('Username:')}")
    assert one.said == coded(USER).encode() + b"\r\n"
    one.hear(f"334 {coded('Password:')}")
    assert one.said == coded(PASSWORD).encode() + b"\r\n"
    one.hear("235 2.7.0 ok")
    assert told[-6:] == ["> AUTH LOGIN", "< 334 ***", "> ***", "< 334 ***", "> ***", "< 235 2.7.0 ok"]


def test_a_look_that_begins_in_the_middle_of_a_sign_in(talk):
    one = greeted(talk(**under_tls(Credentials(USER, PASSWORD, "LOGIN"))), "LOGIN")
    one.events += one.session.receive(f"334 {coded('Username:')}\r\n".encode())  # the answer is not taken yet
    told = []
    one.session.tell(lambda _what, text: told.append(text))
    assert one.drain() == coded(USER).encode() + b"\r\n"
    one.hear(f"334 {coded('Password:')}")
    assert told == [MASK, f"334 {MASK}", MASK]


def test_a_sign_in_that_is_cancelled(talk):
    one, told = signing_in(talk, "LOGIN")
    one.hear("334 not base64!")
    assert told[-2:] == ["< 334 ***", "> *"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # `talk` is a class
@given(
    password=st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=4, max_size=40),
    mechanism=st.sampled_from(["PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2"]),
    echoed=st.booleans(),
)
def test_no_response_is_ever_told(talk, password, mechanism, echoed):
    """Also where the server says again what we said, in a challenge or in a refusal."""
    one, told = signing_in(talk, mechanism, "u" * 9, password)
    responses = []
    for n in range(4):
        responses += [word for word in one.said.decode().split()[-1:] if word not in ("QUIT", mechanism)]
        again = responses[-1] if echoed and responses else coded("<1@mx>")
        one.hear(f"334 {again}" if n < 3 else f"535 no {again}")
    assert responses
    assert not [word for word in responses for line in told if word in line and word != "*"]


def test_a_session_says_and_settles_the_same_whether_it_is_told_or_not(talk):
    """Looks begin and end at any time: after each reply, the session is told or is not."""

    def settled(looks):
        one, said = talk(), b""
        one.ready("PIPELINING")
        first = one.submit("a@you.example", "b@you.example", message=b"1\r\n")
        said += one.said
        for n, line in enumerate(["250 s", "550 a", "250 b", "354 go", "250 taken"]):
            if looks:
                one.session.tell((lambda *_: None) if n % 2 else None)
            one.hear(line)
            said += one.said
        return said, one.fate_of(first), one.session.ready, one.session.turn

    assert settled(looks=True) == settled(looks=False)


def test_a_session_that_nobody_looks_at_is_what_it_was_before(talk):
    one, told = traced(talk)
    one.session.tell(None)
    one.ready("PIPELINING").submit()
    assert told == []
    assert (type(one.session._line), type(one.session._reader)) == (Pipeline, ReplyReader)


@pytest.mark.parametrize("reply", [b"250 \x1b[2Jok\r\n", b"250 ok\x07\xe2\x80\xae\r\n", b"250 a\rb\r\n"])
def test_what_could_steer_a_terminal_is_gone_from_replies(talk, reply):
    one, told = traced(talk)
    one.session.receive(b"220 mx\r\n")
    one.drain()
    one.session.receive(reply)
    assert told[-1].isprintable()
