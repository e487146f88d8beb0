"""A preflight in plain words, the summary first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bulkmail.mail import count_of
from bulkmail.preflight.findings import Finding
from bulkmail.preflight.result import Preflight

_SHOWN = 3
_LONGEST = 100  # characters of a subject
_MOST = 40  # findings of one severity; check.csv has all


def summary(found: Preflight) -> Iterator[str]:
    """Yield the figures, a line for each thing a person asks first."""
    yield f"{found.campaign}: {', '.join(_people(found))}"
    signed = f"signed by {', '.join(found.signed_by)}" if found.signed_by else "not signed"
    yield f"  from:    {found.sender} ({signed})"
    if found.composed:
        yield f"  subject: {_short(found.subject)}"
        mean = found.bytes // found.composed
        yield f"  size:    {_kilobytes(mean)} a message, the largest {_kilobytes(found.largest)}"
    if found.links:
        yield f"  links:   {found.links}"
    looked_up = sum(domain.route is not None for domain in found.domains.values())
    if looked_up:
        yield f"  domains: {looked_up:,} of {len(found.domains):,} looked up"
    yield f"  looked at in {found.seconds:,.1f} s, {found.rate:,.0f} rows a second"
    if found.unusable:
        yield "  rows are numbered without the column names: row 1 is the first below them"


def _people(found: Preflight) -> Iterator[str]:
    of = "" if found.mailed == found.rows else f" of {count_of(found.rows, 'row')}"
    yield f"{count_of(found.mailed, 'person', 'people')}{of} will be mailed"
    if found.repeated:
        yield f"{count_of(found.repeated, 'is', 'are')} repeated"
    if found.suppressed:
        yield f"{count_of(found.suppressed, 'is', 'are')} left out (suppressed)"
    if found.unusable:
        lines = _first("row", "rows", [f"{row:,}" for row in found.unusable_rows], found.unusable)
        yield f"{count_of(found.unusable, 'row')} cannot be used{lines}"
    if found.not_composed:
        yield f"{count_of(found.not_composed, 'row gives', 'rows give')} no message"
    if found.mistyped:
        names = ", ".join([*found.mistyped_as[:_SHOWN], *(["…"] if len(found.mistyped_as) > _SHOWN else [])])
        yield f"{count_of(found.mistyped, 'address looks', 'addresses look')} mistyped ({names})"


def _first(one: str, many: str, names: Sequence[str], count: int) -> str:
    if not names:
        return ""
    more = ", …" if count > min(len(names), _SHOWN) else ""
    return f" ({one if count == 1 else many} {', '.join(names[:_SHOWN])}{more})"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _kilobytes(size: int) -> str:
    return f"{size:,} bytes" if size < 1000 else f"{size / 1000:,.1f} KB"


def report(title: str, findings: Sequence[Finding]) -> Iterator[str]:
    """Findings of one severity under a title; nothing where there are none."""
    if not findings:
        return
    yield f"{title}:"
    for finding in findings[:_MOST]:
        yield f"  {finding}"
    if len(findings) > _MOST:
        yield f"  and {len(findings) - _MOST:,} more; check.csv has them all"


def verdict(name: str, errors: int, warnings: int, mailed: int | None = None) -> str:
    """Return the last line. ``mailed``: how many people would get it, where they were counted."""
    if errors:
        return f"{name}: it cannot be sent as it is: {count_of(errors, 'error')}"
    if mailed == 0:
        return f"{name}: nobody would get it"
    if warnings:
        return f"{name}: it can be sent; look at the {_count(warnings, 'warning')} first"
    return f"{name}: nothing wrong was found"


def _count(count: int, what: str) -> str:
    return what if count == 1 else f"{count:,} {what}s"
