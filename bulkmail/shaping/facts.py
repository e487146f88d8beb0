"""The kinds of facts that are learnt of a site, and how long each is kept.

Each `Fact` expires: receivers repair their servers, and a limit that is never tried again is never found lifted. Times
are on the wall clock, in seconds, because facts outlive the process.

How many messages a server takes on one connection is the one fact that needs care. Some servers say so (``421 too many
messages in this connection``); that is believed at once. Others answer 421 to everything, or close without a reply, and
a restart, a crash or a reset by a firewall looks the same. So a single close is a suspicion; the same number again, on
a connection opened after the first was closed, makes it a fact. (One restart of a server ends many connections at
once: that is one occasion.) After a day the number doubles, and again each day, up to the setting: so a limit that was
lifted is found, and one that stands costs one early close a day.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from math import ceil, log2

from bulkmail.mail import Category, Outcome, Reply, Stage
from bulkmail.shaping.classify import classify
from bulkmail.shaping.phrases import ENOUGH

_DAY = 86400.0
_SKEW = 3600.0  # seconds; a fact learnt further in the future comes from a wrong clock
_AT_ONCE = 5.0  # seconds; a close that comes later after the last message is an idle timeout
_PARTLY = re.compile(r"\bbut \d+ (?:REJECT|BOUNCE|DISCARD|TEMPFAIL)", re.ASCII)
_ENOUGH = re.compile(ENOUGH, re.ASCII)


class FactKind(StrEnum):
    """What can be learnt of a site (of an address: TLS, HELLO; of what a limit counts: RATE to CONNECTIONS)."""

    FOLLOW = "follow"  # loses count when a message is pipelined behind the dot of the one before
    PIPELINING = "pipelining"  # cannot take commands in groups
    CHUNKING = "chunking"  # offers BDAT and cannot do it
    TLS = "tls"  # offers STARTTLS and cannot do it
    HELLO = "hello"  # answers a TLS hello only if it fits in one segment
    MESSAGES = "messages"  # value: closes a connection after so many messages
    UNANSWERED = "unanswered"  # leaves messages without a reply
    RECIPIENTS = "recipients"  # value: takes so many recipients in a transaction
    OUTAGE = "outage"  # since: could not be used from then on; value: how often that was found
    RATE = "rate"  # value: the part of the rate that it lets us use
    CONCURRENCY = "width"  # value: the part of the connections
    REST = "rest"  # a rule has it left alone; value: seconds
    PACE = "pace"  # a rule has it sent to no faster; value: this part of the rate
    CONNECTIONS = "connections"  # a rule; value: so many at most


_LASTS = {
    # finding out again costs an ambiguous message; for TLS only a connection
    FactKind.FOLLOW: 7 * _DAY,
    FactKind.PIPELINING: 7 * _DAY,
    FactKind.CHUNKING: 7 * _DAY,
    FactKind.TLS: 3 * _DAY,
    FactKind.UNANSWERED: _DAY,
    FactKind.HELLO: 7 * _DAY,  # finding out again costs a connection and some seconds
    FactKind.RECIPIENTS: _DAY,  # finding out again costs a reply
    FactKind.RATE: 7 * _DAY,  # finding out again costs some recipients an attempt; what was raised is found anyway
    FactKind.CONCURRENCY: 7 * _DAY,
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: its kind, its figure where the kind has one, when it was learnt, and when it expires."""

    kind: FactKind
    value: float
    since: float
    until: float

    def holds(self, now: float) -> bool:
        """Return whether the fact has not expired at ``now``."""
        return self.since - _SKEW <= now < self.until


def learn(kind: FactKind, now: float, value: float = 0.0) -> Fact:
    """Make a fact that expires after its kind's time. MESSAGES and OUTAGE have functions of their own."""
    return Fact(kind, value, now, now + _LASTS[kind])


def outage(since: float, failures: int, suspended_until: float, expire_after: float) -> Fact:
    """Make the fact that a site cannot be used since ``since``, found ``failures`` times in a row.

    It expires long after the suspension: a process that was stopped for a while must still find it. ``expire_after``:
    the setting of that name under `retry`, in seconds.
    """
    return Fact(FactKind.OUTAGE, failures, since, suspended_until + 2 * expire_after)


def suspended_until(fact: str, expires_at: float, expire_after: float) -> float | None:
    """Return until when a site is suspended by this fact, which is kept until ``expires_at``; None by other facts."""
    return expires_at - 2 * expire_after if fact == FactKind.OUTAGE else None


