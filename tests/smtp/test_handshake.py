"""Signing in, whole and byte by byte: what is said, what becomes of it, and what is never said in clear."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from bulkmail.mail import Category, Fate, Stage
from bulkmail.smtp import Closed, Credentials, Phase, Ready, Settled, TlsMode

TIM = Credentials("tim", "tanstaaftanstaaf")


def coded(text: bytes) -> str:
    return base64.b64encode(text).decode()


def decoded(line: bytes) -> bytes:
    return base64.b64decode(line.strip())


def hello(talk, *auth: str, credentials=TIM, tls=TlsMode.VERIFY, **options):
    """Up to the reply to the EHLO that counts: under TLS unless the mode is off."""
    spoken = talk(tls=tls, credentials=credentials, **options)
    spoken.hear("220 mx")
    if tls is not TlsMode.OFF:
        spoken.hear("250-mx", "250-AUTH PLAIN", "250 STARTTLS")
        spoken.hear("220 go")
        spoken.told(spoken.session.tls_established("TLSv1.3"))
    spoken.hear("250-mx", *(f"250-AUTH {names}" for names in auth), "250 SIZE 100000")
    return spoken


def byte_by_byte(spoken, line: str):
    events = []
    for byte in f"{line}\r\n".encode():
        events += spoken.session.receive(bytes([byte]))
    return spoken.told(events)


def scram_server(client_first: bytes, password: bytes) -> tuple[bytes, bytes]:
    """RFC 5802 from the other side: the server's first message, and the password salted."""
    nonce = client_first.rpartition(b"r=")[2] + b"more"
    salted = hashlib.pbkdf2_hmac("sha256", password, b"salt", 4096)
    return b"r=" + nonce + b",s=" + base64.b64encode(b"salt") + b",i=4096", salted


@pytest.mark.parametrize("hear", [lambda spoken, line: spoken.hear(line), byte_by_byte])
class TestEachMechanism:
    def test_plain(self, talk, hear):
        spoken = hello(talk, "PLAIN LOGIN")
        assert spoken.said == b"AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n"
        assert (spoken.session.phase, spoken.session.patience) == (Phase.AUTH, "auth")
        assert hear(spoken, "235 2.7.0 welcome") == [Ready(spoken.session.capabilities)]
        assert spoken.session.ready

    def test_login(self, talk, hear):
        spoken = hello(talk, "LOGIN")
        assert spoken.said == b"AUTH LOGIN\r\n"
        hear(spoken, "334 VXNlcm5hbWU6")
        assert spoken.said == coded(b"tim").encode() + b"\r\n"
        hear(spoken, "334 UGFzc3dvcmQ6")
        assert decoded(spoken.said) == b"tanstaaftanstaaf"
        hear(spoken, "235 ok")
        assert spoken.session.ready

    def test_cram_md5(self, talk, hear):
        spoken = hello(talk, "PLAIN", "CRAM-MD5")
        assert spoken.said == b"AUTH CRAM-MD5\r\n"
        hear(spoken, "334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+")
        assert spoken.said == b"dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\r\n"
        hear(spoken, "235 ok")
        assert spoken.session.ready

    def test_scram(self, talk, hear):
        spoken = hello(talk, "PLAIN SCRAM-SHA-256", credentials=Credentials("tim", "pencil", nonce="abc"))
        bare = decoded(spoken.said.split()[2]).removeprefix(b"n,,")
        first, salted = scram_server(bare, b"pencil")
        hear(spoken, f"334 {coded(first)}")
        without_proof = decoded(spoken.said).rpartition(b",p=")[0]
        key = hmac.digest(salted, b"Server Key", "sha256")
        proof = hmac.digest(key, b",".join((bare, first, without_proof)), "sha256")
        hear(spoken, f"334 {coded(b'v=' + coded(proof).encode())}")
        assert spoken.said == b"\r\n"
        hear(spoken, "235 ok")
        assert spoken.session.ready

    def test_scram_with_a_server_that_does_not_know_the_password(self, talk, hear):
        spoken = hello(talk, "SCRAM-SHA-256", credentials=Credentials("tim", "pencil", nonce="abc"))
        first, _ = scram_server(decoded(spoken.said.split()[2]), b"guess")
        hear(spoken, f"334 {coded(first)}")
        for answers in (["235 welcome"], [f"334 {coded(b'v=AAAA')}", "501 cancelled"]):
            other = hello(talk, "SCRAM-SHA-256", credentials=Credentials("tim", "pencil", nonce="abc"))
            hear(other, f"334 {coded(first)}")
            for line in answers:
                closed = hear(other, line)
            assert (closed[0].stage, closed[0].own_fault) == (Stage.AUTH, True)
            assert "did not prove that it knows the password" in closed[0].reason

    def test_xoauth2_refused(self, talk, hear):
        spoken = hello(talk, "XOAUTH2 PLAIN", credentials=Credentials("tim", "token", "XOAUTH2"))
        assert decoded(spoken.said.split()[2]) == b"user=tim\x01auth=Bearer token\x01\x01"
        hear(spoken, f"334 {coded(b'status 401')}")
        assert spoken.said == b"\r\n"
        (closed,) = hear(spoken, "535 5.7.8 token has expired")
        assert (closed.stage, closed.reply.code, closed.own_fault) == (Stage.AUTH, 535, True)


