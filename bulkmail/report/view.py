"""The page's content as plain values: the headline, the figures, the reasons. The template only lays it out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

from bulkmail.mail import REST, Status, Word, can_be_tried_again, count_of, is_to_leave
from bulkmail.report.clicks import clicks_to_show
from bulkmail.report.facts import Counts, Facts
from bulkmail.report.plot import plot
from bulkmail.report.tally import Stats
from bulkmail.report.words import category_words, late_words, provider_name, state_words, status_words

_PROVIDERS = 20
_NO_PROVIDER = ("", "other")  # what the domains that belong to no provider are counted under
_DOMAINS = 15
_ALIVE = frozenset({"new", "importing", "running"})
_TROUBLE = frozenset({Word.PAUSED, Word.STOPPED, Word.FAULTY, Word.APPROVAL, Word.SCHEDULED, Word.CANCELLING})
_WAITING = (Status.PENDING, Status.DEFERRED)
_GROUPS: tuple[tuple[str, str, tuple[Status, ...]], ...] = (
    ("delivered", "Delivered", (Status.DELIVERED,)),
    ("bounced", "Bounced", (Status.BOUNCED,)),
    ("blocked", "Blocked or given up", (Status.BLOCKED, Status.EXPIRED)),
    ("unknown", "Not known", (Status.UNKNOWN,)),
    ("waiting", "Still to come", _WAITING),
    ("out", "Not sent", (Status.SUPPRESSED, Status.INVALID, Status.CANCELLED)),
)


def view(facts: Facts, stats: Stats) -> dict[str, Any]:
    """Return everything the template needs.

    The counts are those of ``stats``, one pass over the rows: they agree with recipients.csv to the row; ``facts``
    gives what the rows do not know.
    """
    counts = stats.by_status
    people = stats.rows - counts[Status.DUPLICATE]  # a repeated row is no other person
    return {
        "campaign": facts.campaign,
        "subject": stats.subject or facts.subject,
        "sender": facts.sender,
        "state": state_words(facts.word),
        "alive": facts.state in _ALIVE,
        "trouble": facts.sentence if facts.word in _TROUBLE else "",
        "rehearsal": facts.rehearsal,
        "headline": headline(counts, people, facts),
        "lines": [*_lines(counts, stats.rows, facts), *late_lines(stats.late), *_winner_lines(facts)],
        "waiting": any(counts[status] for status in _WAITING),
        "groups": _groups(counts, people, via_relay=bool(facts.via_relay)),
        "statuses": _statuses(counts, people, via_relay=bool(facts.via_relay)),
        "reasons": _reasons(stats),
        "plot": plot(facts.timeline, facts.zone),
        "clicks": clicks_to_show(facts.clicks),
        "providers": _providers(facts.by_provider),
        "take_off": _lines_of(_to_be_taken_off(stats)),
        "try_again": _lines_of(_to_be_tried_again(stats)),
        "variants": _variants(facts, stats),
        "domains": _shares(stats.domains.top(_DOMAINS), _DOMAINS),
        "facts": _facts(counts, facts, stats.subject or facts.subject),
        "rows": count_of(stats.rows, "row"),
        "written": minute(facts.now, facts.zone),
    }


def headline(counts: Counts, people: int, facts: Facts) -> str:
    """Return one sentence: how many people got it."""
    if not people:
        return "The list is empty" if facts.input_complete else "The list is being read"
    so_far = any(counts[status] for status in _WAITING) or not facts.input_complete
    of = f"{counts[Status.DELIVERED]:,} of {count_of(people, 'person', 'people')}"
    if facts.via_relay:
        return f"The relay has taken the messages to {of}{' so far' if so_far else ''}"
    return f"{of} {'have it so far' if so_far else 'got it'}"


def share(part: int, whole: int) -> str:
    """Return a share as ``94.7 %``; never 0 % of something, nor 100 % of not quite all."""
    if not part or not whole:
        return "0 %"
    if part == whole:
        return "100 %"
    per_cent = 100 * part / whole
    if per_cent < 0.1:
        return "< 0.1 %"
    return "> 99.9 %" if per_cent > 99.9 else f"{per_cent:.1f} %"


def minute(at: float | None, zone: tzinfo = UTC) -> str:
    """Return a time in epoch seconds as ``1 December 2026, 09:00 UTC``; ``""`` where there is none."""
    try:
        return f"{datetime.fromtimestamp(at, zone):%-d %B %Y, %H:%M %Z}" if at else ""
    except (OverflowError, ValueError, OSError):
        return ""


def length(seconds: float) -> str:
    """Return a length of time in its two largest units: ``2 d 3 h``, ``5 min 12 s``."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for size, name in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        number, left = divmod(left, size)
        if number or parts:
            parts.append(f"{number} {name}" if number else "")
    return " ".join(part for part in parts[:2] if part) or "less than a second"


