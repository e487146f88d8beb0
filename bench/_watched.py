"""twistd, with a line for each message that comes back composed and for each suppression that is acknowledged.

The first argument is the file of the lines; the others are twistd's. Both are written by the event loop, so their order
is that in which the service knew of them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any

from twisted.scripts.twistd import run

from bulkmail.delivery.message import Message
from bulkmail.delivery.queueing.gate import Gate
from bulkmail.spool import Arrival, Recorded, Spool, Suppression

OUT = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def _write(what: str, address: str | None) -> None:
    os.write(OUT, f"{what} {address}\n".encode())


def watch() -> None:
    """Have both tell of themselves."""
    composed: Any = Gate.composed
    suppress: Any = Spool.suppress
    record: Any = Spool.record_late

    def told(gate: Gate, message: Message) -> None:
        _write("composed", message.claimed.email)
        composed(gate, message)

    def acknowledged(spool: Spool, entries: Iterable[Suppression], *, hashed: bool) -> Any:
        whom = list(entries)

        def tell(changed: int) -> int:
            for entry in whom:
                _write("suppressed", entry.address)
            return changed

        return suppress(spool, whom, hashed=hashed).addCallback(tell)

    def came_back(spool: Spool, arrival: Arrival) -> Any:
        def tell(recorded: Recorded) -> Recorded:
            if recorded.found is not None and recorded.suppressed:
                _write("suppressed", recorded.found.address)
            return recorded

        return record(spool, arrival).addCallback(tell)

    gate: Any = Gate
    spool: Any = Spool
    gate.composed, spool.suppress, spool.record_late = told, acknowledged, came_back


watch()
run()  # type: ignore[no-untyped-call]
