"""A whole spool from a folder into PostgreSQL, or back: `bulkmail spool copy`.

Ids stay what they are, so Message-IDs and tokens do too. Large tables are copied page by page in the order of their
keys, each page a transaction: a copy that was broken off goes on behind the last row that is there. It is sure to be of
one state: no process may have either spool in use, and figures of the source, read when the copy began, must be the
same at its end. Then the source says where it has gone, and cannot be sent from any more: two spools with the same
recipients would send every message twice. Until the end the target says that it is not whole, and cannot be used
either.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from bulkmail.mail import BulkmailError
from bulkmail.spool.address import is_shared, postgres, public
from bulkmail.spool.campaigns import SPOOL_KEY
from bulkmail.spool.contract import COPYING, MOVED, Statements
from bulkmail.spool.place import Lock, prepare
from bulkmail.spool.scrubbing import TO_SCRUB
from bulkmail.spool.sqlite.database import DATABASE, SQL, open_database

_PAGE = 5000
_CAMPAIGN = (
    "name, folder, state, key, digests, on_unknown, created_at, started_at, ended_at, exit_status, import_done, "
    "input_rows, possibly_doubled, report_position, list, kind"
)
_OUTCOME = "status, category, provider, attempts, first_attempt_at, completed_at, date, bytes, attempt_id, doubt, note"
_ATTEMPT = (
    "recipient_id, at, number, result, category, smtp_code, enhanced, reply, stage, mx_host, mx_ip, source_ip, tls, "
    "duration_ms, next_attempt_at, tls_policy"
)
_LARGE = (  # table, key, its other columns, rows a page
    ("campaign", "id", _CAMPAIGN, _PAGE),
    ("snapshot", "campaign_id", "content", 1),
    ("reading", "campaign_id", "state", 1),
    ("queue", "id", "campaign_id, domain, cursor, has_new, next_at, delivered, failed, deferred", _PAGE),
    ("recipient", "id", "queue_id, file_no, row_in_file, email, fields", _PAGE),
    ("due", "recipient_id", "queue_id, next_at, date", _PAGE),
    ("outcome", "recipient_id", _OUTCOME, _PAGE),
    ("attempt", "id", _ATTEMPT, _PAGE),
    ("late", "recipient_id", "late_at, unsubscribed_at, complained_at, lines, seen", _PAGE),
    ("gone", "recipient_id", "hash", _PAGE),
    ("bounce", "hash", "recipient_id, at, soft", _PAGE),
    ("event", "seq", "at, event, recipient_id, attempt_id, provider, category, site, note", _PAGE),
    ("suppression", "hash", "scope, reason, source, at, address", _PAGE),
)
_SMALL = (
    ("late_waiting", "recipient_id, at, status, category, attempt_id"),
    ("gone_campaign", "id, name, list, kind"),
    ("input_file", "campaign_id, no, name, columns"),
    ("site_facts", "site, fact, value, learned_at, expires_at"),
    ("receiver_policy", "domain, id, fetched_at, expires_at, policy"),
    ("hold", "campaign_id, provider, kind, reason, who, since, until"),
    ("held_time", "campaign_id, provider, began, ended"),
    ("cancel_request", "campaign_id, reason, who, since"),
    ("whole_report", "campaign_id"),
    ("click", "campaign_id, link, variant, label, people, scanners"),
)


class Side:
    """One of the two spools, with the same methods whichever database it is in."""

    def __init__(self, address: str, database: Any) -> None:
        self.shown = public(address)
        self.database: Statements = database
        self.shared = is_shared(address)
        self._database = database
        self._sql = postgres("database").SQL if self.shared else SQL

    def ask(self, name: str, values: Sequence[Any] = (), **parts: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query, the names in it filled in from ``parts``."""
        text = self._sql[name].format(**parts)
        connection = self._database.connection
        if self.shared:
            cursor = connection.execute(text.encode(), values or None)
            return cursor.fetchall() if cursor.description else []
        rows: list[tuple[Any, ...]] = connection.execute(text, values).fetchall()
        return rows

    def add(self, table: str, columns: str, rows: Sequence[Sequence[Any]]) -> None:
        """Store rows, within the transaction."""
        connection = self._database.connection
        if not self.shared:
            text = SQL["copy_add"].format(table=table, columns=columns, marks=", ".join("?" * (columns.count(",") + 1)))
            connection.executemany(text, rows)
            return
        text = self._sql["copy_add"].format(table=table, columns=columns)
        with connection.cursor() as cursor, cursor.copy(text.encode()) as copy:
            for row in rows:
                copy.write_row([_clean(value) for value in row])

    def meta(self, name: str) -> str:
        """Return what `meta` holds under ``name``; "" when nothing."""
        row = self.database.execute("meta", (name,)).fetchone()
        return "" if row is None else str(row[0])

    def print(self) -> str:
        """Return figures that change with every use of it."""
        return json.dumps(sorted(map(list, self.ask("copy_print")), key=str))


