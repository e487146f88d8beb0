"""Replies on the wire."""

from __future__ import annotations

from bulkmail.inbound.received import Refusal
from bulkmail.inbound.replies import FIXED, Replies


def test_replies_are_kept_in_order():
    replies = Replies()
    replies.say(250, "", "in.example.com", "SIZE 1", "8BITMIME")
    replies.refuse(Refusal(550, "5.1.1", "No such mailbox here"))
    replies.say(*FIXED[b"NOOP"])
    assert replies.take() == (
        b"250-in.example.com\r\n250-SIZE 1\r\n250 8BITMIME\r\n550 5.1.1 No such mailbox here\r\n250 2.0.0 Ok\r\n"
    )
    assert replies.take() == b""


def test_every_line_has_the_enhanced_code():
    replies = Replies()
    replies.say(550, "5.7.1", "one", "twö")
    assert replies.take() == b"550-5.7.1 one\r\n550 5.7.1 tw?\r\n"
