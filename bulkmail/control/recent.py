"""What receivers have said to the last attempts of a campaign: by provider, and counted by their words."""

from __future__ import annotations

from typing import Any

from bulkmail.control.overview import stamp
from bulkmail.mail import LateResult
from bulkmail.report import Wordings
from bulkmail.spool import Reading, RecentAttempt

ATTEMPTS = 5000
"""So many of the newest attempts are looked at, which takes some 50 ms."""
LAST = 50
"""Of these so many of each provider say how it stands (PowerMTA's monitor has the same number)."""
_WORDINGS = 10  # of each provider and category
_LATE = frozenset(map(str, LateResult))


_FEWEST = 10


def light(last: int, delivered: int) -> str:
    """Return how a provider stands by its ``last`` attempts: good, wrong, or "over" where they say nothing.

    Under 10 attempts say nothing; under 90 % of them delivered is bad (the marks of PowerMTA's monitor).
    """
    if last < _FEWEST:
        return "over"
    return "good" if delivered * 10 >= last * 9 else "wrong"


def recent(reader: Reading, name: str) -> dict[str, Any] | None:
    """Return it as `campaign_models.RecentAnswer` has it; None where there is no such campaign. Raises OwnFault."""
    campaign = reader.campaign(name)
    if campaign is None:
        return None
    attempts = reader.recent(campaign.id, ATTEMPTS)
    tries = {provider or "other": at for provider, at in reader.next_tries(campaign.id).items()}
    lasts: dict[str, list[int]] = {}  # provider -> how many of the last attempts, how many of them delivered
    words: dict[str, Wordings] = {}
    durations: dict[str, list[int]] = {}
    said_at: dict[tuple[str, str], float] = {}  # (provider, category) -> when last
    for one in attempts:
        result, category = one.result, one.category
        if result in _LATE:
            continue
        key = one.provider or "other"
        if result == "delivered":
            durations.setdefault(key, []).append(one.duration_ms)
        last = lasts.setdefault(key, [0, 0])
        if last[0] < LAST:
            last[0] += 1
            last[1] += result == "delivered"
        if is_told(one):
            words.setdefault(key, Wordings()).add(category, one.code, one.reply)
            said_at.setdefault((key, category), one.at)
    for key in tries:
        lasts.setdefault(key, [0, 0])
    replies = [
        {
            "provider": provider,
            "category": said.category,
            "wording": said.key,
            "reply": said.example,
            "count": said.times,
            "last_at": stamp(said_at[provider, said.category]),
        }
        for provider, wordings in words.items()
        for said in wordings.said(_WORDINGS)
    ]
    replies.sort(key=lambda one: (-int(str(one["count"])), one["provider"], one["reply"]))
    return {
        "campaign": name,
        "attempts": len(attempts),
        "whole": len(attempts) < ATTEMPTS,
        "accepted_ms": _quantiles([took for each in durations.values() for took in each]),
        "providers": [
            {
                "provider": key,
                "last": of,
                "delivered": good,
                "accepted_ms": _quantiles(durations.get(key, [])),
                "next_try_at": stamp(tries.get(key)),
            }
            for key, (of, good) in sorted(lasts.items())
        ],
        "replies": replies,
    }


def is_told(attempt: RecentAttempt) -> bool:
    """Return whether what was said to it is counted by its words: all but good replies, and what came back later."""
    return bool(attempt.reply) and attempt.result != "delivered" and attempt.result not in _LATE


def _quantiles(durations: list[int]) -> tuple[int, int] | None:
    """Return the median and the 95th percentile, by the nearest rank."""
    if not durations:
        return None
    durations.sort()
    return durations[(len(durations) - 1) // 2], durations[-(-len(durations) * 95 // 100) - 1]
