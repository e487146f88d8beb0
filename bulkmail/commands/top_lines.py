"""What `bulkmail top` shows: the API's answers as lines that fit a terminal. Pure.

Every text of an answer is hostile: names, reasons and replies were written by others. What a terminal would obey is
not printable, and becomes a space here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap
from typing import Any, NamedTuple
from unicodedata import east_asian_width

from bulkmail.control import light
from bulkmail.mail import Word, format_duration
from bulkmail.report import one_line

VIEWS = ("campaigns", "providers", "sites", "holds")
"""The views, in the order of the keys 1 to 4."""

_OVER = (Word.FINISHED, Word.CANCELLED)
_MARKS = {"good": "ok", "wrong": "SLOW", "over": "-"}
_MOST_LINES = 3  # of a sentence
_FAILED = ("bounced", "blocked", "expired", "unknown")


class _Part(NamedTuple):
    """A column of rows: those of the statuses in it, in so many columns of the terminal."""

    head: str
    statuses: Sequence[str]
    width: int = 9


_PARTS = [_Part(status, (status,)) for status in ("delivered", "deferred", *_FAILED)]
_PARTS_TOGETHER = [_Part("delivered", ("delivered",)), _Part("deferred", ("deferred",), 8), _Part("failed", _FAILED, 7)]
_NAME, _WIDE_NAME = 11, 14  # columns for a provider's name
_FIGURES = 7 + 6 + 6 + 9  # columns: in flight, the pace, the connections, the next try
_WIDE = _WIDE_NAME + 1 + 4 + 1 + 7 + 10 * len(_PARTS) + _FIGURES  # columns, from which on each status has its own


class Told(NamedTuple):
    """What was told at one look. ``recent``: of the chosen campaign; ``fault``: why the service was not asked."""

    campaigns: Sequence[Mapping[str, Any]]
    providers: Sequence[Mapping[str, Any]] = ()
    sites: Sequence[Mapping[str, Any]] = ()
    recent: Mapping[str, Any] | None = None
    fault: str = ""


class Line(NamedTuple):
    """A line, and how it is coloured where there are colours: good, wrong, head, or plain."""

    text: str
    tone: str = "plain"


def clip(text: str, width: int) -> str:
    """Return the text on one line of at most ``width`` columns; wide characters take two."""
    clean = one_line(text)
    if len(clean) <= width and clean.isascii():
        return clean
    columns = 0
    for index, one in enumerate(clean):
        columns += 2 if east_asian_width(one) in "WF" else 1
        if columns > width:
            return clean[:index]
    return clean


def ordered(campaigns: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the campaigns as they are shown: those that are not over first, each kind the newest first."""
    newest = list(campaigns)[::-1]
    return sorted(newest, key=lambda one: one["situation"]["word"] in _OVER)


def screen(told: Told, view: str, chosen: int, width: int, height: int) -> list[Line]:
    """Return the lines of a view, at most ``height``; ``chosen``: which of the `ordered` campaigns is meant."""
    campaigns = ordered(told.campaigns)
    going = [one for one in campaigns if one["situation"]["word"] not in _OVER]
    rate = sum(one["rate"] or 0.0 for one in going)
    keys = "  ".join(f"{n}{'*' if name == view else ' '}{name}" for n, name in enumerate(VIEWS, 1))
    lines = [Line(f"bulkmail  {len(going)} of {len(campaigns)} campaigns going on, {rate:,.0f}/s", "head"), Line(keys)]
    if told.fault:
        lines.append(Line(told.fault, "wrong"))
    one = campaigns[min(chosen, len(campaigns) - 1)] if campaigns else None
    if one is None:
        lines.append(Line("the spool has no campaigns"))
    elif view == "campaigns":
        lines += _campaigns(campaigns, one, width)
    elif view == "providers":
        lines += _providers(told, one, width)
    elif view == "sites":
        lines += _sites(told.sites)
    else:
        lines += _holds(campaigns)
    return [Line(clip(line.text, width), line.tone) for line in lines[:height]]


def _campaigns(campaigns: Sequence[Mapping[str, Any]], chosen: Mapping[str, Any], width: int) -> list[Line]:
    room = max(12, width - 66)
    figures = f"{'rows':>10} {'delivered':>10} {'failed':>8} {'waiting':>9} {'rate':>7}"
    lines = [Line(f"  {'campaign':{room}} {'situation':12} {figures}", "head")]
    for one in campaigns:
        counts, word = one["by_status"], one["situation"]["word"]
        failed = sum(counts.get(status, 0) for status in _FAILED)
        waiting = counts.get("pending", 0) + counts.get("deferred", 0)
        rate = "" if one["rate"] is None else f"{one['rate']:,.0f}/s"
        mark = ">" if one is chosen else " "
        text = f"{mark} {clip(one['campaign'], room):{room}} {clip(word, 12):12} {one['input_rows']:>10,}"
        text += f" {counts.get('delivered', 0):>10,} {failed:>8,} {waiting:>9,} {rate:>7}"
        lines.append(Line(text, _tone(word)))
        if one is chosen:
            left = f" About {format_duration(one['seconds_left'])} left." if one["seconds_left"] else ""
            lines += _wrapped(f"{one['situation']['sentence']}{left}", width, "    ")
    return lines


