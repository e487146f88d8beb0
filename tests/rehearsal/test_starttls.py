"""STARTTLS, and what a handshake meets; real handshakes are in `test_server`."""

from __future__ import annotations

import pytest

from bulkmail.rehearsal.behaviour import Behaviour, Step, Tls


def test_tls_starts_anew(talk) -> None:
    client = talk()
    client.envelope()
    assert client.say("STARTTLS\r\nMAIL FROM:<injected@x.example>\r\n") == "220 2.0.0 Ready to start TLS\r\n"
    assert client.secured
    client.session.tls_started()
    assert client.say("MAIL FROM:<a@b.example>\r\n").startswith("503"), "what was said in clear is forgotten"
    offered = client.say("EHLO me.example\r\n")
    assert "STARTTLS" not in offered
    assert client.say("STARTTLS\r\n").startswith("502")
    client.send("c@accept.test")
    assert client.store.kept[0]["tls"] == "TLSv1.3"


def test_broken_tls_answers_the_handshake_with_an_alert(talk) -> None:
    client = talk("broken-tls")
    assert client.say("STARTTLS\r\n").startswith("220")
    assert not client.secured
    assert client.say(b"\x16\x03\x01") == "\x15\x03\x03\x00\x02\x02\x28"
    assert client.closed


def test_a_hello_of_one_segment_is_answered_and_a_longer_one_never(talk) -> None:
    small, large = (b"\x16\x03\x01" + size.to_bytes(2) + b"x" * size for size in (1395, 1396))
    client = talk("one-segment")
    client.say("STARTTLS\r\n")
    assert not client.secured
    client.say(small[:3])
    assert not client.secured, "not even the length has come"
    client.say(small[3:])
    assert (client.secured, client.client_hello) == (True, small)
    client.session.tls_started()
    assert client.say("EHLO me.example\r\n").startswith("250")
    client = talk("one-segment")
    client.say("STARTTLS\r\n")
    assert client.say(large) == ""
    assert not client.secured
    assert client.say("EHLO me.example\r\n") == ""


def test_no_tls_and_nothing_but_tls(talk) -> None:
    assert talk("no-tls").say("STARTTLS\r\n").startswith("502")
    client = talk("tls-only")
    assert client.say("MAIL FROM:<a@b.example>\r\n").startswith("530 5.7.0 Must issue a STARTTLS")
    client.say("STARTTLS\r\n")
    client.session.tls_started()
    assert client.hello().send("c@tls-only.test").startswith("250")


def test_starttls_that_takes_its_time(talk) -> None:
    client = talk("accept", Behaviour(Step.STARTTLS, wait=1.0))
    assert client.say("STARTTLS\r\n") == ""
    client.clock.advance(1)
    assert client.heard().startswith("220")
    assert client.secured


@pytest.mark.parametrize(
    ("tls", "said", "closed"),
    [(Tls.GARBAGE, "250 2.0.0", "closed"), (Tls.HANGS, "", ""), (Tls.CUT, "", "aborted")],
)
def test_handshakes_that_fail(talk, tls: Tls, said: str, closed: str) -> None:
    client = talk("accept", tls=tls)
    assert client.say("STARTTLS\r\n").startswith("220")
    assert not client.secured
    assert client.say(b"\x16\x03\x01").startswith(said)
    assert client.closed == closed
