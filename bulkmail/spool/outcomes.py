"""Outcomes on their way into the store: gathered, written together, kept until they are written.

They wait for 500 of their kind or a quarter of a second. When the store cannot take them (disk full, I/O error) they
stay, in order, and are tried again every five seconds, and before anything more is claimed (`tried`); their number is
bounded by what is claimed, and while they cannot be written nothing more is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from bulkmail.mail import OwnFault
from bulkmail.spool.contract import OutcomeStore
from bulkmail.spool.journal import Journal
from bulkmail.spool.rows import Settlement
from bulkmail.spool.writer import Reactor, Writer

_log = Logger("bulkmail")

GivenBack = tuple[int, float]
Item = Settlement | GivenBack
Entry = tuple[Item, Deferred[None] | None]

FLUSH_ROWS = 500
FLUSH_AFTER = 0.25
RETRY_AFTER = 5.0
_MOST_ROWS = 2000  # in one transaction, after an outage


class Outcomes:
    """The buffer in front of the store's `settle`. ``fault``: why it cannot be emptied just now, else None."""

    def __init__(
        self,
        store: OutcomeStore,
        journal: Journal,
        writer: Writer,
        reactor: Reactor,
        *,
        on_fault: Callable[[OwnFault | None], None] | None = None,
    ) -> None:
        self.fault: OwnFault | None = None
        self._store = store
        self._journal = journal
        self._writer = writer
        self._reactor = reactor
        self._on_fault = on_fault
        self._buffer: list[Entry] = []
        self._flying = 0
        self._timer: Any = None
        self._idle: list[Deferred[None]] = []
        self._trying: list[Deferred[None]] = []

    def __len__(self) -> int:
        return len(self._buffer) + self._flying

    def add(self, items: Sequence[Item]) -> Deferred[None]:
        """Take these; fires when they are durable, however long that takes."""
        done: Deferred[None] = Deferred()
        if not items:
            done.callback(None)
            return done
        if len(items) > 1:
            self._buffer.extend((item, None) for item in items[:-1])
        self._buffer.append((items[-1], done))
        self._plan()
        return done

    def note(self, item: Item) -> None:
        """Take this one, without a Deferred."""
        self._buffer.append((item, None))
        self._plan()

    def flushed(self) -> Deferred[None]:
        """Write at once; fires when nothing is left to write."""
        done: Deferred[None] = Deferred()
        self._idle.append(done)
        self._flush()
        return done

    def tried(self) -> Deferred[None]:
        """Try at once to write what a fault has kept; fires behind that, whether it was written or not (`fault`)."""
        done: Deferred[None] = Deferred()
        self._trying.append(done)
        self._flush()
        return done

    async def close(self) -> None:
        """Try once more to write everything. Raises OwnFault; what is left then is in the journal only."""
        while self._flying:
            await self._writer.call(lambda: None)
        self._stop_timer()
        while self._buffer:
            batch = self._take()
            self._settled(batch, await self._writer.call(self._job(batch)))
            self._stop_timer()

    def _plan(self) -> None:
        if self._flying or self.fault is not None:
            return
        if len(self._buffer) >= FLUSH_ROWS:
            self._flush()
        elif self._buffer and self._timer is None:
            self._timer = self._reactor.callLater(FLUSH_AFTER, self._flush)

    def _take(self) -> list[Entry]:
        batch, self._buffer = self._buffer[:_MOST_ROWS], self._buffer[_MOST_ROWS:]
        return batch

    def _job(self, batch: Sequence[Entry]) -> Callable[[], dict[int, Exception]]:
        return partial(settle_all, self._store, [item for item, _ in batch])

    def _flush(self) -> None:
        if self._flying:
            return
        self._stop_timer()
        batch = self._take()
        if not batch:
            self._tell_idle()
            self._tell_tried()
            return
        self._flying = len(batch)
        work = self._writer.call(self._job(batch))
        work.addCallbacks(partial(self._settled, batch), partial(self._not_settled, batch))
        work.addErrback(lambda failure: _log.failure("telling that outcomes are stored failed", failure))

    def _settled(self, batch: Sequence[Entry], wrong: dict[int, Exception]) -> None:
        self._flying = 0
        self._set_fault(None)
        self._journal.settled([item[0] for at, (item, _) in enumerate(batch) if at not in wrong])
        if self._idle and self._buffer:
            self._flush()
        else:
            self._plan()
        for at, error in wrong.items():
            _log.error("an outcome contradicts itself and was not stored: {error}", error=error, item=batch[at][0])
        for at, (_, done) in enumerate(batch):
            if done is not None:
                if at in wrong:
                    done.errback(wrong[at])
                else:
                    done.callback(None)
        self._tell_idle()
        self._tell_tried()

    def _not_settled(self, batch: list[Entry], failure: Failure) -> None:
        self._flying = 0
        self._buffer[:0] = batch
        error = failure.value
        self._stop_timer()
        self._timer = self._reactor.callLater(RETRY_AFTER, self._flush)
        self._set_fault(error if isinstance(error, OwnFault) else OwnFault(f"outcomes cannot be stored ({error})"))
        self._tell_tried()

    def _tell_idle(self) -> None:
        if not self._buffer and not self._flying and self._idle:
            waiting, self._idle = self._idle, []
            for done in waiting:
                done.callback(None)

    def _tell_tried(self) -> None:
        waiting, self._trying = self._trying, []
        for done in waiting:
            done.callback(None)

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _set_fault(self, fault: OwnFault | None) -> None:
        changed = (fault is None) != (self.fault is None)
        self.fault = fault
        if changed and self._on_fault is not None:
            self._on_fault(fault)


def settle_all(store: OutcomeStore, items: Sequence[Item]) -> dict[int, Exception]:
    """In the writer thread: store these; the ones wrong in themselves are left out and returned. Raises OwnFault."""
    try:
        _settle(store, items)
    except OwnFault:
        raise
    except Exception:  # noqa: BLE001 - one bad settlement must not keep the other 499 from being stored
        wrong: dict[int, Exception] = {}
        for at, item in enumerate(items):
            try:
                _settle(store, (item,))
            except OwnFault:
                raise
            except Exception as error:  # noqa: BLE001 - it goes to its own caller
                wrong[at] = error
        return wrong
    return {}


def _settle(store: OutcomeStore, items: Sequence[Item]) -> None:
    settlements = [item for item in items if isinstance(item, Settlement)]
    store.settle(settlements, [item for item in items if not isinstance(item, Settlement)])
