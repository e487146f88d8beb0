"""Faults on purpose: named instants at which a test makes the process die, fail or wait. Off unless asked for.

``BULKMAIL_FAILPOINTS="after-claim:kill;journal-write:enospc@3+"``: parts separated by ``;``, each
``name[=detail]:action[@hit]``. Actions: ``kill`` (SIGKILL for this process), ``kill-group`` (for its process group:
the mailer and its workers), ``abort``, ``eio`` and ``enospc`` (raised where the system would), ``sleep=SECONDS``.
``@3``: at the third time only; ``@3+``: from then on; without it each time. ``detail`` narrows a point to one file or
one address.

Every process of the mailer reads the variable for itself and counts for itself. What does not parse ends the process:
a test whose fault never happens proves nothing.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

VARIABLE = "BULKMAIL_FAILPOINTS"
POINTS = {
    "mid-import": "rows are written, not committed",
    "after-import": "rows are committed",
    "mid-claim": "a claim is written, not committed",
    "after-claim": "a claim is committed, its rows not handed out",
    "compose": "a row is about to be composed; detail: its address",
    "before-dot": "a final dot is about to be journalled",
    "journal-write": "the journal is about to be written",
    "after-dot": "the journal has the dot, the wire has not",
    "after-write": "the socket has taken what was to be said",
    "before-reply": "the reply was read and is not journalled",
    "after-reply": "the journal has the reply, the spool has not",
    "mid-settle": "outcomes are written, not committed",
    "after-settle": "outcomes are committed, the journal still has them",
    "mid-try": "rows that wait are due now, not committed",
    "mid-late": "what came back is written, not committed",
    "after-late": "what came back is committed, and its sender has no answer yet",
    "mid-report": "a part of recipients.csv is written",
    "before-rename": "a file of the report is written and not in its place; detail: its name",
    "after-append": "attempts.csv has grown, its position is not returned yet",
    "before-position": "attempts.csv has grown, the spool does not know",
    "stopping": "the stop has begun, messages are in flight",
    "closing": "everything has ended, the spool is about to be closed",
    "mid-recovery": "what a start found is written, not committed",
    "inbound-written": "a message that came in is written and synced, not in its place",
    "inbound-renamed": "a message that came in is in its place, which is not synced",
    "after-recovery": "what a start found is committed, the old journal is still there",
}


@dataclass(slots=True)
class Fault:
    """What happens at a point, from which hit on and until which."""

    action: str
    seconds: float
    first: int
    last: float
    hits: int = 0


def parse(text: str) -> dict[str, Fault]:
    """Point, or point=detail, to its fault. Raises ValueError."""
    faults: dict[str, Fault] = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        where, _, what = part.rpartition(":")
        if where.partition("=")[0] not in POINTS:
            raise ValueError(f"{part!r}: no such failpoint; there are {', '.join(POINTS)}")
        what, _, hit = what.partition("@")
        action, _, seconds = what.partition("=")
        if action not in _ACTIONS or (action == "sleep") != bool(seconds):
            raise ValueError(f"{part!r}: no such action; there are {', '.join(_ACTIONS)} (sleep=SECONDS)")
        first = int(hit.rstrip("+") or 1)
        faults[where] = Fault(action, float(seconds or 0), first, first if hit.isdigit() else float("inf"))
    return faults


def failpoint(name: str, detail: str = "") -> None:
    """Do what a test asked for at the instant ``name``: nothing, exit, wait, or raise OSError."""
    if armed:
        _hit(name, detail)


def _hit(name: str, detail: str) -> None:
    for where in (name, f"{name}={detail}"):
        fault = armed.get(where)
        if fault is not None:
            fault.hits += 1
            if fault.first <= fault.hits <= fault.last:
                _ACTIONS[fault.action](fault)


def _fail(number: int) -> None:
    raise OSError(number, os.strerror(number))


_ACTIONS: dict[str, Callable[[Fault], object]] = {
    "kill": lambda _: os.kill(os.getpid(), signal.SIGKILL),
    "kill-group": lambda _: os.killpg(os.getpgrp(), signal.SIGKILL),
    "abort": lambda _: os.abort(),
    "eio": lambda _: _fail(errno.EIO),
    "enospc": lambda _: _fail(errno.ENOSPC),
    "sleep": lambda fault: time.sleep(fault.seconds),
}

try:
    armed = parse(os.environ.get(VARIABLE, ""))
except ValueError as error:
    raise SystemExit(f"{VARIABLE}: {error}") from None