def test_a_message_after_the_sign_in(talk):
    spoken = hello(talk, "PLAIN")
    spoken.hear("235 ok")
    transaction = spoken.submit()
    spoken.hear("250 s")
    spoken.hear("250 r")
    spoken.hear("354 go")
    spoken.hear("250 queued")
    assert spoken.fate_of(transaction) == [("accepted", "dot", 250)]


@pytest.mark.parametrize("line", ["535 5.7.8 wrong", "534 5.7.9 too weak", "504 5.5.4 what", "538 5.7.11 encrypt"])
def test_a_refused_sign_in_is_our_own_fault(talk, line):
    spoken = hello(talk, "PLAIN")
    (closed,) = spoken.hear(line)
    assert (closed.stage, closed.reply.code, closed.own_fault) == (Stage.AUTH, int(line[:3]), True)
    assert closed.reason == f"the server refuses to sign us in: {line} (user tim, PLAIN)"
    assert not closed.tls_failed
    assert spoken.said == b"QUIT\r\n"


def test_a_server_that_asks_for_ever_is_left(talk):
    spoken = hello(talk, "LOGIN")
    heard = 0
    while not isinstance(spoken.events[-1] if spoken.events else None, Closed):
        spoken.hear("334 ")
        heard += 1
    assert heard == 4, "LOGIN has two answers; the third is a cancellation"
    closed = spoken.events[-1]
    assert (closed.stage, closed.own_fault, spoken.said) == (Stage.AUTH, True, b"QUIT\r\n")
    assert "asks for more than LOGIN knows" in closed.reason


@pytest.mark.parametrize("line", ["454 4.7.0 later", "421 4.7.0 too many"])
def test_a_sign_in_that_is_put_off_is_the_servers_trouble(talk, line):
    spoken = hello(talk, "PLAIN")
    (closed,) = spoken.hear(line)
    assert (closed.stage, closed.reply.code, closed.own_fault) == (Stage.AUTH, int(line[:3]), False)


@pytest.mark.parametrize("end", ["eof", "deadline"])
def test_a_line_that_breaks_while_signing_in(talk, end):
    spoken = hello(talk, "PLAIN")
    (closed,) = getattr(spoken.session, end)("gone")
    assert (closed.stage, closed.own_fault) == (Stage.AUTH, False)


@pytest.mark.parametrize("mode", [TlsMode.OPPORTUNISTIC, TlsMode.REQUIRED, TlsMode.VERIFY])
def test_only_what_is_offered_under_tls_counts(talk, mode):
    spoken = hello(talk, credentials=TIM, tls=mode)  # AUTH was offered in clear only
    closed = spoken.events[-1]
    assert isinstance(closed, Closed)
    assert (closed.stage, closed.own_fault, spoken.said) == (Stage.AUTH, True, b"QUIT\r\n")
    assert closed.reason == "the server offers no AUTH under TLS, and a user name is set"


