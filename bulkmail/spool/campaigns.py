"""Campaigns in the store: made once, changed on purpose."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from bulkmail.spool.database import Statements
from bulkmail.spool.rows import CampaignRow, id_range
from bulkmail.spool.stored import restore, store, without_keys

RUNNING = "running"
ENDED = frozenset({"finished", "cancelled"})


def campaign_row(row: Sequence[Any]) -> CampaignRow:
    """A row of the `campaigns` queries, its JSON read."""
    identity, name, folder, state, key, digests, on_unknown, *times = row
    created, started, ended, exit_status, import_done, input_rows, doubled, position = times
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
    )


class Campaigns:
    """The part of the store that knows campaigns. Every method is one short transaction.

    ``keeps_keys``: whether the private DKIM keys stand in a campaign's content. Machines that help to send it have them
    from there; where there are none, the settings have them at each start, and the content has their fingerprints.
    """

    keeps_keys = False

    def __init__(self, database: Statements) -> None:
        self._db = database
        with self._db.transaction("begin_reading"):
            self._running = {row[0] for row in self._db.execute("campaign_ids_in_state", (RUNNING,))}

    def create_campaign(
        self,
        name: str,
        folder: str,
        *,
        key: bytes,
        content: dict[str, Any],
        digests: dict[str, str],
        files: Iterable[tuple[str, Sequence[str]]],
        now: float,
        on_unknown: str = "retry",
        state: str = "ready",
    ) -> CampaignRow:
        """A new campaign. ``files``: (name, columns) of each input file. ``name`` must not be taken."""
        values = (name, folder, state, key, json.dumps(digests), on_unknown, now)
        with self._db.transaction():
            identity: int = self._db.execute("create_campaign", values).fetchone()[0]
            self._db.execute("set_snapshot", (identity, self._content_stored(content)))
            self._set_files(identity, files)
            row = campaign_row(self._db.execute("campaign_by_name", (name,)).fetchone())
        if state == RUNNING:
            self._running.add(identity)
        return row

    def campaign(self, name: str) -> CampaignRow | None:
        """The campaign called ``name``."""
        with self._db.transaction("begin_reading"):
            row = self._db.execute("campaign_by_name", (name,)).fetchone()
        return None if row is None else campaign_row(row)

    def campaigns(self) -> list[CampaignRow]:
        """All of them, oldest first."""
        with self._db.transaction("begin_reading"):
            return [campaign_row(row) for row in self._db.execute("campaigns").fetchall()]

    def content(self, campaign_id: int) -> dict[str, Any]:
        """The snapshot of everything that enters its messages. Raises LookupError."""
        with self._db.transaction("begin_reading"):
            row = self._db.execute("snapshot", (campaign_id,)).fetchone()
        if row is None:
            raise LookupError(f"the spool has no campaign {campaign_id}")
        content: dict[str, Any] = restore(row[0])
        return content

    def import_state(self, campaign_id: int) -> Any:
        """Where reading its input stands, as the last `add_rows` was told; None before the first."""
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
    ) -> None:
        """Take a changed folder for the rows not yet sent (--accept-changes); key and rows stay."""
        with self._db.transaction():
            self._db.execute("set_snapshot", (campaign_id, self._content_stored(content)))
            self._db.execute("set_digests", (json.dumps(digests), on_unknown, campaign_id))
            self._db.execute("drop_input_files", (campaign_id,))
            self._set_files(campaign_id, files)

    def _content_stored(self, content: dict[str, Any]) -> bytes:
        return store(content if self.keeps_keys else without_keys(content))

    def _drop_keys(self, campaign_id: int) -> None:
        """Within the transaction: nobody signs for it any more."""
        row = self._db.execute("snapshot", (campaign_id,)).fetchone()
        if row is not None:
            self._db.execute("set_snapshot", (campaign_id, store(without_keys(restore(row[0])))))

    def _set_files(self, campaign_id: int, files: Iterable[tuple[str, Sequence[str]]]) -> None:
        rows = [(campaign_id, no, name, json.dumps(list(columns))) for no, (name, columns) in enumerate(files)]
        self._db.many("add_input_file", rows)

    def set_state(self, campaign_id: int, state: str, now: float, *, exit_status: int | None = None) -> None:
        """Only rows of a campaign that is ``running`` are claimed; started_at and ended_at follow the state."""
        values = {"state": state, "now": now, "ended": state in ENDED, "exit_status": exit_status, "id": campaign_id}
        with self._db.transaction():
            self._db.execute("set_state", values)
        if state == RUNNING:
            self._running.add(campaign_id)
        else:
            self._running.discard(campaign_id)

    def save_report_position(self, campaign_id: int, position: object) -> None:
        """Remember how far the report's files are known good; JSON data."""
        with self._db.transaction():
            self._db.execute("set_report_position", (json.dumps(position), campaign_id))

    def attempts_after(self, campaign_id: int, attempt_id: int) -> int:
        """How many attempts of a campaign came after this one; 0: how many there are."""
        low, high = id_range(campaign_id)
        with self._db.transaction("begin_reading"):
            found: int = self._db.execute("count_attempts", (max(low, attempt_id), high)).fetchone()[0]
        return found

    def totals(self, campaign_id: int) -> dict[tuple[str, str, str], int]:
        """``{(provider, status, category): count}``; all rows read so far, pending ones included."""
        with self._db.transaction("begin_reading"):
            return {tuple(row[:3]): row[3] for row in self._db.execute("totals", (campaign_id,)).fetchall()}
