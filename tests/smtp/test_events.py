from __future__ import annotations

import dataclasses

import pytest

from bulkmail.mail import Category, Fate, Outcome, Peer, Reply, Stage
from bulkmail.smtp import Closed, Ready, Settled, Transaction
from bulkmail.smtp.capabilities import NONE

PEER = Peer("mx.example", "192.0.2.1", "192.0.2.9", "TLSv1.3")


def test_a_settled_recipient_in_the_shape_of_all_rooms():
    reply = Reply(550, ("no",))
    settled = Settled(Transaction("", ("r@x.example",), b"\r\n"), 0, Fate.REFUSED, Stage.RCPT, reply)
    assert settled.outcome(PEER) == Outcome(Fate.REFUSED, Stage.RCPT, reply, peer=PEER)
    own = settled._replace(reply=None, note="too large", category=Category.TOO_LARGE, permanent=True)
    assert own.outcome() == Outcome(
        Fate.REFUSED, Stage.RCPT, None, "too large", category=Category.TOO_LARGE, permanent=True
    )


def test_a_close_before_mail_is_a_loss_at_its_stage():
    reply = Reply(554, ("go away",))
    closed = Closed(Stage.GREETING, reply, "refused: 554 go away")
    assert closed.outcome(PEER) == Outcome(Fate.LOST, Stage.GREETING, reply, "refused: 554 go away", PEER)
    assert Closed(None, None, "idle").outcome().stage is Stage.CONNECT


def test_events_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Ready(NONE).capabilities = NONE  # type: ignore[misc]
