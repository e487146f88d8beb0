"""Decisions: how fast, how many at once, what a reply means, when to try again, which host to leave alone.

Room: decisions about pace, limits, retries, replies and health.
Takes: outcomes and figures; ``now`` and the dice by argument.
Gives: values that say when and what: a time, a verdict, a decision.
Never: waits, acts, reads a clock, touches a socket or a file.

How a refusal becomes the next attempt: ``classify`` reads the reply (its words before its codes) and gives a category,
whether it is permanent, and a signal for the lane. ``decide`` turns that into a status and, perhaps, a time. The lane
hands the signal to its ``Gate``, which goes slower by halves and creeps back by tenths; the gate counts connections and
books messages on a ``Meter`` for everything that shares a limit: a provider's sites together, else the one site. Where
several machines have a large provider at once, each one's gate has its ``Part`` of the limits (``shares``).

What is known of hosts is kept apart from what is known of recipients. A dead address delays nobody while the site has
another one (``HostMemory``); a dead site has one timer (``SiteHealth``); a pause, a throttle or a fault of our own is
none of this and costs a recipient neither an attempt nor retry time. What a site has taught us of itself (``habits``)
is kept in a ``Memory``, each fact with its end, so that the spool can carry it over a restart.
"""

from __future__ import annotations

from bulkmail.shaping.classify import Verdict, classify, named_wait, status_of
from bulkmail.shaping.doubts import Doubts
from bulkmail.shaping.feedback import Consequences, Feedback, TransactionResult, WindowChange
from bulkmail.shaping.gate import Gate
from bulkmail.shaping.habits import (
    Fact,
    Habit,
    Hint,
    Suspicion,
    hint,
    in_words,
    judge,
    learn,
    messages_now,
    outage,
    partly,
    takes,
)
from bulkmail.shaping.health import HostMemory, SiteHealth
from bulkmail.shaping.limits import DEFAULT_LIMITS, Limits, Provider, limits_for, provider_of, provider_table
from bulkmail.shaping.memory import Changes, Memory
from bulkmail.shaping.meter import Meter
from bulkmail.shaping.pace import Pace
from bulkmail.shaping.pauses import Pauses
from bulkmail.shaping.retry import (
    Decision,
    Dice,
    RetryPlan,
    RetrySettings,
    after_unknown,
    decide,
    interval,
    longest_wait,
)
from bulkmail.shaping.shares import WHOLE, Part, shares_of

__all__ = [
    "DEFAULT_LIMITS",
    "WHOLE",
    "Changes",
    "Consequences",
    "Decision",
    "Dice",
    "Doubts",
    "Fact",
    "Feedback",
    "Gate",
    "Habit",
    "Hint",
    "HostMemory",
    "Limits",
    "Memory",
    "Meter",
    "Pace",
    "Part",
    "Pauses",
    "Provider",
    "RetryPlan",
    "RetrySettings",
    "SiteHealth",
    "Suspicion",
    "TransactionResult",
    "Verdict",
    "WindowChange",
    "after_unknown",
    "classify",
    "decide",
    "hint",
    "in_words",
    "interval",
    "judge",
    "learn",
    "limits_for",
    "longest_wait",
    "messages_now",
    "named_wait",
    "outage",
    "partly",
    "provider_of",
    "provider_table",
    "shares_of",
    "status_of",
    "takes",
]
