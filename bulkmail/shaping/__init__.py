"""Decisions: how fast, how many at once, what a reply means, when to try again, which host to leave alone.

Room: decisions about pace, limits, retries, replies and health.
Takes: outcomes and figures; ``now`` and the dice by argument.
Gives: values that say when and what: a time, a verdict, a decision.
Never: waits, acts, reads a clock, touches a socket or a file.

How a refusal becomes the next attempt: ``classify`` reads the reply (its words before its codes) and gives a category,
whether it is permanent, and a signal for the lane. ``decide`` turns that into a status and, perhaps, a time. The lane
counts the words on the ``RuleBook`` of the settings, which may do more, and
hands the signal to its ``Limiter``, which cuts its rate below what was refused and comes near it again, slowly. It
counts connections and books messages on a ``Meter`` for everything that shares a limit: a provider's sites together,
else the one site. Where several machines send to a large provider at once, each one's limiter has its ``Part`` of the
limits (``shares``).

What is known of hosts is kept apart from what is known of recipients. A dead address delays no recipient while the site
has another one (``HostMemory``); a dead site has one timer (``SiteHealth``). A pause, a throttle or a fault of our own
costs a recipient neither an attempt nor retry time (``UnchargedTime``). When a campaign may send at all is its
``Schedule``; its first messages at a receiver are its ``Canary``, and where too many of its last ones were refused its
``Breaker`` stops it. What mail is sent from is a ``Source``, and ``SourceChoice`` says whose turn it is; which of
several campaigns is next where they share something is told by ``Turns`` (``fair``). What has been learnt of a site
(``facts``) is kept in ``SiteFacts``, each fact with its expiry, so that the spool can carry it over a restart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkmail.lazily import later
from bulkmail.shaping.classify import Verdict, classify, named_wait, status_of

if TYPE_CHECKING:
    from bulkmail.shaping.allowance import Allowance
    from bulkmail.shaping.breaker import LEAST_COMPLAINTS, OTHER, PARTS, Back, Breaker, StopRules, Trip
    from bulkmail.shaping.canary import GREYLISTED, Canary
    from bulkmail.shaping.clock import ClockChange, clock_changes, instant, moment, wall_time
    from bulkmail.shaping.daily import Budget, days_of
    from bulkmail.shaping.facts import (
        Fact,
        FactKind,
        Hint,
        Suspicion,
        describe_fact,
        hint,
        judge,
        learn,
        messages_now,
        outage,
        partly,
        suspended_until,
        takes,
    )
    from bulkmail.shaping.fair import AHEAD, SMALL, WEIGHTS, Priority, Turns, Weighted, room_for, share_of
    from bulkmail.shaping.families import version_of
    from bulkmail.shaping.feedback import Consequences, Feedback, TransactionResult, WindowChange
    from bulkmail.shaping.health import HostMemory, SiteHealth
    from bulkmail.shaping.hours import EVERY_DAY, WHOLE_DAY, Hours, format_days, format_hours, parse_days, parse_hours
    from bulkmail.shaping.judgements import Judgements
    from bulkmail.shaping.limiter import Limiter, Ruled
    from bulkmail.shaping.limits import DEFAULT_LIMITS, Limits, Provider, limits_for, provider_of, provider_table
    from bulkmail.shaping.meter import Meter
    from bulkmail.shaping.planning import SECONDS_A_MESSAGE, Demand, Flow, Leg, plan_flow
    from bulkmail.shaping.retry import Decision, RetrySettings, after_unknown, decide, interval, longest_wait
    from bulkmail.shaping.rules import Rule, RuleAction, RuleBook, RuleCounter, own_rules
    from bulkmail.shaping.schedule import Opening, Schedule
    from bulkmail.shaping.shares import WHOLE, Part, shares_of
    from bulkmail.shaping.shipped_rules import SHIPPED_RULES
    from bulkmail.shaping.site_facts import Changes, SiteFacts
    from bulkmail.shaping.sources import ANY_SOURCE, Source, SourceChoice, without_source
    from bulkmail.shaping.suppressing import AutoSuppression, Suppress, Width, bounce_of, is_hard, is_soft, to_suppress
    from bulkmail.shaping.throttle import ConnectionThrottle, RateThrottle
    from bulkmail.shaping.unanswered import UnansweredMessages
    from bulkmail.shaping.uncharged import Beside, UnchargedTime
    from bulkmail.shaping.warmup import DAY, DEFAULT_PLAN, WarmupDay, WarmupPlan, block_of, warmup_plans
else:
    __getattr__ = later(
        __name__,
        {
            "allowance": "Allowance",
            "breaker": "LEAST_COMPLAINTS OTHER PARTS Back Breaker StopRules Trip",
            "canary": "GREYLISTED Canary",
            "clock": "ClockChange clock_changes instant moment wall_time",
            "daily": "Budget days_of",
            "facts": (
                "Fact FactKind Hint Suspicion describe_fact hint judge learn messages_now outage partly "
                "suspended_until takes"
            ),
            "fair": "AHEAD SMALL WEIGHTS Priority Turns Weighted room_for share_of",
            "families": "version_of",
            "feedback": "Consequences Feedback TransactionResult WindowChange",
            "health": "HostMemory SiteHealth",
            "hours": "EVERY_DAY WHOLE_DAY Hours format_days format_hours parse_days parse_hours",
            "judgements": "Judgements",
            "limiter": "Limiter Ruled",
            "limits": "DEFAULT_LIMITS Limits Provider limits_for provider_of provider_table",
            "meter": "Meter",
            "planning": "SECONDS_A_MESSAGE Demand Flow Leg plan_flow",
            "retry": "Decision RetrySettings after_unknown decide interval longest_wait",
            "rules": "Rule RuleAction RuleBook RuleCounter own_rules",
            "schedule": "Opening Schedule",
            "shares": "WHOLE Part shares_of",
            "shipped_rules": "SHIPPED_RULES",
            "site_facts": "Changes SiteFacts",
            "sources": "ANY_SOURCE Source SourceChoice without_source",
            "suppressing": "AutoSuppression Suppress Width bounce_of is_hard is_soft to_suppress",
            "throttle": "ConnectionThrottle RateThrottle",
            "unanswered": "UnansweredMessages",
            "uncharged": "Beside UnchargedTime",
            "warmup": "DAY DEFAULT_PLAN WarmupDay WarmupPlan block_of warmup_plans",
        },
    )

__all__ = [
    "AHEAD",
    "ANY_SOURCE",
    "DAY",
    "DEFAULT_LIMITS",
    "DEFAULT_PLAN",
    "EVERY_DAY",
    "GREYLISTED",
    "LEAST_COMPLAINTS",
    "OTHER",
    "PARTS",
    "SECONDS_A_MESSAGE",
    "SHIPPED_RULES",
    "SMALL",
    "WEIGHTS",
    "WHOLE",
    "WHOLE_DAY",
    "Allowance",
    "AutoSuppression",
    "Back",
    "Beside",
    "Breaker",
    "Budget",
    "Canary",
    "Changes",
    "ClockChange",
    "ConnectionThrottle",
    "Consequences",
    "Decision",
    "Demand",
    "Fact",
    "FactKind",
    "Feedback",
    "Flow",
    "Hint",
    "HostMemory",
    "Hours",
    "Judgements",
    "Leg",
    "Limiter",
    "Limits",
    "Meter",
    "Opening",
    "Part",
    "Priority",
    "Provider",
    "RateThrottle",
    "RetrySettings",
    "Rule",
    "RuleAction",
    "RuleBook",
    "RuleCounter",
    "Ruled",
    "Schedule",
    "SiteFacts",
    "SiteHealth",
    "Source",
    "SourceChoice",
    "StopRules",
    "Suppress",
    "Suspicion",
    "TransactionResult",
    "Trip",
    "Turns",
    "UnansweredMessages",
    "UnchargedTime",
    "Verdict",
    "WarmupDay",
    "WarmupPlan",
    "Weighted",
    "Width",
    "WindowChange",
    "after_unknown",
    "block_of",
    "bounce_of",
    "classify",
    "clock_changes",
    "days_of",
    "decide",
    "describe_fact",
    "format_days",
    "format_hours",
    "hint",
    "instant",
    "interval",
    "is_hard",
    "is_soft",
    "judge",
    "learn",
    "limits_for",
    "longest_wait",
    "messages_now",
    "moment",
    "named_wait",
    "outage",
    "own_rules",
    "parse_days",
    "parse_hours",
    "partly",
    "plan_flow",
    "provider_of",
    "provider_table",
    "room_for",
    "share_of",
    "shares_of",
    "status_of",
    "suspended_until",
    "takes",
    "to_suppress",
    "version_of",
    "wall_time",
    "warmup_plans",
    "without_source",
]
