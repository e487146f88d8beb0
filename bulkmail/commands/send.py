"""``bulkmail send``: shows what a campaign would do to whom, asks, and sends it in the foreground."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from bulkmail.campaign import Campaign, schedule_from
from bulkmail.commands.sender import add_addresses, facts_of, sender_findings
from bulkmail.commands.terminal import TWISTD, Commands, add_json, add_settings, progress, say, say_json, tell, utc
from bulkmail.delivery import Prepared, look_ahead, prepare, with_copies
from bulkmail.exit_status import DONE, REFUSED, USAGE
from bulkmail.mail import BulkmailError, count_of, format_duration
from bulkmail.preflight import (
    Finding,
    RowCounts,
    Sender,
    Severity,
    compose_rows,
    count_rows,
    offline_findings,
    plain_finding,
    read_specimen,
)
from bulkmail.settings import Settings, load_settings
from bulkmail.shaping import Demand, Flow, Limits, Schedule, plan_flow
from bulkmail.spool import in_use
from bulkmail.zones import zone

_DOMAINS = 5  # that are named
_PLANNED = 100  # that are planned one by one
_YES = frozenset({"y", "yes"})


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    send = commands.add_parser("send", help="show what a campaign would do to whom, ask, and send it")
    send.add_argument("campaign", metavar="FOLDER", help="the campaign's folder, or its campaign.yaml")
    send.add_argument("--yes", action="store_true", help="do not ask")
    send.add_argument("--no-dns", action="store_true", help="do not look up the sender's records")
    send.add_argument(
        "--accept-changes", action="store_true", help="take changed files for the rows that are not sent yet"
    )
    add_addresses(send)
    add_settings(send)
    add_json(send)
    send.set_defaults(run=run)


@dataclass(frozen=True)
class _Departure:
    """What is shown before anything is sent.

    ``subject``: as the first person will see it. ``stored``: how many rows have which status in the spool already.
    """

    campaign: Campaign
    settings: Settings
    sender: Sender
    counts: RowCounts
    subject: str
    stored: Mapping[str, int] | None
    notices: tuple[str, ...]
    findings: tuple[Finding, ...]
    now: float
    flow: Flow


def run(given: argparse.Namespace) -> int:
    """Show, ask, and become ``twistd -n bulkmail -c``; 1 where it was not sent. Raises Refused, BulkmailError."""
    if given.json and given.yes:
        tell("bulkmail send: --json shows what would be sent and sends nothing; give one of --json and --yes")
        return USAGE
    settings = load_settings(given.settings, os.getcwd(), given.campaign)
    prepared = prepare(os.path.abspath(given.campaign), settings, whole=True)
    holder = in_use(settings.place)
    if holder:
        raise BulkmailError(
            f"{settings.place} is in use by process {holder}; stop that one, or put the folder where it watches"
        )
    departure = _departure(with_copies(prepared, settings), settings, given)
    errors = [finding for finding in departure.findings if finding.severity is Severity.ERROR]
    if given.json:
        say_json(_plain(departure))
        return REFUSED if errors else DONE
    for line in _lines(departure):
        say(line)
    sys.stdout.flush()
    if errors:
        things = "one thing is" if len(errors) == 1 else f"{len(errors)} things are"
        tell(f"not sent: {things} wrong; --no-dns leaves out what the DNS says")
        return REFUSED
    if given.yes or _agreed(departure):
        _become_service(given)
    return REFUSED


def _departure(prepared: Prepared, settings: Settings, given: argparse.Namespace) -> _Departure:
    ahead = look_ahead(prepared, settings, accept_changes=given.accept_changes)
    if ahead.refused is not None:
        raise ahead.refused
    campaign = prepared.campaign
    with progress("reading the list") as bar:
        counts = count_rows(campaign, settings, bar.update)
    sender = facts_of(campaign, settings, given.address)
    findings = offline_findings(sender) if given.no_dns else sender_findings(sender, settings)
    notices = [str(notice) for notice in (*settings.warnings, *prepared.notices)]
    now = time.time()
    return _Departure(
        campaign,
        settings,
        sender,
        counts,
        _subject(prepared, counts),
        ahead.by_status,
        tuple(notices),
        tuple(findings),
        now,
        _flow(prepared, settings, counts, now),
    )


def _subject(prepared: Prepared, counts: RowCounts) -> str:
    """Return the subject as the first person will see it; as it is written where that row's message cannot be made."""
    if counts.first is None:
        return prepared.campaign.subject
    (message,) = compose_rows({**prepared.content, "dkim": []}, [counts.first], time.time())
    return prepared.campaign.subject if isinstance(message, str) else read_specimen(*message).subject


