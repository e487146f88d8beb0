"""``bulkmail check``: whether a campaign can be sent, and what is odd about its rows, its letters and its domains."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from bulkmail.commands.event_loop import in_event_loop
from bulkmail.commands.inbound_checks import ways_back_findings
from bulkmail.commands.sender import add_addresses, facts_of
from bulkmail.commands.terminal import Commands, add_json, add_settings, progress, say, say_json, tell
from bulkmail.delivery import Ahead, Prepared, look_ahead, prepare, too_late, with_copies
from bulkmail.exit_status import DONE, REFUSED
from bulkmail.files import Folder
from bulkmail.machine import compose_processes
from bulkmail.mail import BulkmailError, Refused
from bulkmail.preflight import (
    Finding,
    Means,
    Preflight,
    Resolving,
    Row,
    RowLines,
    Severity,
    of_problem,
    plain_finding,
    preflight,
    report,
    summary,
    verdict,
    write_problems,
)
from bulkmail.routing import providers_of, router_of
from bulkmail.settings import Settings, load_settings

_CAMPAIGN = "campaign.yaml"


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    check = commands.add_parser("check", help="look at every row, message and domain of a campaign, and send nothing")
    check.add_argument("campaign", help="the campaign.yaml, or its folder")
    add_settings(check)
    add_json(check)
    check.add_argument("--quick", action="store_true", help="look at the files only, as a start does")
    check.add_argument("--no-dns", action="store_true", help="look up no domain, and none of the sender's records")
    add_addresses(check)
    check.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Check the campaign; print what was found on stdout, notices about the settings on stderr. Raises Refused."""
    settings = load_settings(given.settings, os.getcwd(), given.campaign)
    if given.settings is None and settings.file is not None:
        tell(f"the settings are those of {settings.file.path}")
    for warning in settings.warnings:
        tell(f"{warning}")
    path = os.path.abspath(given.campaign)
    try:
        prepared, ahead = opened(path, settings, quick=given.quick)
        if given.quick:
            return _quick(prepared, as_json=given.json)
        found = look_at(prepared, settings, ahead, dns=not given.no_dns, addresses=given.address)
    except Refused as refused:
        findings = note_refused(path, refused)
        if not given.json:
            raise
        plain = [plain_finding(finding) for finding in findings]
        say_json({"campaign": _name(path), "ok": False, "findings": plain})
        return REFUSED
    text = text_of(found, ahead)
    if given.json:
        say_json({**found.plain(), "state": ahead.state, "text": text})
    else:
        say(text)
    return REFUSED if found.errors else DONE


def opened(path: str, settings: Settings, *, quick: bool = False) -> tuple[Prepared, Ahead]:
    """Return the campaign at ``path`` as its files say it, and what the spool says of it. Raises Refused.

    ``quick``: nothing follows that reads the lists to their ends.
    """
    prepared = prepare(path, settings, whole=quick, sample=quick)
    ahead = _ahead(prepared, settings)
    if ahead.refused is not None:
        raise ahead.refused
    return with_copies(prepared, settings), ahead


def look_at(
    prepared: Prepared,
    settings: Settings,
    ahead: Ahead,
    *,
    dns: bool = True,
    addresses: Sequence[str] = (),
    read: Callable[[Sequence[Row]], object] = lambda _: None,
) -> Preflight:
    """Look at everything, and write check.csv and PROBLEMS.txt. Raises Refused where a list cannot be read.

    ``addresses``: those that receivers see mail come from. ``read`` is called with all rows, as they are read.
    """
    found = _whole(prepared, settings, ahead, dns=dns, addresses=addresses, read=read)
    if dns:
        found = replace(found, findings=(*found.findings, *ways_back_findings(prepared.content, settings)))
    _note(prepared.campaign.opened, found.campaign, found.findings)
    return found