def takes(messages: int, most: int, now: float) -> Fact:
    """Make the fact that a server takes so many messages on a connection; it expires when doubling reaches ``most``."""
    assert 1 <= messages < most, "a limit that cannot be used, or says nothing"
    return Fact(FactKind.MESSAGES, messages, now, now + _DAY * ceil(log2(most / messages)))


def messages_now(fact: Fact | None, most: int, now: float) -> int:
    """Return how many messages a connection may carry now: from 1 to ``most``, the setting."""
    if fact is None or not fact.holds(now):
        return most
    days = max(0, int((now - fact.since) / _DAY))
    return max(1, min(most, int(fact.value) << min(days, 32)))


def partly(reply: Reply) -> bool:
    """Return whether a 2xx to the message of a transaction says that some of its recipients do not get it.

    Amavis answers so, in front of another server: "250 2.0.0 Ok, id=1-2, but 1 REJECT".
    """
    return _PARTLY.search(reply.text) is not None


class Hint(IntEnum):
    """What the end of a connection says about how many messages the server takes on one."""

    NOTHING = 0
    PERHAPS = 1
    SAID = 2


def hint(outcome: Outcome, carried: int, quiet: float) -> Hint:
    """Read from the end of a connection whether the server limits the messages on one.

    ``carried``: messages answered on it; ``quiet``: seconds since the last of them. ``outcome``: what the close would
    mean for a message submitted at that moment; its stage is CONNECT where none was.
    """
    if carried < 1:
        return Hint.NOTHING
    if outcome.reply is None:  # lost or closed while nothing, or only MAIL, was waiting for an answer
        telling = outcome.category is Category.CONNECTION and outcome.stage in (Stage.CONNECT, Stage.MAIL)
    elif outcome.reply.code != 421:
        return Hint.NOTHING
    elif _ENOUGH.search(" ".join(outcome.reply.text.lower().split())):
        return Hint.SAID
    else:  # not about the message that was refused so late, nor about our rate
        telling = outcome.stage is not Stage.DOT and not classify(outcome).signal
    # later it may be an idle timeout, also as a reply to MAIL: the two cross on the wire
    return Hint.PERHAPS if telling and quiet <= _AT_ONCE else Hint.NOTHING


@dataclass(frozen=True, slots=True)
class Suspicion:
    """One close after ``messages`` messages, at the time ``at``: perhaps a limit."""

    messages: int
    at: float


def judge(
    said: Hint, carried: int, opened: float, closed: float, known: int | None, suspicion: Suspicion | None
) -> int | Suspicion | None:
    """Return the number of messages where the close proves a limit, else what is suspected now.

    ``opened`` and ``closed``: when the connection was, on the clock of ``suspicion``. ``known``: the number that is
    already a fact, if there is one.
    """
    if said is Hint.NOTHING or carried < 1:
        return suspicion
    if said is Hint.SAID or carried == known:
        return carried
    if suspicion is None or suspicion.messages != carried:
        return Suspicion(carried, closed)
    return carried if opened >= suspicion.at else suspicion


_WORDS: dict[str, str] = {
    FactKind.FOLLOW: "loses count when a message is pipelined behind another",
    FactKind.PIPELINING: "cannot take commands in groups (PIPELINING)",
    FactKind.CHUNKING: "cannot take messages in chunks (CHUNKING)",
    FactKind.TLS: "cannot do TLS, though it offers it",
    FactKind.HELLO: "answers small TLS hellos only",
    FactKind.MESSAGES: "takes {value:.0f} messages on a connection",
    FactKind.UNANSWERED: "leaves messages without a reply, so it gets one on a connection, and slowly",
    FactKind.RECIPIENTS: "takes {value:.0f} recipients in a transaction",
    FactKind.OUTAGE: "cannot be used (not reached, or it refuses us), {value:.0f} times in a row",
    FactKind.RATE: "complained: {value:.1%} of the rate is used",
    FactKind.CONCURRENCY: "complained: {value:.1%} of the connections are used",
    FactKind.REST: "rests, as a rule asks, for {value:.0f} s",
    FactKind.PACE: "is sent to at {value:.1%} of the rate at most, as a rule asks",
    FactKind.CONNECTIONS: "has {value:.0f} connections at most, as a rule asks",
}


def describe_fact(fact: str, value: float) -> str:
    """Describe a fact for people; an unknown kind, of another version, by its name."""
    words = _WORDS.get(fact)
    return fact if words is None else words.format(value=value)
