"""Campaigns and input rows into PostgreSQL: rows by COPY, queues by the batch, and everybody told of them.

PostgreSQL has no NUL in a text; where an address or a reply holds one, U+2400 (its symbol) is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bulkmail.mail import OwnFault
from bulkmail.spool.campaigns import ENDED, RUNNING, Campaigns
from bulkmail.spool.intake import InputRow, Intake
from bulkmail.spool.pg_database import LIVE, PgDatabase, repeated
from bulkmail.spool.rows import id_range
from bulkmail.spool.settling import Settling

ROWS, STATES, SITES = "rows", "states", "sites"
NOT_LIVE = "this machine was not heard of for longer than its lease, and others have taken over"


def clean(text: str) -> str:
    """The text as PostgreSQL takes it."""
    return text.replace("\0", "␀") if "\0" in text else text


class PgIntake(Settling):
    """The part of the store that knows campaigns and takes rows in. ``told``: what others are to hear of."""

    _db: PgDatabase
    keeps_keys = True

    def __init__(self, database: PgDatabase) -> None:
        Campaigns.__init__(self, database)

    @property
    def database(self) -> PgDatabase:
        """The connection."""
        return self._db

    def _only_live(self) -> None:
        """Within the transaction: who was declared gone settles what it had, and decides nothing any more."""
        if self._db.state != LIVE:
            raise OwnFault(NOT_LIVE)

    def _tell(self, what: str) -> None:
        """Within the transaction: whoever listens hears it when this is committed."""
        self._db.execute("notify", (what,))

    # campaigns

    create_campaign = repeated(Campaigns.create_campaign)
    campaign = repeated(Campaigns.campaign)
    campaigns = repeated(Campaigns.campaigns)
    content = repeated(Campaigns.content)
    import_state = repeated(Campaigns.import_state)
    update_content = repeated(Campaigns.update_content)
    totals = repeated(Campaigns.totals)
    attempts_after = repeated(Campaigns.attempts_after)
    save_report_position = repeated(Campaigns.save_report_position)

    def _set_files(self, campaign_id: int, files: Iterable[tuple[str, Sequence[str]]]) -> None:
        super()._set_files(campaign_id, files)
        self._db.execute("number_attempts", (campaign_id, id_range(campaign_id)[0]))

    @repeated
    def set_state(self, campaign_id: int, state: str, now: float, *, exit_status: int | None = None) -> None:
        """Only rows of a campaign that is ``running`` are claimed, on every machine."""
        with self._db.transaction():
            self._only_live()
            values = {"state": state, "now": float(now), "ended": state in ENDED, "exit_status": exit_status}
            self._db.execute("set_state", {**values, "id": campaign_id})
            if state in ENDED:
                self._drop_keys(campaign_id)
            if state == RUNNING:
                self._db.execute("wake_queues", (campaign_id,))
            self._tell(STATES)

    # rows

    @repeated
    def add_rows(
        self, campaign_id: int, rows: Sequence[InputRow], import_state: object, done: bool, now: float = 0.0
    ) -> None:
        """Store rows; see `Intake.add_rows`."""
        super().add_rows(campaign_id, rows, import_state, done, now)

    def _store_rows(self, campaign_id: int, rows: Sequence[InputRow], now: float | None) -> None:
        self._only_live()
        self._db.execute("no_claims_meanwhile", (campaign_id,))
        super()._store_rows(campaign_id, rows, now)
        self._tell(ROWS)

    def _queues(self, campaign_id: int, rows: Sequence[InputRow]) -> dict[str, int]:
        fresh = {row[4]: 1 for row in rows if row[6] == "ok"}
        domains = dict.fromkeys([row[4] for row in rows if row[6] == "held"], 0) | fresh
        queues: dict[str, int] = {}
        dry: list[int] = []
        for domain, queue_id, has_new in self._db.execute("queues_of_domains", (campaign_id, list(domains))):
            queues[domain] = queue_id
            if domain in fresh and not has_new:
                dry.append(queue_id)
        if dry:
            self._db.execute("queues_have_new", (dry,))
        new = [(domain, has_new) for domain, has_new in domains.items() if domain not in queues]
        if new:
            queues.update(self._db.arrays("add_queues", new, campaign_id).fetchall())
        return queues

    def _add_recipients(self, rows: Iterable[tuple[Any, ...]]) -> None:
        # one by one: the server stores the first while the next are being made
        self._db.copy("copy_recipients", ((*row[:4], clean(row[4]), clean(row[5])) for row in rows))

    def _set_outcomes(self, rows: list[tuple[Any, ...]]) -> None:
        self._db.arrays("set_outcomes", [(*row[:11], clean(row[11])) for row in rows])

    def _add_totals(self, rows: list[tuple[Any, ...]]) -> None:
        self._db.arrays("add_totals", rows, self._db.epoch)

    def _set_due(self, rows: list[tuple[int, int, float, float | None]]) -> None:
        self._db.arrays("set_due", rows)
        earliest: dict[int, float] = {}
        for _, queue_id, next_at, _ in rows:
            earliest[queue_id] = min(next_at, earliest.get(queue_id, next_at))
        self._db.arrays("lower_next_at", sorted(earliest.items()))

    held_back = repeated(Intake.held_back)

    @repeated
    def settle_held(self, campaign_id: int, verdicts: Iterable[tuple[int, bool, str]], now: float = 0.0) -> int:
        """Held-back rows; see `Intake.settle_held`."""
        return super().settle_held(campaign_id, verdicts, now)

    def _held_back(self, identities: Sequence[int]) -> dict[int, int]:
        return dict(self._db.execute("held_back", (list(identities),)).fetchall())
