"""What a site has taught us about itself, and for how long that is believed.

Each lesson is a `Fact` with an end: receivers mend their servers, and what is never tried again is never unlearnt.
Times are on the wall clock, because facts outlive the process.

How many messages a server takes on one connection is the one lesson that needs care. Some say so (``421 too many
messages in this connection``): believed at once. Others answer 421 to everything, or close without a word, and a
restart, a crash or a reset by a firewall looks the same. So a single close is only suspected to be a limit; the same
number again, on a connection that was opened after the first was closed, makes it a fact. (One restart of a server ends
many connections at once: that is one occasion.) After a day the number doubles, and again each day, until it is what
the settings allow: so a limit that was lifted is found, and one that stands costs one early close a day.
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
_SKEW = 3600.0  # a fact learnt later than this from now comes from a clock that was wrong
_AT_ONCE = 5.0  # seconds after its last message that a server takes to close because of it; later it is idleness
_PARTLY = re.compile(r"\bbut \d+ (?:REJECT|BOUNCE|DISCARD|TEMPFAIL)", re.ASCII)
_ENOUGH = re.compile(ENOUGH, re.ASCII)


class Habit(StrEnum):
    """What can be learnt of a site (of an address: TLS and HELLO; of what a limit counts: RATE and CONCURRENCY)."""

    FOLLOW = "follow"  # loses count when a message is announced behind the dot of the one before
    PIPELINING = "pipelining"  # cannot take commands in groups
    CHUNKING = "chunking"  # offers BDAT and cannot do it
    TLS = "tls"  # offers STARTTLS and cannot do it
    HELLO = "hello"  # answers a TLS hello only if it fits in one segment
    MESSAGES = "messages"  # value: closes a connection after so many messages
    UNANSWERED = "unanswered"  # takes messages and does not say so
    RECIPIENTS = "recipients"  # value: takes so many recipients in a transaction
    OUTAGE = "outage"  # since: could not be used from then on; value: how often that was found
    RATE = "rate"  # value: the part of the rate that it lets us use
    CONCURRENCY = "width"  # value: the part of the connections


_LASTS = {
    # finding out again costs an ambiguous message; for TLS only a connection
    Habit.FOLLOW: 7 * _DAY,
    Habit.PIPELINING: 7 * _DAY,
    Habit.CHUNKING: 7 * _DAY,
    Habit.TLS: 3 * _DAY,
    Habit.UNANSWERED: _DAY,
    Habit.HELLO: 7 * _DAY,  # finding out again costs a connection and some seconds
    Habit.RECIPIENTS: _DAY,  # finding out again costs a reply
    Habit.RATE: 3600.0,
    Habit.CONCURRENCY: 3600.0,
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One lesson: what it is, its figure where it has one, since when, and when it ends by itself."""

    habit: Habit
    value: float
    since: float
    until: float

    def holds(self, now: float) -> bool:
        """Whether it is to be believed now."""
        return self.since - _SKEW <= now < self.until


def learn(habit: Habit, now: float, value: float = 0.0) -> Fact:
    """A lesson that lasts as long as its kind does. MESSAGES and OUTAGE have functions of their own."""
    return Fact(habit, value, now, now + _LASTS[habit])


def outage(since: float, failures: int, until: float) -> Fact:
    """A site that cannot be used."""
    return Fact(Habit.OUTAGE, failures, since, until)


def takes(messages: int, most: int, now: float) -> Fact:
    """A server that takes so many messages on a connection. It ends when the doubling reaches ``most``, the setting."""
    assert 1 <= messages < most, "a limit that cannot be used, or says nothing"
    return Fact(Habit.MESSAGES, messages, now, now + _DAY * ceil(log2(most / messages)))


def messages_now(fact: Fact | None, most: int, now: float) -> int:
    """How many messages a connection may carry now; from 1 to ``most``."""
    if fact is None or not fact.holds(now):
        return most
    days = max(0, int((now - fact.since) / _DAY))
    return max(1, min(most, int(fact.value) << min(days, 32)))


def partly(reply: Reply) -> bool:
    """Whether a 2xx to the message of a transaction says that some of its recipients do not get it.

    Amavis answers so, in front of another server: "250 2.0.0 Ok, id=1-2, but 1 REJECT".
    """
    return _PARTLY.search(reply.text) is not None


class Hint(IntEnum):
    """What the end of a connection says about how many messages the server takes on one."""

    NOTHING = 0
    PERHAPS = 1
    SAID = 2


def hint(outcome: Outcome, carried: int, quiet: float) -> Hint:
    """What the end of a connection that had ``carried`` messages says, ``quiet`` seconds after the last of them.

    ``outcome`` is what the close would mean to a message that was offered then; its stage is CONNECT where none was.
    """
    if carried < 1:
        return Hint.NOTHING
    if outcome.reply is None:  # lost or closed while nothing, or only MAIL, was waiting for an answer
        telling = outcome.category is Category.CONNECTION and outcome.stage in (Stage.CONNECT, Stage.MAIL)
    elif outcome.reply.code != 421:
        return Hint.NOTHING
    elif _ENOUGH.search(" ".join(outcome.reply.text.lower().split())):
        return Hint.SAID
    else:  # not about the message that was refused so late, nor about our pace
        telling = outcome.stage is not Stage.DOT and not classify(outcome).signal
    # later it may be an idle time-out, also as an answer to MAIL: the two cross on their way
    return Hint.PERHAPS if telling and quiet <= _AT_ONCE else Hint.NOTHING


@dataclass(frozen=True, slots=True)
class Suspicion:
    """One close after so many messages, at that time: perhaps a limit."""

    messages: int
    at: float


def judge(
    said: Hint, carried: int, opened: float, closed: float, known: int | None, suspicion: Suspicion | None
) -> int | Suspicion | None:
    """What a close makes of what was known: the number of messages where that is a lesson, else what is suspected now.

    ``opened`` and ``closed``: when the connection was, on the clock of ``suspicion``. ``known``: the number that is
    remembered, if one is.
    """
    if said is Hint.NOTHING or carried < 1:
        return suspicion
    if said is Hint.SAID or carried == known:
        return carried
    if suspicion is None or suspicion.messages != carried:
        return Suspicion(carried, closed)
    return carried if opened >= suspicion.at else suspicion


_WORDS: dict[str, str] = {
    Habit.FOLLOW: "loses count when a message is announced behind another",
    Habit.PIPELINING: "cannot take commands in groups (PIPELINING)",
    Habit.CHUNKING: "cannot take messages in chunks (CHUNKING)",
    Habit.TLS: "cannot do TLS, though it offers it",
    Habit.HELLO: "answers small TLS hellos only",
    Habit.MESSAGES: "takes {value:.0f} messages on a connection",
    Habit.UNANSWERED: "leaves messages without an answer, so it gets one on a connection, and slowly",
    Habit.RECIPIENTS: "takes {value:.0f} recipients in a transaction",
    Habit.OUTAGE: "cannot be reached; tried {value:.0f} times",
    Habit.RATE: "complained: {value:.1%} of the rate is used",
    Habit.CONCURRENCY: "complained: {value:.1%} of the connections are used",
}


def in_words(fact: str, value: float) -> str:
    """A fact for people; one that another version has learnt, by its name."""
    words = _WORDS.get(fact)
    return fact if words is None else words.format(value=value)