def _quick(prepared: Prepared, *, as_json: bool) -> int:
    """Tell what the files say."""
    notices = prepared.notices
    name = prepared.campaign.name
    _note(prepared.campaign.opened, name, ())
    if as_json:
        findings = [of_problem(Severity.WARNING, "notice", notice) for notice in notices]
        say_json({"campaign": name, "ok": True, "findings": [plain_finding(finding) for finding in findings]})
        return DONE
    for notice in notices:
        tell(f"{notice}")
    say(verdict(name, 0, len(notices)))
    return DONE


def _ahead(prepared: Prepared, settings: Settings) -> Ahead:
    """Return what the spool says of it; one that cannot be read says nothing."""
    try:
        ahead = look_ahead(prepared, settings, accept_changes=False)
    except BulkmailError:
        ahead = Ahead()
    if ahead.state in ("", "ready") and ahead.refused is None:
        return replace(ahead, refused=too_late(prepared, time.time()))
    return ahead


def _whole(
    prepared: Prepared,
    settings: Settings,
    ahead: Ahead,
    *,
    dns: bool,
    addresses: Sequence[str],
    read: Callable[[Sequence[Row]], object],
) -> Preflight:
    """Look at everything, with a progress bar on a terminal, and write check.csv."""
    campaign = prepared.campaign
    lines = RowLines(campaign.opened)

    async def work(reactor: Any) -> Preflight:
        resolving = Resolving(reactor, settings)
        bars = {what: progress(words, unit=what) for what, words in _BARS.items()}

        def told(what: str, done: int, total: int) -> None:
            bar = bars[what]
            bar.total = total
            bar.update(done - bar.n)

        providers = providers_of(settings)
        router = router_of(settings, resolving.ask, reactor.seconds, providers, size=1) if dns else None
        means = Means(
            processes=compose_processes(settings.compose.processes),
            now=time.time(),
            suppress=settings.suppress,
            ask=resolving.ask if dns else None,
            sender=facts_of(campaign, settings, addresses),
            router=router,
            providers=providers,
            lines=lines,
            told=told,
            read=read,
            begun=ahead.begun,
        )
        try:
            return await preflight(reactor, campaign, prepared.content, means, prepared.notices)
        finally:
            for bar in bars.values():
                bar.close()
            await resolving.close()

    try:
        found = in_event_loop(work)
        lines.finish()
    finally:
        lines.discard()
    if lines.fault:
        tell(f"check.csv cannot be written: {lines.fault}")
    return found


_BARS = {"rows": "looking at the rows", "domains": "looking up the domains"}


def text_of(found: Preflight, ahead: Ahead) -> str:
    """Return what people are told."""
    lines = [*summary(found)]
    if ahead.state:
        lines.append(f"  started: it is in the spool already ({ahead.state}); rows that were sent are not sent again")
    for title, findings in (("Errors", found.errors), ("Warnings", found.warnings), ("Notes", found.notes)):
        lines += report(title, findings)
    return "\n".join([*lines, verdict(found.campaign, len(found.errors), len(found.warnings), found.mailed)])


def note_refused(path: str, refused: Refused) -> list[Finding]:
    """Return why the campaign at ``path`` cannot be used, and write it into the PROBLEMS.txt of its folder."""
    findings = [of_problem(Severity.ERROR, "refused", problem) for problem in refused.problems]
    folder = _folder(path)
    if os.path.lexists(os.path.join(folder, _CAMPAIGN)):
        try:
            inside = Folder.open(folder)
        except OSError:
            pass
        else:
            _note(inside, _name(path), findings)
    return findings


def _folder(path: str) -> str:
    return path if os.path.isdir(path) else os.path.dirname(path)


def _name(path: str) -> str:
    return os.path.basename(_folder(path))


def _note(folder: Folder, name: str, findings: Sequence[Finding]) -> None:
    try:
        write_problems(folder, name, findings)
    except OSError as error:
        tell(f"PROBLEMS.txt cannot be written: {error.strerror}")
