"""From the API's answers to what a page shows: numbers in words, bars, and who may press what. Pure.

Every text of an answer is hostile: names, reasons and replies were written by others. They stay as they are here, and
`pages` makes them harmless.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from bulkmail.control import light
from bulkmail.mail import Word
from bulkmail.report import category_words, status_words
from bulkmail.spool import HOLD_KINDS

SHOWN = ("delivered", "deferred", "bounced", "blocked", "expired", "unknown")
"""The statuses that have a colour of their own; the other final ones are never sent."""
NEVER_SENT = ("suppressed", "duplicate", "invalid", "cancelled")
MOST_DOMAINS = 50
"""So many domains are on the page of a provider."""
_OVER = (Word.FINISHED, Word.CANCELLED)
_GOING = (Word.SENDING, Word.WAITING)
_SENT = ("delivered", "bounced", "blocked", "expired", "unknown")
_WHOLE = 100.0


class Segment(NamedTuple):
    """A part of a bar, in hundredths of its width."""

    status: str
    start: float
    width: float
    rows: int


def bar(by_status: Mapping[str, int], rows: int) -> list[Segment]:
    """Return the parts of a campaign's bar; what is left of the width is pending."""
    counts = [(status, by_status.get(status, 0)) for status in SHOWN]
    counts.append(("never", sum(by_status.get(status, 0) for status in NEVER_SENT)))
    whole = max(rows, sum(by_status.values()))
    segments, start = [], 0.0
    for status, count in counts:
        if count and whole:
            width = _WHOLE * count / whole
            segments.append(Segment(status, round(start, 3), round(width, 3), count))
            start += width
    return segments


def tone(word: str) -> str:
    """Return how a situation is coloured: good, wait, wrong, over."""
    if word in _OVER:
        return "over"
    try:
        wrong = Word(word).wrong
    except ValueError:
        wrong = True
    return "wrong" if wrong else "good" if word in _GOING else "wait"


def lasting(seconds: int | None) -> str:
    """Return a time in words: ``about 2 h 5 min``; "" where it is not known."""
    if seconds is None:
        return ""
    minutes = max(1, round(seconds / 60))
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{days} d" if days else "", f"{hours} h" if hours else "", f"{minutes} min" if minutes else ""]
    return "about " + " ".join([part for part in parts if part][:2])


def when(stamp: str | None) -> str:
    """Return a time of the API for people, in UTC: ``2026-12-02 03:31``; "" for none."""
    if not stamp:
        return ""
    try:
        return datetime.fromisoformat(stamp).strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return stamp


