"""``bulkmail status``: what the campaigns of a spool are doing, how far they are, and what is remembered of sites."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from typing import Any

from bulkmail.commands.asking import add_name
from bulkmail.commands.terminal import Commands, add_json, add_settings, say, say_json, tell, utc
from bulkmail.control import Client, NotRunningError, all_warmups, overview
from bulkmail.exit_status import DONE, REFUSED
from bulkmail.mail import BulkmailError, Situation, Word, check_name, count_of, format_duration
from bulkmail.settings import Settings, load_settings
from bulkmail.shaping import DAY, FactKind, Source, describe_fact, suspended_until, warmup_plans
from bulkmail.spool import Reading, SiteFact, open_reader, public

_PATIENCE = 5.0  # seconds for the running service to answer
_EVERY = 1.0  # seconds between two looks
_PLAIN = frozenset({Word.READY, Word.SENDING, Word.FINISHED})  # their word says all
_SITES, _REASONS = 5, 3  # at most so many are told
_CLEAR = "\x1b[H\x1b[2J"


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    status = commands.add_parser("status", help="what the campaigns are doing, and how far they are")
    add_name(status, optional=True)
    add_settings(status)
    add_json(status)
    status.add_argument("--watch", action="store_true", help="look again every second, until Ctrl-C")
    status.add_argument("--sites", action="store_true", help="show the site facts, each with its expiry")
    status.add_argument("--names", action="store_true", help="only the names, one a line")
    status.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print it, a campaign or an object each; status 1 where a person has to do something. Raises BulkmailError."""
    settings = load_settings(given.settings, os.getcwd())
    if given.sites:
        return _sites(settings, as_json=given.json)
    if given.names:
        with contextlib.closing(open_reader(settings.spool)) as reader:
            say("\n".join(row.name for row in reader.campaigns()))
        return DONE
    if given.watch:
        return _watch(settings, given)
    return _tell(campaigns(settings, given.name), settings, as_json=given.json)


def campaigns(settings: Settings, name: str | None) -> list[dict[str, Any]]:
    """Return the campaigns (or the one called ``name``) as the running service tells them, else as the spool does.

    Raises UnknownName, Refused, OwnFault.
    """
    found = None
    try:
        found = Client(settings.place, _PATIENCE).get("campaigns")
    except NotRunningError:
        pass
    except BulkmailError as error:
        tell(f"the service was not asked, so rates are missing: {error}")
    if found is None:
        with contextlib.closing(open_reader(settings.spool)) as reader:
            found = overview(reader, time.time(), timezone=settings.timezone)
    if name is not None:
        check_name("campaign", name, [one["campaign"] for one in found])
    return [one for one in found if name in (None, one["campaign"])]


def _tell(found: list[dict[str, Any]], settings: Settings, *, as_json: bool) -> int:
    if as_json:
        say_json(found)
    else:
        for one in found:
            say("\n".join(_lines(one)))
        if not found:
            say(f"{public(settings.spool)} has no campaigns")
    return REFUSED if any(_wrong(one) for one in found) else DONE


def _watch(settings: Settings, given: argparse.Namespace) -> int:
    status, last = DONE, ""
    try:
        while True:
            found = campaigns(settings, given.name)
            text = "\n".join(line for one in found for line in _lines(one))
            if sys.stdout.isatty():
                say(_CLEAR + text)
            elif text != last:
                say(text)
            sys.stdout.flush()
            status, last = (REFUSED if any(_wrong(one) for one in found) else DONE), text
            time.sleep(_EVERY)
    except KeyboardInterrupt:
        return status


def _wrong(one: dict[str, Any]) -> bool:
    return Situation(**{**one["situation"], "word": Word(one["situation"]["word"])}).wrong


