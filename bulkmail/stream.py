"""The stream of events as other systems get it: from the spool's rows to objects that say all that is known of each.

It is read behind a number, in order, by any process and from any machine that can read the spool. Nothing is kept of
what was read: who reads remembers the last number (`EVENT_FIELDS`, ``seq``) that it has passed on.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from bulkmail.campaign import sender_domain
from bulkmail.mail import REST, Category, EventRow, Status, Variants, campaign_key, message_id, token
from bulkmail.report import file_prefixes
from bulkmail.spool import CampaignRow, Reading

EVENT_FIELDS = (
    "seq",
    "at",
    "event",
    "campaign",
    "row",
    "email",
    "token",
    "variant",
    "provider",
    "site",
    "mx_host",
    "mx_ip",
    "source_ip",
    "tls",
    "tls_policy",
    "smtp_code",
    "enhanced_code",
    "category",
    "reply",
    "stage",
    "attempt",
    "message_id",
    "bytes",
    "address_hash",
)
"""The fields of each event, in their order. What an event does not have is null."""

_UNMAILED = frozenset({Status.INVALID, Status.DUPLICATE, Status.SUPPRESSED})
_REMEMBERED = 100  # campaigns


class _Campaign(NamedTuple):
    """What the events of a campaign have in common. ``same``: all of its recipients get one message."""

    key: bytes
    domain: str
    same: bool
    prefixes: list[str]
    variants: Variants | None


class EventStream:
    """The events of a spool. Its reader is the caller's to close."""

    def __init__(self, reader: Reading) -> None:
        self._reader = reader
        self._campaigns: dict[int, _Campaign | None] = {}
        self._winners: dict[int, str] = {}
        self._spool_key = b""

    def read(self, after: int, limit: int) -> list[dict[str, Any]]:
        """Return up to ``limit`` events behind the number ``after``, in order. Raises OwnFault."""
        rows = self._reader.events(after, limit)
        self._winners = {identity: name for identity, name in self._winners.items() if name}  # others may be chosen now
        return [dict(zip(EVENT_FIELDS, self._values(row), strict=True)) for row in rows]

    def span(self) -> tuple[int, int]:
        """Return the numbers of the oldest and the newest event there is, of the next and the last where none is."""
        first, last = self._reader.event_span()
        return (last + 1 if first is None else first), last

    def _values(self, row: EventRow) -> tuple[Any, ...]:
        label = own_token = own_id = variant = None
        campaign = self._campaign(row) if row.n else None
        if row.n:
            label = str(row.n if row.row_in_file is None else row.row_in_file)
        if campaign is not None:
            if row.file_no is not None and row.file_no < len(campaign.prefixes):
                label = f"{campaign.prefixes[row.file_no]}{label}"
            own_token = token(campaign.key, row.n)
            own_id = message_id(campaign.key, 0 if campaign.same else row.n, campaign.domain)
            variant = self._variant(row, campaign)
        elif row.hash is not None:  # the campaign has left the spool, and kept whose tokens are whose
            own_token = token(campaign_key(self._key(), row.campaign_id), row.n)
        return (
            row.seq,
            datetime.fromtimestamp(row.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            row.event,
            row.campaign,
            label,
            row.email,
            own_token,
            variant,
            row.provider or None,
            row.site or None,
            row.mx_host or None,
            row.mx_ip or None,
            row.source_ip or None,
            row.tls or None,
            row.tls_policy or None,
            row.smtp_code,
            row.enhanced or None,
            row.category or None,
            row.reply or row.note or None,
            row.stage or None,
            row.attempt,
            own_id,
            row.bytes or None,
            None if row.hash is None else f"{row.hash:016x}",
        )

    def _key(self) -> bytes:
        self._spool_key = self._spool_key or self._reader.token_key()
        return self._spool_key

    def _campaign(self, row: EventRow) -> _Campaign | None:
        if row.campaign_id not in self._campaigns:
            while len(self._campaigns) >= _REMEMBERED:
                del self._campaigns[next(iter(self._campaigns))]
            found = next((one for one in self._reader.campaigns() if one.id == row.campaign_id), None)
            self._campaigns[row.campaign_id] = None if found is None else self._known(found)
        return self._campaigns[row.campaign_id]

    def _known(self, campaign: CampaignRow) -> _Campaign:
        content = self._reader.content(campaign.id)
        files = [(name, columns) for _, name, columns in self._reader.input_files(campaign.id)]
        variants = content.get("variants")
        return _Campaign(
            campaign.key,
            sender_domain(content["from"]) if content.get("from") else "",
            bool(content.get("same_for_all")),
            file_prefixes(files),
            Variants(variants["shares"]) if variants else None,
        )

    def _variant(self, row: EventRow, campaign: _Campaign) -> str | None:
        if campaign.variants is None or (row.event in _UNMAILED and row.category != Category.HOLD_OUT):
            return None
        name = campaign.variants.of(row.email or "")
        if name != REST:
            return name or None
        if row.campaign_id not in self._winners:
            self._winners[row.campaign_id] = self._reader.winner(row.campaign_id)
        return self._winners[row.campaign_id] or REST
