"""Whether a limit was kept: the laws of a rate, looked at from the receiver's side and from the sender's.

For tests and benches. A rate with a burst lets any window of ``w`` seconds hold ``burst + w * rate`` messages. So for a
list of times there is a smallest burst that would have let them pass; it says more than a count of whole seconds.

When a message is *granted* is in attempts.csv: its end, less its duration. When it *arrives* the receiver says. Between
the two lie commands, replies and the processors' other work; where that took from ``a`` to ``b`` seconds, a window at
the receiver may hold what was granted in one that is ``b - a`` longer, and no more (`smear`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

UNSURE = 0.002  # both times of an attempt are rounded to a millisecond


def burst_needed(times: Iterable[float], rate: float) -> float:
    """The smallest burst that lets these pass at this rate."""
    level = most = 0.0
    last = float("-inf")
    for at in sorted(times):
        level = max(0.0, level - (at - last) * rate) + 1
        last = at
        most = max(most, level)
    return most


def speed(times: Sequence[float]) -> float:
    """Messages a second, from the first to the last."""
    return (len(times) - 1) / (max(times) - min(times))


def grants(
    attempts: Iterable[Mapping[str, str]], received: Sequence[Mapping[str, Any]]
) -> dict[tuple[str, str], list[float]]:
    """(recipient, address of the host) -> when messages were granted.

    An attempt that a crash interrupted has no such time: the receiver's, of its MAIL, stands for it.
    """
    found: dict[tuple[str, str], list[float]] = {}
    for attempt in attempts:
        if attempt["result"] != "unknown" or attempt["duration_ms"] not in ("", "0"):
            at = datetime.fromisoformat(attempt["at"]).timestamp() - int(attempt["duration_ms"]) / 1000
            found.setdefault((attempt["email"], attempt["mx_ip"]), []).append(at)
    seen: dict[tuple[str, str], list[float]] = {}
    for one in received:
        seen.setdefault((one["to"], one["ip"]), []).append(one["mail_at"])
    for key, times in seen.items():
        known = found.setdefault(key, [])
        known += sorted(times)[: max(0, len(times) - len(known))]
    return found


def of_each(granted: Mapping[tuple[str, str], Iterable[float]]) -> dict[str, list[float]]:
    """Address -> when messages to it were granted."""
    found: dict[str, list[float]] = {}
    for (_, ip), times in granted.items():
        found.setdefault(ip, []).extend(times)
    return found


def delays(granted: Mapping[tuple[str, str], Sequence[float]], received: Iterable[Mapping[str, Any]]) -> list[float]:
    """How long each message took from its grant to its end at the receiver; those that have one of each."""
    found: dict[tuple[str, str], list[float]] = {}
    for one in received:
        found.setdefault((one["to"], one["ip"]), []).append(one["at"])
    return [times[0] - granted[key][0] for key, times in found.items() if len(times) == 1 == len(granted.get(key, ()))]


def smear(found: Sequence[float], rate: float) -> float:
    """How many messages more than were granted in a window may arrive in one of its length."""
    return (max(found) - min(found)) * rate if found else 0.0


def most_open(lines: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Address -> the most connections to it at once, from the receiver's --connections."""
    now: dict[str, dict[str, int]] = {}
    most: dict[str, int] = {}
    for line in lines:
        now.setdefault(line["ip"], {})[line["helo"]] = line["open"]
        most[line["ip"]] = max(most.get(line["ip"], 0), sum(now[line["ip"]].values()))
    return most