def copy_spool(source: str, target: str, progress: Callable[[str], None]) -> int:
    """Copy everything; return how many recipients the copy has. ``progress`` gets lines of text. Raises
    BulkmailError.
    """
    if os.path.realpath(source) == os.path.realpath(target):
        raise BulkmailError("a spool cannot be copied onto itself")
    if not is_shared(source) and not os.path.exists(os.path.join(source, DATABASE)):
        raise BulkmailError(f"{source} is not a spool; nothing was ever sent from it")
    with ExitStack() as stack:
        old, new = _open(source, stack), _open(target, stack)
        print_ = _begin(old, new)
        for table, key, columns, limit in _LARGE:
            _copy_large(old, new, table, key, f"{key}, {columns}", limit, progress)
        for table, columns in _SMALL:
            _replace(new, table, columns, old.ask("copy_all", table=table, columns=columns))
        totals = old.ask("copy_totals")
        if new.shared:
            columns = "campaign_id, provider, status, category, count, epoch"
            _replace(new, "total", columns, [(*row, 0) for row in totals])
            with new.database.transaction():
                new.ask("copy_numbers")
                new.ask("copy_sequences")
        else:
            _replace(new, "total", "campaign_id, provider, status, category, count", totals)
        if not old.print() == new.print() == print_:
            raise BulkmailError(f"{old.shown} was changed while it was copied; empty {new.shown}, and begin anew")
        if key := old.meta(SPOOL_KEY):
            with new.database.transaction():
                new.database.execute("set_meta", (SPOOL_KEY, key))
        with new.database.transaction():
            for name, value in old.ask("copy_winners"):
                new.database.execute("set_meta", (name, value))
        with old.database.transaction():
            old.database.execute("set_meta", (MOVED, new.shown))
        with new.database.transaction():
            if not new.shared:
                new.database.execute("set_meta", (TO_SCRUB, "1"))  # keys, which a shared spool has
            new.database.execute("drop_meta", (COPYING,))
        return sum(int(row[4]) for row in new.ask("copy_print") if row[0] == "campaign")


def _open(address: str, stack: ExitStack) -> Side:
    if is_shared(address):
        side = Side(address, postgres("database").open_database(address))
        stack.callback(side.database.close)
        if side.ask("copy_busy")[0][0]:
            raise BulkmailError(f"{side.shown} is in use by a machine; stop all of them first")
        return side
    prepare(address)
    stack.callback(Lock(address).release)
    side = Side(address, open_database(os.path.join(address, DATABASE)))
    stack.callback(side.database.close)
    return side


def _begin(old: Side, new: Side) -> str:
    """Mark the target as a copy that is not whole, or see that it is one of this source; the source's print."""
    found = old.print()
    if any(row[0] == "claim" and row[4] for row in json.loads(found)):
        raise BulkmailError(
            f"{old.shown} has messages that were being sent when it was stopped; start bulkmail on it, stop it with "
            "one signal, and copy it then"
        )
    moved, known = old.meta(MOVED), new.meta(COPYING)
    if moved not in ("", new.shown):
        raise BulkmailError(f"{old.shown} was copied to {moved} already; use that one")
    if known and json.loads(known) != [old.shown, found]:
        raise BulkmailError(
            f"{new.shown} is an unfinished copy of something else, or of an earlier state; empty it first"
        )
    if not known:
        if new.ask("copy_last", table="campaign", key="id")[0][0] is not None:
            raise BulkmailError(f"{new.shown} is not empty; copy into a new one")
        with new.database.transaction():
            new.database.execute("set_meta", (COPYING, json.dumps([old.shown, found])))
    return found


def _copy_large(
    old: Side, new: Side, table: str, key: str, columns: str, limit: int, progress: Callable[[str], None]
) -> None:
    after = new.ask("copy_last", table=table, key=key)[0][0]
    after = -1 if after is None else after
    copied = 0
    while rows := old.ask("copy_page", (after, after, limit), table=table, key=key, columns=columns):
        with new.database.transaction():
            new.add(table, columns, rows)
        after = rows[-1][0]
        copied += len(rows)
        if copied % (20 * _PAGE) == 0:
            progress(f"{table}: {copied:,} rows")
    progress(f"{table}: {copied:,} rows, done")


def _replace(new: Side, table: str, columns: str, rows: Sequence[Sequence[Any]]) -> None:
    with new.database.transaction():
        new.ask("copy_clear", table=table)
        new.add(table, columns, rows)


def _clean(value: Any) -> Any:
    return value.replace("\0", "␀") if isinstance(value, str) and "\0" in value else value