def _lines(counts: Counts, rows: int, facts: Facts) -> list[str]:
    lines = [facts.sentence] if facts.word in _TROUBLE else []
    waiting, again = counts[Status.PENDING], counts[Status.DEFERRED]
    if facts.via_relay:
        lines.append(
            f"Everything went to the relay {facts.via_relay}, so “delivered” means here that the relay took the "
            "message. What became of it afterwards only the relay knows."
        )
    if not facts.input_complete:
        lines.append(f"The list is still being read: {count_of(rows, 'row')} so far.")
    if waiting:
        lines.append(f"{count_of(waiting, 'person is', 'people are')} still waiting for their turn.")
    if again:
        soon = (
            f", next at {datetime.fromtimestamp(facts.next_try_at, facts.zone):%H:%M %Z}" if facts.next_try_at else ""
        )
        lines.append(f"{count_of(again, 'person', 'people')} could not be reached yet and will be tried again{soon}.")
    if counts[Status.DUPLICATE]:
        repeated = count_of(counts[Status.DUPLICATE], "of them repeats", "of them repeat")
        lines.append(f"The list has {count_of(rows, 'row')}; {repeated} an address that stands further up.")
    if counts[Status.UNKNOWN]:
        unknown = count_of(counts[Status.UNKNOWN], "person", "people")
        lines.append(f"For {unknown} we cannot say whether the message arrived; they are not counted as delivered.")
    if facts.possibly_doubled:
        lines.append(
            f"{count_of(facts.possibly_doubled, 'person', 'people')} may have got it twice: the line went dead before "
            "the confirmation came, so the same message was sent again. Most mail systems drop such a second copy."
        )
    return lines


def late_lines(late: Counts) -> list[str]:
    """Return the sentence about what came back after the messages were taken; none where nothing did."""
    words = late_words(late)
    return [f"After the messages were taken, {words}."] if words else []


def _winner_lines(facts: Facts) -> list[str]:
    why = facts.variants.get("why")
    return [f"Those who were in no variant get {facts.variants['winner']}: {why}."] if why else []


def _groups(counts: Counts, people: int, *, via_relay: bool) -> list[dict[str, Any]]:
    groups = []
    for part, title, statuses in _GROUPS:
        count = sum(counts[status] for status in statuses)
        if count:
            groups.append(
                {
                    "part": part,
                    "title": status_words(Status.DELIVERED, via_relay=True).title
                    if via_relay and part == "delivered"
                    else title,
                    "count": f"{count:,}",
                    "share": share(count, people),
                    "width": _width(count, people),
                }
            )
    return groups


def _statuses(counts: Counts, people: int, *, via_relay: bool) -> list[dict[str, Any]]:
    listed = [(part, status) for part, _, statuses in _GROUPS for status in statuses]
    return [
        {
            "part": part,
            "count": f"{counts[status]:,}",
            "share": share(counts[status], people) if status != Status.DUPLICATE else "",
            **status_words(status, via_relay=via_relay)._asdict(),
        }
        for part, status in [*listed, ("out", Status.DUPLICATE)]
        if counts[status]
    ]


def _reasons(stats: Stats) -> list[dict[str, Any]]:
    """Return each category, the most frequent first, with what the receivers said."""
    totals: Counter[str] = Counter()
    parts: dict[str, Counter[str]] = {}
    for (status, category), count in stats.outcomes.items():
        if category and status != Status.DELIVERED:
            totals[category] += count
            parts.setdefault(category, Counter())[_part_of(status)] += count
    said = stats.wordings.top()
    most = max(totals.values(), default=1)
    return [
        {
            "category": category,
            "count": count_of(count, "person", "people"),
            "bar": [{"part": part, "width": _width(number, most)} for part, number in parts[category].most_common()],
            "waiting": _still(parts[category]["waiting"], count),
            "replies": [
                {"text": text, "count": f"{number:,} ×" if number > 1 else ""}
                for text, number in said.get(category, [])
            ],
            "more": _more(stats.wordings.total(category) - sum(number for _, number in said.get(category, []))),
            **category_words(category)._asdict(),
        }
        for category, count in sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    ]


def _part_of(status: str) -> str:
    return next((part for part, _, statuses in _GROUPS if status in statuses), "out")


def _more(count: int) -> str:
    return f"and {count:,} more" if count > 0 else ""


def _still(waiting: int, count: int) -> str:
    if not waiting:
        return ""
    return "all still being tried" if waiting == count else f"{waiting:,} still being tried"