def _lines(one: dict[str, Any]) -> list[str]:
    """Return the lines about one campaign: its figures, and what is to be known beside them."""
    told = one["situation"]
    known = ", ".join(f"{status} {count:,}" for status, count in one["by_status"].items() if count)
    rows = count_of(one["input_rows"], "row") + ("" if one["input_complete"] else " so far")
    line = f"{one['campaign']}: {told['word']}, {rows}: {known or 'none yet'}"
    if one["rate"] is not None and told["word"] == Word.SENDING:
        line += f"; {one['rate']:,.0f}/s"
        line += f", about {format_duration(one['seconds_left'])} left" if one["seconds_left"] else ""
    lines = [line]
    more = one["holds"] or told["fault"] or told.get("planned_end_at")
    if told["word"] not in _PLAIN or more or (told["word"] == Word.FINISHED and not one.get("report_whole", True)):
        lines.append(f"  {told['sentence']}")
    reasons = sorted(one["by_category"].items(), key=lambda item: (-item[1], item[0]))[:_REASONS]
    if reasons:
        lines.append("  reasons: " + ", ".join(f"{category} {count:,}" for category, count in reasons))
    if words := _late_words(one.get("late") or {}):
        lines.append(f"  {words}")
    if clicks := one.get("clicks"):
        from bulkmail.report import clicks_in_words  # noqa: PLC0415 - as below

        lines.append(f"  {clicks_in_words(clicks['people'], clicks['scanners'])}")
    for site in one["waiting_sites"][:_SITES]:
        until = f" until {site['until'][:16]}Z" if site["until"] else ""
        lines.append(f"  {site['site']} waits{until}" + (f": {site['why']}" if site["why"] else ""))
    return lines


def _late_words(late: dict[str, int]) -> str:
    if not any(late.values()):
        return ""
    from bulkmail.report import late_words  # noqa: PLC0415 - it takes a fifth of the time of this command

    return late_words(late)


def _sites(settings: Settings, *, as_json: bool) -> int:
    now = time.time()
    with contextlib.closing(open_reader(settings.spool)) as reader:
        facts = _facts(reader)
        warmups = all_warmups(warmup_plans(settings.sources), reader.warmup_days(), now)
    expire_after, why = settings.retry.expire_after, _why(settings)
    if as_json:
        stored = [fact._asdict() for fact in facts]
        for one in stored:
            suspended = suspended_until(one["fact"], one["expires_at"], expire_after)
            one |= {name: utc(one[name], "milliseconds") for name in ("learned_at", "expires_at")}
            one["suspended_until"] = None if suspended is None else utc(suspended, "milliseconds")
        say_json([*stored, *(_warmup(one, now) for one in warmups)])
        return DONE
    for fact in facts:
        words = describe_fact(fact.fact, fact.value)
        if fact.fact == FactKind.OUTAGE and why.get(fact.site):
            words = f"cannot be used, {fact.value:.0f} times in a row: {why[fact.site]}"
        suspended = suspended_until(fact.fact, fact.expires_at, expire_after)
        end = f"until {utc(fact.expires_at)}" if suspended is None else f"suspended until {utc(suspended)}"
        say(f"{fact.site}: {words}; since {utc(fact.learned_at)}, {end}")
    for one in warmups:
        say(one["words"])
    if not facts and not warmups:
        say("nothing is remembered of any site")
    return DONE


def _warmup(one: dict[str, Any], now: float) -> dict[str, Any]:
    """Return what a source has used of today's budget at a provider, in the form of a fact that holds today."""
    began, again = now // DAY * DAY, one["again"]
    return {
        "site": Source(one["source"]).key(f"provider {one['provider']}"),
        "fact": "warm-up",
        "value": one["taken"],
        "learned_at": utc(began, "milliseconds"),
        "expires_at": utc(began + DAY, "milliseconds"),
        "suspended_until": None if again is None else utc(again, "milliseconds"),
        **{name: one[name] for name in ("day", "days", "budget", "delivered", "left")},
    }


def _facts(reader: Reading) -> list[SiteFact]:
    return sorted(reader.site_facts(time.time()))


def _why(settings: Settings) -> dict[str, str]:
    """Return why sites cannot be used, by their keys, as the running service knows it: the spool holds no words."""
    try:
        sites = Client(settings.place, _PATIENCE).get("sites")
        return {Source(site["source"]).key(site["key"]): site["why"] for site in sites}
    except BulkmailError:
        return {}
