"""A machine's heartbeat, and the notifications of the others: one thread with a connection of its own.

A beat prolongs the machine's lease on the database's clock, ends incarnations that have been silent for longer than
theirs, and reads which machines are alive. Between two beats it waits for notifications, so that what others commit is
known at once and without polling.

``valid_until`` is this machine's own view of its leases, on its monotonic clock in seconds: a quarter of the lease
before the database's view can run out, counted from before the beat was sent. After that no final dot leaves
(`Leases.valid`). A process that was frozen sees at its first look at the clock that its time is over, whatever others
have done meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, cast

import psycopg
from psycopg import sql

from bulkmail.spool.postgres.database import SQL, connect, words
from bulkmail.spool.postgres.leases import HeartbeatResult
from bulkmail.spool.writer import Reactor

_MARGIN = 0.25
_BEATS = 6  # in the seconds of a lease
_LONGEST = 1.0
_AGAIN = 0.5


class Heartbeat:
    """Beats from `start` until `stop`. ``beat`` and ``notified`` are called in the reactor's thread.

    ``lease``: seconds. ``beat``: gets the result of each beat; ``notified``: what another machine, or this one, has
    committed (`database.ROWS`, `STATES`, `SITES`, or "" where something may have been missed).
    """

    def __init__(
        self,
        dsn: str,
        *,
        epoch: int,
        lease: float,
        reactor: Reactor,
        monotonic: Callable[[], float],
        beat: Callable[[HeartbeatResult], None],
        notified: Callable[[str], None],
    ) -> None:
        self.valid_until = 0.0
        self._dsn = dsn
        self._epoch = epoch
        self._lease = lease
        self._reactor = reactor
        self._monotonic = monotonic
        self._beat = beat
        self._notified = notified
        self._stopped = threading.Event()
        self._pause = min(_LONGEST, lease / _BEATS)
        self._thread = threading.Thread(target=self._run, name="bulkmail-heartbeat", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop beating; results under way are not delivered any more."""
        self._stopped.set()

    def _report(self, function: Callable[[Any], None], what: Any) -> None:
        if not self._stopped.is_set():
            self._reactor.callFromThread(self._deliver, function, what)

    def _deliver(self, function: Callable[[Any], None], what: Any) -> None:
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
                            self._report(self._notified, notify.payload)
            except Exception as error:  # noqa: BLE001 - if this thread ended, nothing would be sent any more
                self._report(self._beat, HeartbeatResult(fault=words(error)))
                self._stopped.wait(_AGAIN)

    def _listen(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        row = connection.execute(SQL["channel"].encode()).fetchone()
        assert row is not None
        listen = sql.SQL(cast("Any", SQL["listen"])).format(channel=sql.Identifier(row[0]))
        connection.execute(listen)
        self._report(self._notified, "")  # what was committed while there was no connection

    def beat_once(self, connection: psycopg.Connection[tuple[Any, ...]]) -> bool:
        """Beat once; return False when this incarnation is over."""
        sent = self._monotonic()
        row = connection.execute(SQL["heartbeat"].encode(), (self._epoch,)).fetchone()
        if row is None:
            self.valid_until = 0.0
            self._report(self._beat, HeartbeatResult(over=True))
            return False
        self.valid_until = sent + self._lease * (1 - _MARGIN)
        ended = connection.execute(SQL["end_silent"].encode()).fetchall() if row[0] else []
        members = connection.execute(SQL["live_machines"].encode()).fetchall()
        self._report(
            self._beat, HeartbeatResult(tuple(epoch for epoch, _ in members), tuple(name for _, name in ended))
        )
        return True
