"""Campaigns in the store: made once, changed on purpose."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from bulkmail.mail import AddressError, address_hash, address_in, campaign_key, new_key
from bulkmail.spool.clicks import name_links
from bulkmail.spool.contract import Statements, Tables
from bulkmail.spool.events import Events
from bulkmail.spool.rows import CampaignRow, StoredPlan, id_range
from bulkmail.spool.scopes import Audience, Kind
from bulkmail.spool.stored import restore, store, without_keys

READY = "ready"
RUNNING = "running"
CANCELLING, CANCELLED, REMOVING = "cancelling", "cancelled", "removing"
ENDED = frozenset({"finished", CANCELLED})
SPOOL_KEY = "token key"
"""The name in `meta` of the key that all tokens of a spool are made with, in hexadecimal."""

_CHUNK = 10_000
_FEW = 100  # attempts
_OUT_OF_ORDER = 3600.0  # seconds
_REMOVED_IN_PARTS = (
    "remove_due",
    "remove_attempts",
    "remove_late",
    "remove_late_waiting",
    "remove_outcomes",
    "remove_recipients",
)
_REMOVED_AT_ONCE = (
    "remove_queues",
    "remove_totals",
    "remove_reading",
    "remove_snapshot",
    "drop_input_files",
    "remove_holds",
    "drop_held_times",
    "remove_cancel_request",
    "remove_whole_report",
    "remove_plan",
    "remove_clicks",
    "remove_winner",
    "drop_accept_request",
)


def campaign_row(row: Sequence[Any]) -> CampaignRow:
    """Return a row of the `campaigns` queries, its JSON read."""
    identity, name, folder, state, key, digests, on_unknown, *times = row
    created, started, ended, exit_status, import_done, input_rows, doubled, position, list_, kind = times
    return CampaignRow(
        id=identity,
        name=name,
        folder=folder,
        state=state,
        key=key,
        digests=json.loads(digests),
        on_unknown=on_unknown,
        created_at=created,
        started_at=started,
        ended_at=ended,
        exit_status=exit_status,
        import_done=bool(import_done),
        input_rows=input_rows,
        possibly_doubled=doubled,
        report_position=None if position is None else json.loads(position),
        list=list_,
        kind=kind,
    )


def read_input_files(database: Statements, campaign_id: int) -> list[tuple[int, str, list[str]]]:
    """Within a transaction: return a campaign's input files: (number from 0, name, columns)."""
    rows = database.execute("input_files", (campaign_id,)).fetchall()
    return [(no, name, json.loads(columns)) for no, name, columns in rows]


def read_plan(database: Statements, campaign_id: int) -> StoredPlan | None:
    """Within a transaction: return what was planned of a campaign, None where nothing was."""
    row = database.execute("plan", (campaign_id,)).fetchone()
    return None if row is None else StoredPlan(*json.loads(row[0]))


def spool_key(database: Statements) -> bytes:
    """Within a transaction: return the key of a spool's tokens and hashes, made at the first call."""
    database.execute("keep_meta", (SPOOL_KEY, new_key().hex()))
    return bytes.fromhex(database.execute("meta", (SPOOL_KEY,)).fetchone()[0])


