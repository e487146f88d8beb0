"""``bulkmail status``: how far the campaigns of a spool are, and what is remembered of sites."""

from __future__ import annotations

import argparse
import os
import time

from bulkmail.commands.terminal import DONE, Commands, add_json, add_settings, say, say_json, utc
from bulkmail.mail import BulkmailError, Status
from bulkmail.settings import load_settings
from bulkmail.shaping import describe_fact, suspended_until
from bulkmail.spool import CampaignRow, Reading, open_reader, public


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    status = commands.add_parser("status", help="how far the campaigns of a spool are, also while they are sent")
    status.add_argument("name", nargs="?", help="only this campaign")
    add_settings(status)
    add_json(status)
    status.add_argument("--sites", action="store_true", help="show the site facts, each with its expiry")
    status.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print the figures, a line or an object each. Raises BulkmailError for an unknown name."""
    settings = load_settings(given.settings, os.getcwd())
    reader = open_reader(settings.spool)
    if given.sites:
        return _sites(reader, settings.retry.expire_after, as_json=given.json)
    try:
        rows = [row for row in reader.campaigns() if given.name in (None, row.name)]
        found = [_figures(row, reader.totals(row.id)) for row in rows]
    finally:
        reader.close()
    if given.name is not None and not found:
        raise BulkmailError(f"{public(settings.spool)} has no campaign {given.name!r}")
    if given.json:
        say_json(found)
    else:
        for figures in found:
            say(_line(figures))
        if not found:
            say(f"{public(settings.spool)} has no campaigns")
    return DONE


def _sites(reader: Reading, expire_after: float, *, as_json: bool) -> int:
    try:
        facts = sorted(reader.site_facts(time.time()))
    finally:
        reader.close()
    if as_json:
        stored = [fact._asdict() for fact in facts]
        for one in stored:
            suspended = suspended_until(one["fact"], one["expires_at"], expire_after)
            one |= {name: utc(one[name], "milliseconds") for name in ("learned_at", "expires_at")}
            one["suspended_until"] = None if suspended is None else utc(suspended, "milliseconds")
        say_json(stored)
    else:
        for fact in facts:
            words = describe_fact(fact.fact, fact.value)
            suspended = suspended_until(fact.fact, fact.expires_at, expire_after)
            end = f"until {utc(fact.expires_at)}" if suspended is None else f"suspended until {utc(suspended)}"
            say(f"{fact.site}: {words}; since {utc(fact.learned_at)}, {end}")
        if not facts:
            say("nothing is remembered of any site")
    return DONE


def _figures(row: CampaignRow, totals: dict[tuple[str, str, str], int]) -> dict[str, object]:
    by_status = {str(status): 0 for status in Status}
    for (_, status, _), count in totals.items():
        by_status[status] += count
    return {
        "campaign": row.name,
        "state": row.state,
        "folder": row.folder,
        "input_rows": row.input_rows,
        "input_complete": row.import_done,
        "by_status": by_status,
        "possibly_doubled": row.possibly_doubled,
        "exit_status": row.exit_status,
    }


def _line(figures: dict[str, object]) -> str:
    counts = figures["by_status"]
    assert isinstance(counts, dict)
    known = ", ".join(f"{status} {count:,}" for status, count in counts.items() if count)
    rows = f"{figures['input_rows']:,} rows" + ("" if figures["input_complete"] else " so far")
    return f"{figures['campaign']}: {figures['state']}, {rows}: {known or 'none yet'}"