def _agreed(departure: _Departure) -> bool:
    """Ask, and return whether to go on; what is no clear yes is a no."""
    if not sys.stdin.isatty():
        tell("not sent: this is not a terminal, so nobody can be asked; give --yes to send")
        return False
    people = count_of(_still(departure), "person", "people")
    try:
        answer = input(f"Send {departure.campaign.name} to {people}? [y/N] ")
    except (EOFError, KeyboardInterrupt):
        say("")
        answer = ""
    if answer.strip().lower() in _YES:
        return True
    tell("not sent")
    return False


def _become_service(given: argparse.Namespace) -> NoReturn:
    """Become the service that sends it: same process, same terminal, its exit status."""
    options = ["--noticed", "--campaign", given.campaign]
    options += ["--settings", given.settings] if given.settings else []
    options += ["--accept-changes"] if given.accept_changes else []
    sys.stderr.flush()
    os.execv(  # noqa: S606 - no shell, our own words
        sys.executable, [sys.executable, "-P", "-c", TWISTD, "--nodaemon", "--pidfile=", "bulkmail", *options]
    )


def _still(departure: _Departure) -> int:
    """Return how many people it would still be sent to, about."""
    stored = departure.stored or {}
    settled = sum(count for status, count in stored.items() if status not in ("pending", "deferred"))
    never = departure.counts.total - departure.counts.mailed
    return max(0, departure.counts.mailed - max(0, settled - never)) if stored else departure.counts.mailed


def _lines(departure: _Departure) -> list[str]:
    """Return, in lines, everything a person wants to know before anything is sent."""
    campaign, sender, settings = departure.campaign, departure.sender, departure.settings
    lines = [f"{campaign.name}", f"  to           {_recipients(departure)}"]
    if departure.stored is not None:
        known = ", ".join(f"{status} {count:,}" for status, count in departure.stored.items() if count)
        lines.append(f"  so far       it was begun before: {known or 'no row is known yet'}")
    lines.append(f"  from         {campaign.sender}" + _elsewhere(sender))
    lines.append(f"  subject      {departure.subject}")
    signed = ", ".join(f"{key.domain} (selector {key.selector})" for key in sender.keys)
    lines.append(f"  signed       {f'with DKIM by {signed}' if signed else 'no'}")
    lines.append(f"  unsubscribe  {'one click' if sender.one_click else 'by mail' if sender.unsubscribe else 'no way'}")
    lines.append(f"  as           {sender.hostname}, {_way(sender)}")
    lines += [f"  limits       {_limits(settings)}", f"  takes        {_duration(departure)}"]
    lines.append(f"  settings     {'the defaults' if settings.file is None else settings.file.path}")
    lines += [f"notice: {notice}" for notice in departure.notices]
    lines += [f"{finding.severity}: {finding}" for finding in departure.findings]
    return lines


def _recipients(departure: _Departure) -> str:
    counts = departure.counts
    people = count_of(counts.mailed, "person", "people")
    left_out = [
        f"{count:,} {what}"
        for count, what in (
            (counts.repeated, "repeated"), (counts.suppressed, "suppressed"), (counts.unusable, "unusable")
        )
        if count
    ]  # fmt: skip
    rows = f" of {count_of(counts.total, 'row')}" + (f" ({', '.join(left_out)})" if left_out else "")
    most = ", ".join(f"{domain} {count:,}" for domain, count in counts.domains.most_common(_DOMAINS))
    more = f" and {count_of(len(counts.domains) - _DOMAINS, 'more domain')}" if len(counts.domains) > _DOMAINS else ""
    return f"{people}{rows}" + (f"; at {most}{more}" if most else "")


