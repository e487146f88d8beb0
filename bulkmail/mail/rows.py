"""The rows of a report: what a reader of the spool yields and what the files of the report are written from.

Both sides use these types, so that the order of the columns is written once; the queries `read_recipients` and
`read_attempts` select their columns in exactly this order.
"""

from __future__ import annotations

from typing import NamedTuple

RECIPIENT_COLUMNS = (
    "row",
    "email",
    "status",
    "category",
    "smtp_code",
    "enhanced_code",
    "reply",
    "stage",
    "mx_host",
    "mx_ip",
    "source_ip",
    "tls",
    "attempts",
    "first_attempt_at",
    "completed_at",
    "message_id",
    "token",
    "bytes",
    "tls_policy",
    "variant",
    "late_at",
    "unsubscribed_at",
    "complained_at",
)
"""The columns of recipients.csv, before the input's own."""

SELECTION_COLUMNS = ("status", "category", "reason")
"""The columns of take-off.csv and try-again.csv, behind the input's own."""

OWN_NAME = "input_"
"""What stands before the name of an input's column that is called like one of these."""


class RecipientRow(NamedTuple):
    """One input row and its state. Times are epoch seconds; 0 or None is "not yet"."""

    n: int  # 1-based over all files
    file_no: int  # 0-based
    row_in_file: int  # 1-based data row
    email: str  # as written
    status: str
    category: str
    smtp_code: int | None
    enhanced: str
    reply: str
    stage: str
    mx_host: str
    mx_ip: str
    source_ip: str
    tls: str
    attempts: int
    first_attempt_at: float | None
    completed_at: float | None
    bytes: int | None  # the message's size on the wire; 0 or None while none was composed
    note: str  # our own words, for a row that has no reply
    fields: str  # JSON array of the row's cells, in the header order of its file
    late_at: float | None = None  # when the report came back that the status is from
    unsubscribed_at: float | None = None
    complained_at: float | None = None
    tls_policy: str = ""  # how much TLS was asked for at the last attempt, and by whose word

    @property
    def wants_no_more(self) -> bool:
        """Whether the recipient has complained or unsubscribed."""
        return self.complained_at is not None or self.unsubscribed_at is not None


class EventRow(NamedTuple):
    """One event as the spool knows it. None: it is not of that, or that was removed meanwhile."""

    seq: int
    at: float
    event: str
    campaign_id: int
    n: int  # 1-based over all files; 0: of the campaign itself
    campaign: str
    file_no: int | None
    row_in_file: int | None
    email: str | None
    provider: str
    category: str
    site: str
    note: str
    attempt: int | None
    smtp_code: int | None
    enhanced: str | None
    reply: str | None
    stage: str | None
    mx_host: str | None
    mx_ip: str | None
    source_ip: str | None
    tls: str | None
    bytes: int | None
    tls_policy: str | None = None
    hash: int | None = None  # of the address (`address_hash`), where its campaign has left the spool


class AttemptRow(NamedTuple):
    """One delivery attempt, or what came back later. ``id`` only grows, in the order they were settled or recorded."""

    id: int
    n: int
    file_no: int
    row_in_file: int
    email: str
    at: float
    attempt: int  # 1-based; of what came back the number of the last attempt before it
    result: str  # delivered, failed, deferred, unknown; or a `mail.LateResult`
    category: str
    smtp_code: int | None
    enhanced: str
    reply: str
    stage: str
    mx_host: str
    mx_ip: str
    source_ip: str
    tls: str
    duration_ms: int
    next_attempt_at: float | None