class Campaigns(Events):
    """The part of a store that knows campaigns, the same in every database; see `contract.CampaignStore`."""

    _db: Statements
    _tables: Tables

    def create_campaign(
        self,
        name: str,
        folder: str,
        *,
        content: dict[str, Any],
        digests: dict[str, str],
        files: Iterable[tuple[str, Sequence[str]]],
        now: float,
        on_unknown: str = "retry",
        key: bytes = b"",
        list: str = "",  # noqa: A002 - the word of campaign.yaml
        kind: Kind = "marketing",
    ) -> CampaignRow:
        """Make a campaign; see `contract.CampaignStore.create_campaign`."""
        values = (name, folder, READY, key, json.dumps(digests), on_unknown, now, list or name, kind)
        with self._db.transaction():
            identity: int = self._db.execute("create_campaign", values).fetchone()[0]
            if not key:
                key = campaign_key(spool_key(self._db), identity)
                content = {**content, "key": key}
                self._db.execute("set_campaign_key", (key, identity))
            self._db.execute("set_snapshot", (identity, self._content_stored(content)))
            self._set_files(identity, files)
            name_links(self._db, identity, content)
            return campaign_row(self._db.execute("campaign_by_name", (name,)).fetchone())

    def campaign(self, name: str) -> CampaignRow | None:
        """Return the campaign called ``name``."""
        with self._db.transaction("begin_reading"):
            row = self._db.execute("campaign_by_name", (name,)).fetchone()
        return None if row is None else campaign_row(row)

    def campaigns(self) -> list[CampaignRow]:
        """Return all campaigns, oldest first."""
        with self._db.transaction("begin_reading"):
            return [campaign_row(row) for row in self._db.execute("campaigns").fetchall()]

    def content(self, campaign_id: int) -> dict[str, Any]:
        """Return the snapshot of everything that enters its messages. Raises LookupError."""
        with self._db.transaction("begin_reading"):
            row = self._db.execute("snapshot", (campaign_id,)).fetchone()
        if row is None:
            raise LookupError(f"the spool has no campaign {campaign_id}")
        content: dict[str, Any] = restore(row[0])
        return content

    def input_files(self, campaign_id: int) -> list[tuple[int, str, list[str]]]:
        """Return its input files: (number from 0, name, columns)."""
        with self._db.transaction("begin_reading"):
            return read_input_files(self._db, campaign_id)

    def import_state(self, campaign_id: int) -> Any:
        """Return where reading its input stands; see `contract.CampaignStore.import_state`."""
        with self._db.transaction("begin_reading"):
            row = self._db.execute("reading", (campaign_id,)).fetchone()
        return None if row is None else restore(row[0])

    def update_content(
        self,
        campaign_id: int,
        content: dict[str, Any],
        digests: dict[str, str],
        files: Iterable[tuple[str, Sequence[str]]],
        *,
        on_unknown: str = "retry",
        audience: Audience | None = None,
    ) -> None:
        """Take a changed folder for the rows not yet sent (--accept-changes); key and rows stay."""
        with self._db.transaction():
            self._db.execute("set_snapshot", (campaign_id, self._content_stored(content)))
            of_list, kind = (audience.list, audience.kind) if audience else (None, None)
            self._db.execute("set_digests", (json.dumps(digests), on_unknown, of_list, kind, campaign_id))
            self._db.execute("drop_input_files", (campaign_id,))
            self._set_files(campaign_id, files)
            name_links(self._db, campaign_id, content)

    def _content_stored(self, content: dict[str, Any]) -> bytes:
        return store(content if self._tables.keeps_keys else without_keys(content))

    def _drop_keys(self, campaign_id: int) -> None:
        """Within the transaction: leave only the fingerprints of the keys, for no machine signs for it any more."""
        row = self._db.execute("snapshot", (campaign_id,)).fetchone()
        if row is not None:
            self._db.execute("set_snapshot", (campaign_id, store(without_keys(restore(row[0])))))

    def _set_files(self, campaign_id: int, files: Iterable[tuple[str, Sequence[str]]]) -> None:
        rows = [(campaign_id, no, name, json.dumps(list(columns))) for no, (name, columns) in enumerate(files)]
        self._db.many("add_input_file", rows)
        self._tables.prepare_numbers(campaign_id)

    def set_state(self, campaign_id: int, state: str, now: float, *, exit_status: int | None = None) -> None:
        """Change the state; see `contract.CampaignStore.set_state`."""
        values = {"state": state, "now": now, "ended": state in ENDED, "exit_status": exit_status, "id": campaign_id}
        with self._db.transaction():
            before = self._state(campaign_id) if self.events else state
            self._tables.set_state(values)
            if self._tables.keeps_keys and state in ENDED:
                self._drop_keys(campaign_id)
            if state != before:
                self._note_state(campaign_id, before, self._state(campaign_id), now)

    def still_claimed(self, campaign_id: int) -> bool:
        """Return whether rows of a campaign are claimed, by any machine."""
        with self._db.transaction("begin_reading"):
            return self._tables.still_claimed(campaign_id)

    def remove_campaign(self, campaign_id: int, limit: int = _CHUNK) -> bool:
        """Remove about ``limit`` rows of a campaign; see `contract.CampaignStore.remove_campaign`."""
        if self.still_claimed(campaign_id):
            raise ValueError(f"campaign {campaign_id} is being sent; stop it first")
        low, high = id_range(campaign_id)
        self.set_state(campaign_id, REMOVING, 0.0)
        with self._db.transaction():
            self._db.execute("remove_claims", (campaign_id,))
            for query in _REMOVED_IN_PARTS:
                if query == "remove_outcomes":
                    self._keep_gone(campaign_id, limit)
                if self._db.execute(query, (low, high, limit)).rowcount == limit:
                    return False
            for query in _REMOVED_AT_ONCE:
                self._db.execute(query, (campaign_id,))
            self._tables.drop_numbers(campaign_id)
            self._db.execute("remove_campaign", (campaign_id,))
        return True

    def _keep_gone(self, campaign_id: int, limit: int) -> None:
        """Within the transaction: keep the hashes of those who were sent to, of the outcomes that are removed next.

        Their tokens stay good: an unsubscribe of a message whose campaign was removed still counts.
        """
        key = spool_key(self._db)
        own = self._db.execute("campaign_key", (campaign_id,)).fetchone()
        if own is None or not own[0].startswith(key):
            return  # tokens of that campaign cannot be read
        gone = []
        for identity, email in self._db.execute("sent_outcomes", (*id_range(campaign_id), limit)).fetchall():
            with suppress(AddressError):
                gone.append((identity, address_hash(key, address_in(email).key)))
        if gone:
            self._db.execute("add_gone_campaign", (campaign_id,))
            self._tables.add_gone(gone)

    def save_report_position(self, campaign_id: int, position: object) -> None:
        """Store up to where the report's files are known good; JSON data."""
        with self._db.transaction():
            self._db.execute("set_report_position", (json.dumps(position), campaign_id))

    def save_plan(self, campaign_id: int, plan: StoredPlan) -> None:
        """Store what is planned of a campaign, in place of an earlier plan."""
        with self._db.transaction():
            self._db.execute("set_plan", (campaign_id, json.dumps(plan)))

    def plan(self, campaign_id: int) -> StoredPlan | None:
        """Return what was planned of a campaign, None where nothing was."""
        with self._db.transaction("begin_reading"):
            return read_plan(self._db, campaign_id)

    def attempts_after(self, campaign_id: int, attempt_id: int) -> int:
        """Count a campaign's attempts behind this one; 0: all of them."""
        low, high = id_range(campaign_id)
        with self._db.transaction("begin_reading"):
            found: int = self._db.execute("count_attempts", (max(low, attempt_id), high)).fetchone()[0]
        return found

    def attempts_since(self, campaign_id: int, at: float) -> int:
        """Count a campaign's attempts from ``at`` on; see `contract.CampaignStore.attempts_since`.

        Attempts are numbered nearly in the order of their times, so their times are looked at from an hour before.
        """
        low, high = id_range(campaign_id)
        with self._db.transaction("begin_reading"):
            while high - low > _FEW:
                middle = (low + high) // 2
                found = self._db.execute("next_attempt", (middle, high)).fetchone()
                if found is None or found[1] >= at - _OUT_OF_ORDER:
                    high = middle
                else:
                    low = found[0]
            last = id_range(campaign_id)[1]
            count: int = self._db.execute("count_attempts_since", (low, last, at)).fetchone()[0]
        return count

    def last_outcomes(self, campaign_id: int, limit: int) -> list[tuple[str, str, str, float]]:
        """Return what receivers have said for good; see `contract.CampaignStore.last_outcomes`."""
        with self._db.transaction("begin_reading"):
            rows = self._db.execute("last_outcomes", (*id_range(campaign_id), limit)).fetchall()
        return [(provider, status, category, at) for provider, status, category, at in rows]

    def totals(self, campaign_id: int) -> dict[tuple[str, str, str], int]:
        """Return ``{(provider, status, category): count}``; all rows read so far, pending ones included."""
        with self._db.transaction("begin_reading"):
            return {tuple(row[:3]): row[3] for row in self._db.execute("totals", (campaign_id,)).fetchall()}