def _wrapped(text: str, width: int, indent: str = "") -> list[Line]:
    """Return a sentence on as many lines as it needs, at most three."""
    lines = wrap(one_line(text), max(20, width), initial_indent=indent, subsequent_indent=indent)
    return [Line(line) for line in lines[:_MOST_LINES]]


def _tone(word: str) -> str:
    try:
        wrong = Word(word).wrong
    except ValueError:
        return "plain"
    return "wrong" if wrong else "good" if word == Word.SENDING else "plain"


def _providers(told: Told, one: Mapping[str, Any], width: int) -> list[Line]:
    known = {provider["provider"]: provider for provider in told.providers}
    lasts = {} if told.recent is None else {last["provider"]: last for last in told.recent["providers"]}
    in_flight = one.get("in_flight")
    parts, room = (_PARTS, _WIDE_NAME) if width >= _WIDE else (_PARTS_TOGETHER, _NAME)
    heads = " ".join(f"{part.head:>{part.width}}" for part in parts) + f" {'flight':>6} {'pace':>5} {'conn':>5}"
    lines = [
        *_wrapped(f"{one['campaign']}: {one['situation']['sentence']}", width),
        Line(f"{'provider':{room}} {'':4} {'last 50':>7} {heads} {'next try':>8}", "head"),
    ]
    shown = {name: one["by_provider"].get(name, {}) for name in (*one["by_provider"], *(in_flight or ()))}
    for provider, counts in sorted(shown.items(), key=lambda item: (-sum(item[1].values()), item[0])):
        last = lasts.get(provider, {"last": 0, "delivered": 0})
        tone = light(last["last"], last["delivered"])
        now = known.get(provider)
        cells = " ".join(f"{sum(counts.get(status, 0) for status in part.statuses):>{part.width},}" for part in parts)
        cells += f" {'' if in_flight is None else format(in_flight.get(provider, 0), ','):>6}"
        text = f"{clip(provider, room):{room}} {_MARKS[tone]:4} {last['delivered']:>4}/{last['last']:<2} {cells}"
        text += f" {'':11}" if now is None else f" {now['rate_factor']:>5.0%} {now['open']:>5}"
        text += f" {_day_and_time(last.get('next_try_at')):>8}"
        lines.append(Line(text, "plain" if tone == "over" else tone))
    replies = () if told.recent is None else told.recent["replies"]
    if replies:
        lines += [Line(""), Line("what receivers said last", "head")]
    lines += [Line(f"{reply['count']:>5}  {reply['provider'] or 'other'}: {reply['reply']}") for reply in replies]
    return lines


def _day_and_time(at: str | None) -> str:
    """Return a time of the API as the day of its month and the time of day, in UTC: ``03 14:05``."""
    return f"{at[8:10]} {at[11:16]}" if at else ""


def _sites(sites: Sequence[Mapping[str, Any]]) -> list[Line]:
    lines = [Line(f"{'site':34} {'provider':12} {'state':10} {'hand':>6} {'conn':>5}  why", "head")]
    for site in sites:
        text = f"{clip(site['site'], 34):34} {clip(site['provider'], 12):12} {clip(site['state'], 10):10}"
        text += f" {site['claimed']:>6,} {site['connections']:>5,}  {site['why']}"
        lines.append(Line(text, "wrong" if site["until"] else "plain"))
    if not sites:
        lines.append(Line("nothing is being sent"))
    return lines


def _holds(campaigns: Sequence[Mapping[str, Any]]) -> list[Line]:
    lines = [Line(f"{'campaign':24} {'kind':10} {'provider':12} {'since':16}  why", "head")]
    for one in campaigns:
        for hold in one["holds"]:
            since = (hold["since"] or "")[:16].replace("T", " ")
            text = (
                f"{clip(one['campaign'], 24):24} {clip(hold['kind'], 10):10} {clip(hold['provider'], 12):12} {since:16}"
            )
            lines.append(Line(f"{text}  {hold['reason']}", "wrong"))
        reasons = sorted(one["by_category"].items(), key=lambda item: (-item[1], item[0]))[:3]
        if reasons:
            words = ", ".join(f"{category} {count:,}" for category, count in reasons)
            lines.append(Line(f"{clip(one['campaign'], 24):24} reasons: {words}"))
    if len(lines) == 1:
        lines.append(Line("nothing is held, and nothing failed"))
    return lines