def _elsewhere(sender: Sender) -> str:
    return "" if sender.envelope_domain == sender.from_domain else f"; bounces go to {sender.envelope}"


def _way(sender: Sender) -> str:
    if sender.relay:
        return f"through the relay {sender.relay}"
    seen = f" from {', '.join(sender.addresses)}" if sender.addresses else ""
    return f"straight to the receivers' mail servers{seen}"


def _limits(settings: Settings) -> str:
    limits = settings.relay if settings.relay is not None else settings.shaping.default
    whom = "to the relay" if settings.relay is not None else "to each receiver, less where a provider asks for less"
    return f"{limits.connections:,} connections and {_rate(settings)} {whom}"


def _rate(settings: Settings) -> str:
    limits = settings.relay if settings.relay is not None else settings.shaping.default
    return str(limits.rate).partition(",")[0]


def _flow(prepared: Prepared, settings: Settings, counts: RowCounts, now: float) -> Flow:
    """Plan the sending by the relay's limits, or by those of receivers that have no provider's, and by the schedule."""
    if settings.relay is not None:
        demands = [Demand(settings.relay.host, counts.mailed, Limits.of(settings.relay))]
    else:
        limits = Limits.of(settings.shaping.default)
        named = counts.domains.most_common(_PLANNED)
        demands = [Demand(domain, count, limits) for domain, count in named]
        rest = counts.mailed - sum(count for _, count in named)
        if rest:
            demands.append(Demand("others", rest, limits, sites=len(counts.domains) - len(named)))
    plain = prepared.content.get("schedule")
    schedule = Schedule(zone(settings.timezone)) if plain is None else schedule_from(plain)
    return plan_flow(demands, {}, schedule, now)


def _duration(departure: _Departure) -> str:
    """Return when it begins, where that is not at once, and how long it takes at least."""
    flow, now = departure.flow, departure.now
    later = flow.begins is not None and flow.begins > now + 1
    begins = f"from {utc(flow.begins)} on, by its schedule; " if later and flow.begins is not None else ""
    if flow.left:
        return f"{begins}{count_of(flow.left, 'person is', 'people are')} not reached before the schedule ends"
    if flow.ends is None or not departure.counts.mailed:
        return f"{begins}no time"
    took = format_duration(max(1.0, float(round(flow.ends - (flow.begins or now)))))
    return f"{begins}{took} at least"


def _plain(departure: _Departure) -> dict[str, Any]:
    """Return what is shown as JSON has it."""
    counts, sender = departure.counts, departure.sender
    return {
        "campaign": departure.campaign.name,
        "from": departure.campaign.sender,
        "envelope_from": sender.envelope,
        "subject": departure.subject,
        "rows": counts.total,
        "mailed": counts.mailed,
        "repeated": counts.repeated,
        "suppressed": counts.suppressed,
        "unusable": counts.unusable,
        "domains": dict(counts.domains.most_common()),
        "so_far": departure.stored and dict(departure.stored),
        "hostname": sender.hostname,
        "addresses": list(sender.addresses),
        "relay": sender.relay or None,
        "signed_by": [f"{key.selector}._domainkey.{key.domain}" for key in sender.keys],
        "one_click": sender.one_click,
        "begins_at": None if departure.flow.begins is None else utc(departure.flow.begins, "seconds"),
        "ends_at": None if departure.flow.ends is None else utc(departure.flow.ends, "seconds"),
        "not_sent_in_time": departure.flow.left,
        "notices": list(departure.notices),
        "findings": [plain_finding(finding) for finding in departure.findings],
    }
