"""One outcome shape everywhere: what became of one recipient in one attempt, who said so, and where.

Our own failures (a connect timeout, a DNS answer) use the same shape, with ``reply`` None and the words in ``note``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from bulkmail.mail.reply import Reply


class Fate(StrEnum):
    """What one attempt did to one recipient, before the reply is judged."""

    ACCEPTED = "accepted"  # 2xx in the reply slot of this message's own final dot
    REFUSED = "refused"  # a 4xx or 5xx reply from MAIL on; the reply's code says which
    LOST = "lost"  # the conversation broke from MAIL on, before the dot was on the wire, or the site could not be used
    UNKNOWN = "unknown"  # the dot was on the wire and no reply to it was read: it may have been delivered
    UNTRIED = "untried"  # returned unchanged: not an attempt, nothing is charged


class Stage(StrEnum):
    """The step of the dialogue an outcome belongs to (the report's ``stage`` column)."""

    DNS = "dns"
    CONNECT = "connect"
    GREETING = "greeting"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    DOT = "dot"
    DSN = "dsn"  # not of the dialogue: a report that came back after the message was accepted (RFC 3464)


class Category(StrEnum):
    """Why, in one word (the report's ``category`` column)."""

    BAD_MAILBOX = "bad-mailbox"
    INACTIVE_MAILBOX = "inactive-mailbox"
    BAD_DOMAIN = "bad-domain"
    QUOTA = "quota"
    RATE_LIMITED = "rate-limited"
    GREYLISTED = "greylisted"
    SPAM_CONTENT = "spam-content"
    SPAM_REPUTATION = "spam-reputation"
    POLICY = "policy"
    AUTHENTICATION = "authentication"
    INVALID_SENDER = "invalid-sender"
    TOO_LARGE = "too-large"
    PROTOCOL = "protocol"
    ROUTING = "routing"
    DNS = "dns"
    CONNECTION = "connection"
    NO_ANSWER = "no-answer"
    TLS = "tls"
    VIRUS = "virus"
    EXPIRED = "expired"
    SCHEDULE = "schedule"
    TEMPLATE = "template"
    INVALID_ADDRESS = "invalid-address"
    BAD_ROW = "bad-row"
    NO_CONSENT = "no-consent"
    HOLD_OUT = "hold-out"
    UNSUBSCRIBED = "unsubscribed"
    COMPLAINED = "complained"
    BOUNCED_BEFORE = "bounced-before"
    LISTED = "listed"
    OTHER = "other"


class Status(StrEnum):
    """Where a recipient stands (the report's ``status`` column)."""

    DELIVERED = "delivered"
    BOUNCED = "bounced"
    BLOCKED = "blocked"
    EXPIRED = "expired"
    SUPPRESSED = "suppressed"
    DUPLICATE = "duplicate"
    INVALID = "invalid"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    PENDING = "pending"
    DEFERRED = "deferred"

    @property
    def final(self) -> bool:
        """Whether nothing more will happen to this recipient."""
        return self is not Status.PENDING and self is not Status.DEFERRED


_NOT_REACHED = frozenset({Status.BLOCKED, Status.EXPIRED, Status.CANCELLED})


def can_be_tried_again(status: str, category: str) -> bool:
    """Return whether a row that has ended cannot have got the message, and its address is not known to be bad.

    These are `blocked`, `expired` and `cancelled`, and the rows for which the template failed. Not `unknown`: such a
    message may have arrived. Not `suppressed`: it was not to be sent.
    """
    return status in _NOT_REACHED or (status == Status.INVALID and category == Category.TEMPLATE)


_GONE = frozenset({Category.UNSUBSCRIBED, Category.COMPLAINED, Category.BOUNCED_BEFORE})


def is_to_leave(status: str, category: str) -> bool:
    """Return whether the address of a row that has ended is to leave the list: it is no good, or its owner has said no.

    Not those whom somebody has `listed` as not to be mailed, or who are on a suppress list: that may be for a time.
    """
    return status == Status.BOUNCED or (status == Status.SUPPRESSED and category in _GONE)


@dataclass(frozen=True, slots=True)
class Peer:
    """Who we spoke to: MX host name, its address, our own address, and what TLS was agreed (``""`` in clear).

    ``tls_policy``: by whose word, and how much of it was asked for, as the report has it. ``cipher``, ``group``: what
    TLS uses, and in which group its keys were agreed on; "" where that is not known.
    """

    host: str = ""
    ip: str = ""
    source_ip: str = ""
    tls: str = ""
    tls_policy: str = ""
    cipher: str = ""
    group: str = ""


NO_PEER = Peer()


class Outcome(NamedTuple):
    """What one attempt did to one recipient: fate, the step, the receiver's words or ours, and the peer."""

    fate: Fate
    stage: Stage
    reply: Reply | None = None
    note: str = ""  # our own words where no server replied: "connection timed out after 30 s"
    peer: Peer = NO_PEER
    category: Category | None = None  # set where we know it better than any classifier (dns, tls, template, ...)
    permanent: bool = False  # with `category`: our own verdict that trying again is of no use (NXDOMAIN, null MX)
