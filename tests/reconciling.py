"""Input = report = what the receivers stored: the accounts of one campaign, whatever happened to it on its way.

For tests and benches: standing beside the program, it believes the input, tests/receiver.py's record and the spool's
file, and checks the report against them. The part of an address before the ``-`` says what had to become of it.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

EXPECTED = {
    "user": "delivered",
    "later": "delivered",
    "vanish": "delivered",
    "drop": "delivered",
    "silent": "delivered",
    "bounce": "bounced",
    "reject": "blocked",
    "gone": "suppressed",
    "odd": "invalid",
}
EXPECTED_OF_SENT = ("delivered", "blocked", "bounced")  # what a row may not come to know that is never tried again
TRIED = ("delivered", "failed", "deferred", "unknown")  # and not what came back later
MOST_COPIES = 3  # `retry.unknown_attempts`
INTERRUPTED = "the mailer was interrupted before it read the reply"


@dataclass
class Accounts:
    """What was found. ``wrong`` must be all zeros; ``seen`` tells how much there was to find."""

    seen: dict[str, Any] = field(default_factory=dict)
    wrong: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    interrupted: list[float] = field(default_factory=list)  # when a start found a dot without its reply

    @property
    def fine(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self.wrong.values())

    def note(self, what: str, whom: Iterable[str]) -> None:
        """Count these under ``what``; the first few are named."""
        found = [str(one) for one in whom]
        self.wrong[what] = len(found)
        if found:
            self.examples[what] = found[:5]


def expected(address: str) -> str:
    """What must become of an address."""
    return EXPECTED[address.partition("-")[0]]


def table(path: Path) -> tuple[list[dict[str, str]], int]:
    """The rows of a CSV file of the report, and how many of its lines are torn."""
    text = path.read_bytes().decode("utf-8-sig", "replace")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    whole = [row for row in rows if None not in row and None not in row.values()]
    return whole, len(rows) - len(whole) + (not text.endswith("\r\n"))


def stored_attempts(spool: Path) -> Counter[tuple[int, int, str]]:
    """(row, attempt, result) of every attempt in the spool's file, which holds one campaign."""
    with contextlib.closing(sqlite3.connect(f"file:{spool / 'spool.sqlite3'}?mode=ro", uri=True)) as store:
        rows = store.execute("SELECT recipient_id & ((1 << 40) - 1), number, result FROM attempt").fetchall()
    return Counter(rows)


def reconcile(
    addresses: list[str], report: Path, spool: Path, record: Path, *, keep: bool = False, cancelled: bool = False
) -> Accounts:
    """The accounts of a campaign that has ended; ``keep``: it ran with ``on_unknown: keep``; ``cancelled``: it was."""
    accounts = Accounts()
    rows, torn_rows = table(report / "recipients.csv")
    attempts, torn_attempts = table(report / "attempts.csv")
    received: dict[str, list[Mapping[str, Any]]] = {}
    for line in record.read_text("ascii").splitlines():
        one = json.loads(line)
        received.setdefault(one["to"], []).append(one)
    unknown = Counter(attempt["email"] for attempt in attempts if attempt["result"] == "unknown")

    first: dict[str, dict[str, str]] = {}
    wrong, unfinished = [], []
    for address, row in zip(addresses, rows, strict=False):
        want = expected(address) if address not in first else "duplicate"
        first.setdefault(address, row)
        if row["status"] in ("pending", "deferred"):
            unfinished.append(address)
        elif row["status"] != want and not (
            want in EXPECTED_OF_SENT
            and (
                (row["status"] == "unknown" and (keep or unknown[address] >= (1 if cancelled else MOST_COPIES)))
                or (row["status"] == "cancelled" and cancelled and not unknown[address])
            )
        ):
            wrong.append(f"{address}: {row['status']} for {want}")
    numbers = Counter(row["row"] for row in rows)
    accounts.note("rows missing", (str(n + 1) for n in range(len(addresses)) if not numbers[str(n + 1)]))
    accounts.note("rows twice", (n for n, count in numbers.items() if count > 1))
    accounts.note("rows out of order", _differing([row["email"] for row in rows], addresses))
    accounts.note("torn lines", ["recipients.csv"] * torn_rows + ["attempts.csv"] * torn_attempts)
    accounts.note("not final", unfinished)
    accounts.note("another status than the receiver gave", wrong)
    accounts.note(
        "lost",
        (
            address
            for address, row in first.items()
            if expected(address) == "delivered"
            and address not in received
            and row["status"] not in ("unknown", *["cancelled"] * cancelled)
        ),
    )
    accounts.note("delivered and not received", (one for one in _of(first, "delivered") if one not in received))
    accounts.note(
        "received and never asked for",
        (one for one in received if first.get(one, {}).get("status") not in ("delivered", "unknown")),
    )
    accounts.note(
        "doubles without a lost reply",
        (one for one, copies in received.items() if len(copies) > 1 + (0 if keep else unknown[one])),
    )
    accounts.note("copies too many", (one for one, copies in received.items() if len(copies) > MOST_COPIES))
    accounts.note(
        "doubles that differ",
        (one for one, copies in received.items() if len({(c["message_id"], c["digest"]) for c in copies}) > 1),
    )
    accounts.note(
        "Message-IDs that the report does not know",
        (one for one, copies in received.items() if copies[0]["message_id"] != first[one]["message_id"]),
    )
    told = Counter((int(a["row"]), int(a["attempt"]), a["result"]) for a in attempts)
    stored = stored_attempts(spool)
    accounts.note("attempts in the file and not in the spool", (str(one) for one in (told - stored).elements()))
    accounts.note("attempts in the spool and not in the file", (str(one) for one in (stored - told).elements()))
    lines = Counter(a["row"] for a in attempts if a["result"] in TRIED)
    accounts.note(
        "rows whose attempts do not add up",
        (row["row"] for row in rows if lines[row["row"]] != int(row["attempts"] or 0)),
    )
    summary = json.loads((report / "summary.json").read_text("utf-8"))
    statuses = Counter(row["status"] for row in rows)
    counted = {status: count for status, count in summary["by_status"].items() if count}
    accounts.note("statuses that the summary counts otherwise", (one for one in {*statuses, *counted}
                  if statuses[one] != counted.get(one, 0)))  # fmt: skip
    accounts.interrupted = [datetime.fromisoformat(a["at"]).timestamp() for a in attempts if a["reply"] == INTERRUPTED]
    accounts.seen = {
        "input rows": len(addresses),
        "report rows": len(rows),
        "statuses": dict(statuses),
        "messages received": sum(map(len, received.values())),
        "recipients reached": len(received),
        "attempts": len(attempts),
        "ambiguous attempts": unknown.total(),
        "ambiguous for an interruption": len(accounts.interrupted),
        "copies too many": sum(len(copies) - 1 for copies in received.values()),
    }
    return accounts


def _of(rows: Mapping[str, Mapping[str, str]], status: str) -> Iterable[str]:
    return (address for address, row in rows.items() if row["status"] == status)


def _differing(ours: list[str], theirs: list[str]) -> list[str]:
    return [f"{a} for {b}" for a, b in zip(ours, theirs, strict=False) if a != b]
