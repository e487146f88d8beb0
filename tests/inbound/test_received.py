"""The words of the room."""

from __future__ import annotations

from bulkmail.inbound import Accepted, Mailbox, Purpose, Received, Refusal


def test_a_message_knows_what_it_is_for():
    to = (Accepted("bounces+a@x.example", Purpose.BOUNCE, "a"), Accepted("bounces+b@x.example", Purpose.BOUNCE, "b"))
    assert Received("1", "192.0.2.1", "h", "", "", to, b"", 0.0).purpose is Purpose.BOUNCE


def test_words():
    assert str(Refusal(550, "5.7.1", "Relaying denied")) == "550 5.7.1 Relaying denied"
    assert str(Mailbox("a", "b.example")) == "a@b.example"
