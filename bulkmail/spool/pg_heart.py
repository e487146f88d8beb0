"""A machine's heartbeat, and its ear: one thread with a connection of its own.

A beat prolongs the machine's life on the database's clock, declares over those that have been silent for longer than
their lease, and tells who is alive. Between two beats it listens: what others commit is heard at once, nobody polls.

``valid_until`` is this machine's own view of its leases, on its monotonic clock: a quarter of the lease before the
database's view can run out, counted from before the beat was sent. After that no dot leaves (`Leases.valid`). A process
that was frozen sees at its first look at the clock that its time is over, whatever others have done meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import psycopg
from psycopg import sql

from bulkmail.spool.pg_database import SQL, connect, words
from bulkmail.spool.writer import Reactor

_MARGIN = 0.25
_BEATS = 6  # in the time of a lease
_LONGEST = 1.0
_AGAIN = 0.5


class Beat(NamedTuple):
    """What one beat brought. ``over``: others have declared this life over. ``fault``: the database was not there."""

    members: tuple[int, ...] = ()
    ended: tuple[str, ...] = ()
    over: bool = False
    fault: str = ""


class Heart:
    """Beats from `start` until `stop`. ``beat`` and ``heard`` are called in the reactor's thread."""

    def __init__(
        self,
        dsn: str,
        *,
        epoch: int,
        lease: float,
        reactor: Reactor,
        monotonic: Callable[[], float],
        beat: Callable[[Beat], None],
        heard: Callable[[str], None],
    ) -> None:
        self.valid_until = 0.0
        self._dsn = dsn
        self._epoch = epoch
        self._lease = lease
        self._reactor = reactor
        self._monotonic = monotonic
        self._beat = beat
        self._heard = heard
        self._stopped = threading.Event()
        self._pause = min(_LONGEST, lease / _BEATS)
        self._thread = threading.Thread(target=self._run, name="bulkmail-heart", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Beat no more; what is on its way is not told any more."""
        self._stopped.set()

    def _say(self, function: Callable[[Any], None], what: Any) -> None:
        if not self._stopped.is_set():
            self._reactor.callFromThread(self._tell, function, what)

    def _tell(self, function: Callable[[Any], None], what: Any) -> None:
        if not self._stopped.is_set():
            function(what)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                with connect(self._dsn) as connection:
                    self._listen(connection)
                    while not self._stopped.is_set():
                        if not self.beat_once(connection):
                            return
                        for notify in connection.notifies(timeout=self._pause):
                            self._say(self._heard, notify.payload)
            except Exception as error:  # noqa: BLE001 - without a heart nothing is ever sent again, and nobody knows why
                self._say(self._beat, Beat(fault=words(error)))
                self._stopped.wait(_AGAIN)

    def _listen(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        row = connection.execute(SQL["channel"].encode()).fetchone()
        assert row is not None
        listen = sql.SQL(cast("Any", SQL["listen"])).format(channel=sql.Identifier(row[0]))
        connection.execute(listen)
        self._say(self._heard, "")  # whatever was said while nobody listened

    def beat_once(self, connection: psycopg.Connection[tuple[Any, ...]]) -> bool:
        """One beat; False when this life is over."""
        sent = self._monotonic()
        row = connection.execute(SQL["heartbeat"].encode(), (self._epoch,)).fetchone()
        if row is None:
            self.valid_until = 0.0
            self._say(self._beat, Beat(over=True))
            return False
        self.valid_until = sent + self._lease * (1 - _MARGIN)
        ended = connection.execute(SQL["end_silent"].encode()).fetchall() if row[0] else []
        members = connection.execute(SQL["live_machines"].encode()).fetchall()
        self._say(self._beat, Beat(tuple(epoch for epoch, _ in members), tuple(name for _, name in ended)))
        return True