def campaign_line(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a list says of a campaign."""
    by_status, situation = told["by_status"], told["situation"]
    rows = told["input_rows"]
    return {
        "name": told["campaign"],
        "word": situation["word"],
        "sentence": situation["sentence"],
        "tone": tone(situation["word"]),
        "fault": situation["fault"],
        "rows": rows,
        "rows_known": told["input_complete"],
        "delivered": by_status.get("delivered", 0),
        "failed": sum(by_status.get(one, 0) for one in ("bounced", "blocked", "expired", "unknown")),
        "waiting": sum(by_status.get(one, 0) for one in ("pending", "deferred")),
        "never": sum(by_status.get(one, 0) for one in NEVER_SENT),
        "bar": bar(by_status, rows),
        "rate": told["rate"],
        "left": lasting(told["seconds_left"]),
        "started": when(told["started_at"]),
        "ended": when(told["ended_at"]),
    }


def slowed(providers: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the providers that have slowed us down, by what part of the rate is used, the slowest first."""
    found = [
        {"provider": one["provider"], "pace": round(one["rate_factor"] * 100), "rate": one["rate"].partition(",")[0]}
        for one in providers
        if one["rate_factor"] < 1
    ]
    return sorted(found, key=lambda one: (one["pace"], one["provider"]))


def matrix(
    by_provider: Mapping[str, Mapping[str, int]],
    providers: Iterable[Mapping[str, Any]],
    recent: Iterable[Mapping[str, Any]],
    in_flight: Mapping[str, int] | None = None,
) -> list[dict[str, Any]]:
    """Return a row for each provider of a campaign, the largest first.

    ``providers``: the known ones as they are now, over all campaigns; ``recent``: what came of the last attempts.
    ``in_flight``: messages on connections now, by provider; None where the campaign is not sent.
    """
    known = {one["provider"]: one for one in providers}
    lasts = {one["provider"]: one for one in recent}
    rows = []
    for provider in dict.fromkeys((*by_provider, *(in_flight or ()))):
        counts = by_provider.get(provider, {})
        now, last = known.get(provider), lasts.get(provider, {"last": 0, "delivered": 0})
        tried, delivered = last["last"], last["delivered"]
        rows.append(
            {
                "provider": provider,
                **{status: counts.get(status, 0) for status in SHOWN},
                "all": sum(counts.values()),
                "light": light(tried, delivered),
                "last": f"{delivered} of {tried}",
                "in_flight": None if in_flight is None else in_flight.get(provider, 0),
                "open": None if now is None else now["open"],
                "rate": "" if now is None else now["rate"],
                "pace": None if now is None else round(now["rate_factor"] * 100),
                "next": when(last.get("next_try_at")),
            }
        )
    return sorted(rows, key=lambda row: (-row["all"], row["provider"]))


def waiting_of(campaigns: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the sites that campaigns wait for, each once."""
    return list({site["site"]: site for told in campaigns for site in told["waiting_sites"]}.values())


def holds_of(campaigns: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return everything that is held of campaigns that are not over, the longest first.

    ``also``: where the campaign is held besides, which ends with a resume of the whole campaign. ``stays``: what holds
    it there after the resume.
    """
    found = [
        {
            "campaign": told["campaign"],
            **hold,
            "stamp": hold["since"] or "",
            "since": when(hold["since"]),
            "until": when(hold["until"]),
            "resumable": resumable(hold["kind"]),
            "also": [] if hold["provider"] else resumed_at(told["holds"]),
            "stays": resume_of(told["holds"], hold["provider"]).stays if resumable(hold["kind"]) else [],
        }
        for told in campaigns
        if told["situation"]["word"] not in _OVER
        for hold in told["holds"]
    ]
    return sorted(found, key=lambda hold: (hold["stamp"], hold["campaign"], hold["provider"]))


def resumable(kind: str) -> bool:
    """Return whether a resume ends holds of this kind."""
    return kind in ("paused", "rule")


class Resume(NamedTuple):
    """What a resume ends, and what stays held, each in words."""

    ends: list[str]
    stays: list[str]


def resume_of(holds: Iterable[Mapping[str, Any]], provider: str = "") -> Resume:
    """Return what a resume does with the holds of a campaign: of the whole campaign, or at one provider."""
    ends, stays = [], []
    for hold in holds:
        kind, at = hold["kind"], hold["provider"]
        if resumable(kind) and provider in ("", at):
            what = "the pause" if kind == "paused" else "the stop by a rule"
            ends.append(f"{what} {f'at {at}' if at else 'of the whole campaign'}")
        elif provider == "" or at in ("", provider):
            stays.append(f"{f'what goes to {at}' if at else 'all of it'}, because {HOLD_KINDS.get(kind, kind)}")
    return Resume(ends, stays)


def resumed_at(holds: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the providers at which a resume of the whole campaign ends a hold."""
    return sorted({hold["provider"] for hold in holds if hold["provider"] and resumable(hold["kind"])})


def possible(told: Mapping[str, Any]) -> Sequence[str]:
    """Return what can be done about a campaign as it is now, in the order of the buttons."""
    word, kinds = told["situation"]["word"], {hold["kind"] for hold in told["holds"]}
    if word in (*_OVER, Word.CANCELLING):
        return ()
    found = []
    if "approval" in kinds and not kinds & {"checking", "refused"}:  # it is not asked for before
        found.append("approve")
    if any(map(resumable, kinds)):
        found.append("resume")
    if not any(hold["kind"] == "paused" and not hold["provider"] for hold in told["holds"]):
        found.append("pause")
    if told["by_status"].get("deferred"):
        found.append("try-now")
    return (*found, "cancel")


def counts_of(by_status: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return each status that rows have, with what it means."""
    return [
        {"status": status, "count": count, "sentence": status_words(status).sentence}
        for status, count in by_status.items()
        if count
    ]


def categories_of(by_category: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return why rows were not delivered, the most frequent first."""
    found = sorted(by_category.items(), key=lambda pair: (-pair[1], pair[0]))
    return [{"category": one, "count": count, "why": category_words(one).title} for one, count in found]


def status_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with why it has its status, in words; where it was never tried, no provider is known."""
    why = category_words(row["category"]).title if row["category"] else ""
    return {**row, "why": why, "provider": row.get("provider", "") if row["attempts"] else ""}


def variants_of(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return how the variants compare: those that were sent are the rows that some server has answered for good."""
    winner = told["winner"]["variant"] if told["winner"] else ""
    return [
        {
            **{name: one[name] for name in ("variant", "clicked", "unsubscribed", "complained")},
            "rows": sum(one["by_status"].values()),
            "sent": sum(one["by_status"].get(status, 0) for status in _SENT),
            **{status: one["by_status"].get(status, 0) for status in ("delivered", "bounced")},
            "wins": one["variant"] == winner,
        }
        for one in told["variants"]
    ]


def tone_of(status: str) -> str:
    """Return how a row's status is coloured."""
    return {"delivered": "good", "pending": "wait", "deferred": "wait"}.get(status, "over")


def of_provider(told: Mapping[str, Any], recent: Mapping[str, Any], provider: str) -> dict[str, Any]:
    """Return how a campaign stands at one provider. ``recent``: what came of its last attempts."""
    counts = told["by_provider"].get(provider, {})
    last = next((one for one in recent["providers"] if one["provider"] == provider), None)
    tried, delivered = (0, 0) if last is None else (last["last"], last["delivered"])
    accepted = None if last is None else last["accepted_ms"]
    return {
        "campaign": told["campaign"],
        "counts": {status: counts.get(status, 0) for status in SHOWN},
        "light": light(tried, delivered),
        "last": f"{delivered} of {tried}",
        "median": None if accepted is None else accepted[0],
        "most": None if accepted is None else accepted[1],
        "next": "" if last is None else when(last["next_try_at"]),
    }


def domains_of(told: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the domains of a provider in some campaigns, the largest first; ``whole``: there are no more."""
    found = [{"campaign": one["campaign"], **domain} for one in told for domain in one["domains"]]
    found.sort(key=lambda one: (-(one["rows"] or 0), one["domain"], one["campaign"]))
    return {"rows": found[:MOST_DOMAINS], "whole": len(found) <= MOST_DOMAINS and all(one["whole"] for one in told)}


def replies_of(recent: Iterable[Mapping[str, Any]], provider: str) -> list[dict[str, Any]]:
    """Return what a provider has said to the last attempts of campaigns, the most frequent first."""
    found = [
        {"campaign": one["campaign"], **reply, "stamp": reply["last_at"], "last_at": when(reply["last_at"])}
        for one in recent
        for reply in one["replies"]
        if reply["provider"] == provider
    ]
    return sorted(found, key=lambda one: (-one["count"], one["campaign"], one["reply"]))


def plotted(bucket: Mapping[str, Any], width: int) -> dict[str, Any]:
    """Return a span of time for a plot and for its table. ``rate``: deliveries a second."""
    accepted = bucket["accepted_ms"]
    at = datetime.fromisoformat(bucket["at"])
    return {
        "seconds": int(at.timestamp()),
        "at": at.strftime("%Y-%m-%d %H:%M:%S"),
        "rate": round(bucket["delivered"] / width, 3),
        **{name: bucket[name] for name in ("delivered", "failed", "deferred", "unknown")},
        "median": "" if accepted is None else accepted[0],
        "most": "" if accepted is None else accepted[1],
    }