@pytest.mark.parametrize("lines", [("250-mx", "250 AUTH PLAIN CRAM-MD5"), ("250-mx", "250-STARTTLS", "250 AUTH PLAIN")])
def test_nothing_is_shown_in_clear_where_tls_may_be_stripped(talk, lines):
    spoken = talk(tls=TlsMode.OPPORTUNISTIC, credentials=TIM)
    spoken.hear("220 mx")
    spoken.hear(*lines)
    if spoken.said == b"STARTTLS\r\n":
        spoken.hear("454 not now")
    closed = spoken.events[-1]
    assert (closed.stage, closed.own_fault, spoken.said) == (Stage.AUTH, True, b"QUIT\r\n")


def test_with_tls_off_only_a_proof_is_shown(talk):
    spoken = hello(talk, "PLAIN LOGIN CRAM-MD5", tls=TlsMode.OFF)
    assert spoken.said == b"AUTH CRAM-MD5\r\n"
    for names, mechanism in (("PLAIN LOGIN", ""), ("PLAIN CRAM-MD5", "PLAIN"), ("XOAUTH2", "XOAUTH2")):
        spoken = hello(talk, names, tls=TlsMode.OFF, credentials=Credentials("tim", "geheim", mechanism))
        closed = spoken.events[-1]
        assert (closed.stage, closed.own_fault, spoken.said) == (Stage.AUTH, True, b"QUIT\r\n")
        assert "geheim" not in closed.reason


def test_implicit_tls_is_before_the_greeting(talk):
    spoken = talk(tls=TlsMode.VERIFY, implicit_tls=True, credentials=TIM)
    session = spoken.session
    assert (session.phase, session.patience, session.output_pending) == (Phase.HANDSHAKE, "starttls", False)
    spoken.told(session.tls_established("TLSv1.2"))
    assert (session.phase, spoken.said) == (Phase.GREETING, b"")
    spoken.hear("220 mx")
    assert spoken.said == b"EHLO me.example\r\n"
    spoken.hear("250-mx", "250-STARTTLS", "250 AUTH PLAIN")
    assert spoken.said.startswith(b"AUTH PLAIN ")


def test_implicit_tls_that_fails_is_a_failed_handshake(talk):
    for end in (lambda s: s.tls_failed("no cipher"), lambda s: s.eof("gone"), lambda s: s.receive(b"220 mx\r\n")):
        (closed,) = end(talk(tls=TlsMode.VERIFY, implicit_tls=True).session)
        assert (closed.stage, closed.tls_failed) == (Stage.STARTTLS, True)


def test_quit_before_the_sign_in_says_nothing_of_us(talk):
    spoken = talk(tls=TlsMode.OFF, credentials=TIM)
    spoken.session.quit()
    spoken.hear("220 mx")
    spoken.hear("250-mx", "250 AUTH CRAM-MD5")
    assert spoken.said == b"QUIT\r\n"


def test_our_own_relay_may_have_our_name(talk):
    spoken = talk(allow_own_name=True)
    spoken.hear("220 me.example")
    spoken.hear("250 me.example")
    assert spoken.session.ready


def test_without_credentials_nobody_signs_in(talk):
    spoken = hello(talk, "PLAIN", credentials=None)
    assert spoken.session.ready


def test_authentication_required_at_mail_is_told_as_it_is(talk):
    spoken = hello(talk, "PLAIN", credentials=None)
    spoken.submit()
    spoken.hear("530 5.7.0 authentication required")
    (settled,) = [event for event in spoken.events if isinstance(event, Settled)]
    assert (settled.fate, settled.stage, settled.category) == (Fate.REFUSED, Stage.MAIL, None)


def test_a_secret_is_in_no_repr(talk):
    spoken = hello(talk, "PLAIN")
    assert "tanstaaf" not in repr(spoken.session)
    assert Category.AUTHENTICATION not in {getattr(event, "category", None) for event in spoken.events}
