"""summary.json: the campaign in figures, for programs; written every second."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bulkmail.mail import Status
from bulkmail.report.cells import time_cell
from bulkmail.report.clicks import clicks_in_figures
from bulkmail.report.facts import Counts, Facts
from bulkmail.report.files import ReportFile, write_text
from bulkmail.report.tally import TOP_DOMAINS
from bulkmail.report.timeline import Best


def full_counts(by_status: Counts, rows: int) -> dict[str, int]:
    """Return every status with its count, in the order of ``mail.Status``; they sum to ``rows``.

    Where ``pending`` is not given it is what is left. Raises ValueError when the counts cannot sum to ``rows``.
    """
    counts = {str(status): by_status.get(status, 0) for status in Status}
    strange = by_status.keys() - counts.keys()
    if strange:
        raise ValueError(f"no such status: {', '.join(sorted(strange))}")
    if Status.PENDING not in by_status:
        counts[Status.PENDING] = rows - sum(counts.values())
    if min(counts.values()) < 0 or sum(counts.values()) != rows:
        raise ValueError(f"the statuses do not sum to the {rows} rows of the input: {counts}")
    return counts


def summary(facts: Facts) -> dict[str, Any]:
    """Return the figures as they stand in the file; times are RFC 3339 or None. Raises ValueError (see full_counts)."""
    by_status = full_counts(facts.by_status, facts.input_rows)
    unsettled = by_status[Status.PENDING] + by_status[Status.DEFERRED]
    figures: dict[str, Any] = {
        "campaign": facts.campaign,
        "state": facts.state,
        "situation": facts.word,
        "sentence": facts.sentence or None,
        "paused": facts.paused or None,
        "fault": facts.fault or None,
        "next_attempt_at": time_cell(facts.next_try_at) or None,
        "planned_end_at": time_cell(facts.planned_end_at) or None,
        "expected_end_at": time_cell(facts.expected_end_at) or None,
        "alive": facts.alive,
        "written_at": time_cell(facts.ended_at or facts.now),
        "complete": facts.input_complete and not unsettled,
        "report_whole": facts.report_whole,
        "input_rows": facts.input_rows,
        "input_complete": facts.input_complete,
        "by_status": by_status,
        "by_category": _largest_first(facts.by_category),
        "by_provider": {name: _known(counts) for name, counts in sorted(facts.by_provider.items())},
        "by_domain": _top(facts.by_domain),
        "by_variant": {name: _known(counts) for name, counts in facts.by_variant.items()},
        "winner": _winner(facts.variants),
        "possibly_doubled": facts.possibly_doubled,
        "late": {name: facts.late.get(name, 0) for name in ("returned", "unsubscribed", "complained")},
        "clicks": clicks_in_figures(facts.clicks),
        "via_relay": facts.via_relay or None,
        "rate": round(facts.rate, 1),
        "best_minute": _best(facts.best_minute),
        "best_hour": _best(facts.best_hour),
        "started_at": time_cell(facts.started_at) or None,
        "ended_at": time_cell(facts.ended_at) or None,
        "exit_status": facts.exit_status,
    }
    if facts.rehearsal:
        figures["rehearsal"] = True
    return figures


def _best(best: Best | None) -> dict[str, Any] | None:
    return None if best is None else {"at": time_cell(best[0]), "accepted": best[1]}


def _winner(variants: Mapping[str, Any]) -> dict[str, str] | None:
    name = variants.get("winner")
    return {"variant": name, "why": variants.get("why", "")} if name else None


def write_summary(file: ReportFile, facts: Facts, *, sync: bool = False) -> dict[str, Any]:
    """Write the file and return its figures. Raises OwnFault, and ValueError (see full_counts)."""
    figures = summary(facts)
    write_text(file, json.dumps(figures, ensure_ascii=False, indent=2, allow_nan=False) + "\n", sync=sync)
    return figures


def _largest_first(counts: Counts) -> dict[str, int]:
    return dict(sorted(((name, count) for name, count in counts.items() if name and count), key=_weight))


def _weight(item: tuple[str, int]) -> tuple[int, str]:
    return (-item[1], item[0])


def _known(counts: Counts) -> dict[str, int]:
    return {name: count for name, count in sorted(counts.items()) if count}


def _top(domains: Mapping[str, Counts]) -> dict[str, dict[str, int]]:
    order = sorted(domains.items(), key=lambda item: (-sum(item[1].values()), item[0]))
    return {name: _known(counts) for name, counts in order[:TOP_DOMAINS]}