def _shares(rows: Mapping[str, Counts], most: int) -> list[dict[str, Any]]:
    """Return table rows for providers or domains: the largest first, each with its shares of people."""
    table: list[tuple[int, str, dict[str, int]]] = []
    for name, counts in rows.items():
        parts = {part: sum(counts.get(status, 0) for status in statuses) for part, _, statuses in _GROUPS}
        if total := sum(parts.values()):
            table.append((total, name, parts))
    table.sort(key=lambda row: (-row[0], row[1]))
    return [
        {
            "name": name,
            "total": f"{total:,}",
            "bar": [{"part": part, "width": _width(count, total)} for part, count in parts.items()],
            "shares": {part: _cell(count, total) for part, count in parts.items()},
            "rest": _cell(parts["unknown"] + parts["out"], total),
        }
        for total, name, parts in table[:most]
    ]


def _variants(facts: Facts, stats: Stats) -> list[dict[str, Any]]:
    """Return table rows for the variants, as campaign.yaml has them, and for those in none."""
    subjects = facts.variants.get("subjects", {})
    clicks = Counter[str]()
    for link in facts.clicks:
        clicks[link["variant"] or REST] += link["people"]
    names = [str(one[0]) for one in facts.variants.get("shares", ())]
    rows = []
    for name in [*names, *(name for name in stats.by_variant if name not in names)]:
        counts = stats.by_variant.get(name, Counter())
        people = sum(counts.get(status, 0) for status in Status)
        delivered = counts.get(Status.DELIVERED, 0)
        rows.append(
            {
                "name": name,
                "subject": subjects.get(name, "no message, to compare with"),
                "people": f"{people:,}",
                "delivered": _cell(delivered, people),
                "clicked": f"{clicks[name]:,} ({100 * clicks[name] / delivered:.1f} per 100)" if delivered else "–",
                "unsubscribed": _part(counts.get("unsubscribed", 0), delivered),
                "complained": _part(counts.get("complained", 0), delivered),
                "bar": [
                    {"part": part, "width": _width(sum(counts.get(one, 0) for one in statuses), people)}
                    for part, _, statuses in _GROUPS
                ],
            }
        )
    return rows


def _part(count: int, whole: int) -> str:
    return f"{count:,} ({share(count, whole)})" if count else "–"


def _providers(by_provider: Mapping[str, Counts]) -> list[dict[str, Any]]:
    """Return table rows for providers; domains that belong to none come last, for they are many small ones."""
    known = {provider_name(name): of for name, of in by_provider.items() if name not in _NO_PROVIDER}
    others = Counter[str]()
    for name in _NO_PROVIDER:
        others.update(by_provider.get(name, {}))
    return _shares(known, _PROVIDERS) + _shares({provider_name(""): others}, 1)


def _to_be_taken_off(stats: Stats) -> int:
    """Return how many rows take-off.csv has."""
    leaving = sum(count for key, count in stats.outcomes.items() if is_to_leave(*key))
    return leaving + sum(count for key, count in stats.no_more.items() if not is_to_leave(*key))


def _to_be_tried_again(stats: Stats) -> int:
    """Return how many rows try-again.csv has."""
    return sum(count - stats.no_more[key] for key, count in stats.outcomes.items() if can_be_tried_again(*key))


def _lines_of(count: int) -> str:
    return count_of(count, "person", "people") if count else ""


def _cell(part: int, whole: int) -> str:
    return share(part, whole) if part else "–"


def _facts(counts: Counts, facts: Facts, subject: str) -> list[tuple[str, str]]:
    until = facts.ended_at or facts.now
    took = until - facts.started_at if facts.started_at else 0.0
    listed = [
        ("Subject", subject),
        ("From", facts.sender),
        ("State", state_words(facts.word)),
        ("Why", facts.fault or facts.paused),
        ("Started", minute(facts.started_at, facts.zone)),
        ("Ended", minute(facts.ended_at, facts.zone)),
        ("Took" if facts.ended_at else "So far", length(took) if facts.started_at else ""),
        ("Delivered on average", _pace(counts[Status.DELIVERED], took)),
        ("Possibly delivered twice", f"{facts.possibly_doubled:,}"),
    ]
    return [(name, value) for name, value in listed if value]


def _pace(delivered: int, seconds: float) -> str:
    if not delivered or seconds <= 0:
        return ""
    hourly = delivered / max(seconds, 1.0) * 3600
    return f"{hourly / 3600:,.1f} a second" if hourly >= 3600 else f"{hourly:,.0f} an hour"


def _width(part: int, whole: int) -> float:
    return round(100 * part / whole, 2) if whole else 0.0
