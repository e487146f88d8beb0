"""Which timeout of the settings runs on a connection, and what is said when it passes."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from bulkmail.net.deadline import Deadline
from bulkmail.net.interfaces import Timeouts
from bulkmail.net.tls import Handshake
from bulkmail.smtp import Phase, Session

# What did not happen in time, by the name of the timeout.
_LATE = {
    "greeting": "no greeting",
    "ehlo": "no answer to EHLO",
    "starttls": "no answer to STARTTLS",
    "auth": "no answer to AUTH",
    "mail": "no answer to MAIL",
    "rcpt": "no answer to RCPT",
    "data": "no answer to DATA",
    "body": "the server took nothing of the message",
    "dot": "no answer to the final dot",
    "quit": "no answer to QUIT",
}
# Seconds for a large TLS hello to be answered; then a small one is tried, with the patience of the settings.
_LARGE_HELLO = 5.0


def _ignore(words: str) -> None:
    """Stand in for ``late`` once the deadline is cancelled."""


class Patience:
    """Keeps the deadline of one session. ``late`` is called once it passes, with what did not happen, in words."""

    __slots__ = ("_answered", "_deadline", "_handshake", "_late", "_session", "_timeouts", "_turn", "_waiting")

    def __init__(
        self,
        reactor: IReactorTime,
        clock: Callable[[], float],
        session: Session,
        *,
        timeouts: Timeouts,
        handshake: Handshake,
        late: Callable[[str], None],
    ) -> None:
        self._session = session
        self._timeouts = timeouts
        self._handshake = handshake
        self._late = late
        self._deadline = Deadline(reactor, clock, self._expired)
        self._turn = -1
        self._waiting = ""  # the name of the timeout that runs
        self._answered = False  # the server was late to answer a large hello, but it did

    def watch(self, *, streaming: bool) -> None:
        """Start the deadline anew if the session waits for something else now; ``streaming``: for a body to leave."""
        turn = self._session.turn
        if turn == self._turn:
            return
        self._turn = turn
        patience = "body" if streaming else self._session.patience
        if patience is None:
            self._deadline.stop()
        else:
            self._waiting = patience
            self._deadline.start(self._seconds if patience == "starttls" else getattr(self._timeouts, patience))

    def restart(self, *, streaming: bool) -> None:
        """Start the deadline anew in any case: the peer took a piece of the message."""
        self._turn = -1
        self.watch(streaming=streaming)

    def wait_for_last_words(self) -> None:
        """Give what was written last the time of QUIT to leave."""
        self._waiting = "quit"
        self._deadline.start(self._timeouts.quit)

    def cancel(self) -> None:
        """Stop for good, and let go of ``late``: else its owner and this hold each other until a garbage collection."""
        self._deadline.cancel()
        self._late = _ignore

    @property
    def _seconds(self) -> float:
        seconds: float = getattr(self._timeouts, self._waiting)
        hello = self._session.phase is Phase.HANDSHAKE and self._handshake.large and not self._answered
        return min(seconds, _LARGE_HELLO) if hello else seconds

    def _expired(self) -> None:
        seconds = self._seconds
        if self._session.phase is not Phase.HANDSHAKE:
            self._late(f"{_LATE[self._waiting]} within {seconds:g} s")
            return
        whole = getattr(self._timeouts, self._waiting)
        if seconds < whole and not self._handshake.unanswered:
            self._answered = True  # what is under way has the patience of the settings
            self._deadline.start(whole - seconds)
        else:
            self._late(f"no TLS handshake within {seconds:g} s")
