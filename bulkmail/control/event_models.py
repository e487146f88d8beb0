"""What the API answers about what happened: the events, and what is said to receivers."""

from __future__ import annotations

from bulkmail.control.models import Answer


class EventAnswer(Answer):
    """One event of the stream; what it does not have is null (docs/events.md has each field)."""

    seq: int
    at: str
    event: str
    campaign: str
    row: str | None
    email: str | None
    token: str | None
    variant: str | None
    provider: str | None
    site: str | None
    mx_host: str | None
    mx_ip: str | None
    source_ip: str | None
    tls: str | None
    tls_policy: str | None
    smtp_code: int | None
    enhanced_code: str | None
    category: str | None
    reply: str | None
    stage: str | None
    attempt: int | None
    message_id: str | None
    bytes: int | None
    address_hash: str | None


class EventsAnswer(Answer):
    """Events in the order of their numbers. The next are asked for with `after`, the number of the last of these.

    ``oldest`` and ``newest``: the numbers of those that the spool has now; of the next and the last one where it has
    none. Where ``oldest`` is beyond the one that would be next, those between are gone.
    """

    events: list[EventAnswer]
    oldest: int
    newest: int


class TraceLineAnswer(Answer):
    """A line of a trace. ``what``: command, reply, message (its size) or note. ``connection``: numbers connections."""

    number: int
    at: str
    connection: int
    host: str
    ip: str
    what: str
    text: str


class TraceAnswer(Answer):
    """What was said to ``site``, a site or a provider, in lines whose number is higher than `after`.

    ``dropped``: so many of them were not kept, as only the newest 2,000 are. ``newest``: the number of the last line;
    0 where the trace begins with this look.
    """

    site: str
    lines: list[TraceLineAnswer]
    dropped: int
    newest: int
