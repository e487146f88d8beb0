"""Which timeout runs, from when on, and what is said when it passes; seen through a session and a clock."""

from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace

import pytest
from twisted.internet.task import Clock

from bulkmail.net.patience import _LATE, Patience
from bulkmail.smtp import Session, Transaction
from bulkmail.smtp.table import SLOTS


class Waiting:
    """A session on a line of its own, and what is said when it is late."""

    def __init__(self, kit, *, tls: str = "off", large: bool = False, implicit_tls: bool = False, **timeouts) -> None:
        self.clock = Clock()
        self.session = Session(hostname="me.example", tls=tls, implicit_tls=implicit_tls)
        self.handshake = SimpleNamespace(large=large, unanswered=True)
        self.said: list[str] = []
        self.patience = Patience(
            self.clock,
            self.clock.seconds,
            self.session,
            timeouts=kit.timeouts(**timeouts),
            handshake=self.handshake,
            late=self.said.append,
        )
        self.patience.watch(streaming=False)

    def hear(self, *lines: str) -> None:
        for line in lines:
            self.session.take_output()
            self.session.receive(line.encode() + b"\r\n")
        self.session.take_output()
        self.patience.watch(streaming=False)

    def late_after(self, seconds: float) -> str:
        """Wait just less, then just as long: what is said then, once."""
        self.clock.advance(seconds - 0.001)
        assert self.said == []
        self.clock.advance(0.002)
        assert len(self.said) == 1
        return self.said.pop()


def test_every_wait_has_its_words():
    assert set(_LATE) == {facts.patience for facts in SLOTS.values()} | {"body"}


def test_each_turn_has_its_own_timeout(kit):
    waiting = Waiting(kit, greeting=7, ehlo=8)
    assert waiting.late_after(7) == "no greeting within 7 s"
    waiting = Waiting(kit, greeting=7, ehlo=8)
    waiting.clock.advance(6.9)
    waiting.hear("220 mx")
    assert waiting.late_after(8) == "no answer to EHLO within 8 s"


def test_nothing_runs_while_nothing_is_waited_for(kit):
    waiting = Waiting(kit)
    waiting.hear("220 mx", "250 mx")
    assert waiting.session.ready
    waiting.clock.advance(1e6)
    assert waiting.said == []


def test_the_deadline_is_for_the_whole_reply(kit):
    waiting = Waiting(kit, greeting=7)
    waiting.clock.advance(6)
    waiting.session.receive(b"220-")
    waiting.patience.watch(streaming=False)
    assert waiting.late_after(1) == "no greeting within 7 s"


def test_each_piece_of_a_body_that_leaves_starts_it_anew(kit):
    waiting = Waiting(kit, body=9)
    waiting.hear("220 mx", "250 mx")
    waiting.session.submit(Transaction("", ("r@you.example",), b"x\r\n"))
    waiting.patience.watch(streaming=True)
    waiting.clock.advance(8)
    waiting.patience.watch(streaming=True)
    waiting.patience.restart(streaming=True)
    assert waiting.late_after(9) == "the server took nothing of the message within 9 s"


def test_last_words_have_the_time_of_quit(kit):
    waiting = Waiting(kit, greeting=60, quit=3)
    waiting.session.abandon("why")
    waiting.patience.wait_for_last_words()
    assert waiting.late_after(3) == "no answer to QUIT within 3 s"


@pytest.mark.parametrize(
    ("large", "starttls", "seconds"), [(True, 30, 5), (True, 4, 4), (False, 30, 30)], ids=["large", "less", "small"]
)
def test_a_large_hello_that_goes_unanswered_is_given_up_soon(kit, large, starttls, seconds):
    waiting = Waiting(kit, tls="required", implicit_tls=True, large=large, starttls=starttls)
    assert waiting.late_after(seconds) == f"no TLS handshake within {seconds} s"


def test_a_handshake_that_has_begun_has_the_patience_of_the_settings(kit):
    waiting = Waiting(kit, tls="required", implicit_tls=True, large=True, starttls=30)
    waiting.handshake.unanswered = False
    waiting.clock.advance(5)
    assert waiting.said == []
    assert waiting.late_after(25) == "no TLS handshake within 30 s"


class Owner:
    """What a connection is to its `Patience`: each knows the other."""

    def __init__(self, kit, waiting: Waiting) -> None:
        self.patience = Patience(
            waiting.clock,
            waiting.clock.seconds,
            waiting.session,
            timeouts=kit.timeouts(),
            handshake=waiting.handshake,
            late=self.late,
        )
        self.patience.watch(streaming=False)

    def late(self, words: str) -> None:
        raise AssertionError(words)


def test_once_cancelled_it_calls_and_holds_its_owner_no_more(kit):
    waiting = Waiting(kit)
    waiting.patience.cancel()
    gc.disable()
    try:
        owner = Owner(kit, waiting)
        owner.patience.cancel()
        gone = weakref.ref(owner)
        del owner
        assert gone() is None
    finally:
        gc.enable()
    assert waiting.clock.getDelayedCalls() == []
    waiting.clock.advance(1e6)
    assert waiting.said == []
