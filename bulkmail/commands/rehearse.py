"""``bulkmail rehearse``: the whole campaign sent to simulated mail servers on this machine, in the foreground."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bulkmail.commands.preview import write_anew
from bulkmail.commands.terminal import TWISTD, Commands, add_json, add_settings, progress, say, say_json, tell
from bulkmail.delivery import prepare
from bulkmail.exit_status import DONE, REFUSED, USAGE
from bulkmail.files import Folder
from bulkmail.mail import Status
from bulkmail.preflight import read_specimen
from bulkmail.rehearsal import Received, body_of, read
from bulkmail.settings import load_settings

_LOOK_EVERY = 0.2
_LAST_LINES = 20
_MESSAGES = "messages"
_NEVER_SENT = frozenset({Status.INVALID, Status.SUPPRESSED, Status.DUPLICATE})


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    rehearse = commands.add_parser("rehearse", help="send a campaign to simulated mail servers on this machine")
    rehearse.add_argument("campaign", metavar="FOLDER", help="the campaign's folder, or its campaign.yaml")
    rehearse.add_argument(
        "--speed", metavar="max|real|N", help="what waits are divided by, real for 1, max for 10000 (default: 600)"
    )
    add_settings(rehearse)
    add_json(rehearse)
    rehearse.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Rehearse; say what became of the rows and where the report is. Raises Refused."""
    settings = load_settings(given.settings, os.getcwd(), given.campaign)
    prepared = prepare(os.path.abspath(given.campaign), settings, rehearsal=True)
    for notice in (*settings.warnings, *prepared.notices):
        tell(notice)
    campaign = prepared.campaign
    place = Path(campaign.folder, "rehearsal")
    options = ["--settings", given.settings] if given.settings else []
    options += ["--speed", given.speed] if given.speed else []
    status = _run_service(["--campaign", given.campaign, "--rehearse", *options], place / "summary.json")
    if status in {REFUSED, USAGE}:
        return status
    figures = json.loads((place / "summary.json").read_bytes())
    by_status = {name: count for name, count in figures["by_status"].items() if count}
    kept = _samples(campaign.opened.subfolder("rehearsal"), place)
    shown = os.path.relpath(place)
    if given.json:
        names = [str(place / _MESSAGES / name) for name in kept]
        report = str(place / "index.html")
        say_json(
            {"name": campaign.name, "exit_status": status, "by_status": by_status, "report": report, "files": names}
        )
    else:
        counts = ", ".join(f"{name} {count:,}" for name, count in by_status.items())
        count = figures["input_rows"]
        say(f"{campaign.name}: rehearsed {count:,} {'row' if count == 1 else 'rows'}: {counts or 'none'}")
        say("Nothing was sent to anybody: the mail servers and their answers were simulated.")
        say(f"the report: {shown}/index.html")
        if kept:
            say(f"messages as they arrived: {shown}/{_MESSAGES}/ ({', '.join(kept)})")
    if status != DONE:
        tell(f"the rehearsal was stopped before its end. {figures['sentence'] or ''}".rstrip())
        return REFUSED
    if by_status and not set(by_status) - _NEVER_SENT:
        tell("no row of the list can be sent to; the report says why")
        return REFUSED
    return DONE


def _run_service(options: Sequence[str], summary: Path) -> int:
    """Run ``twistd -n bulkmail`` with these options as a child, and show how far it is; return its exit status.

    What it writes on stderr, its refusals, goes to ours; the end of its log is shown where it fails.
    """
    command = [sys.executable, "-P", "-c", TWISTD, "--nodaemon", "--pidfile=", "bulkmail", *options]
    started = time.time()
    with tempfile.TemporaryFile() as log:
        service = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log)  # noqa: S603 - no shell, our own words
        # an interrupt reaches the child too, which then ends in good order; a SIGTERM is only ours
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        told = signal.signal(signal.SIGTERM, lambda *_: service.terminate())
        try:
            _show_progress(service, summary, started)
        finally:
            signal.signal(signal.SIGINT, before)
            signal.signal(signal.SIGTERM, told)
            if service.poll() is None:
                service.terminate()
                service.wait()
        if service.returncode not in {DONE, REFUSED, USAGE}:
            log.seek(0)
            lines = log.read().decode("utf-8", "replace").splitlines()
            tell("\n".join(lines[-_LAST_LINES:]))
        return service.returncode


def _show_progress(service: subprocess.Popen[bytes], summary: Path, started: float) -> None:
    """Draw the rows that are final, until the service ends."""
    with progress("rehearsing") as bar:
        while service.poll() is None:
            time.sleep(_LOOK_EVERY)
            figures = _figures(summary, started)
            if figures:
                bar.total = figures["input_rows"]
                by_status = figures["by_status"]
                final = sum(count for name, count in by_status.items() if Status(name).final)
                bar.update(final - bar.n)


def _figures(summary: Path, started: float) -> Mapping[str, Any]:
    """Return the summary of this run; nothing while there is none."""
    try:
        if summary.stat().st_mtime < started:
            return {}
        found: dict[str, Any] = json.loads(summary.read_bytes())
    except (OSError, ValueError):
        return {}
    return found


def _samples(folder: Folder, place: Path) -> list[str]:
    """Write the first, smallest and largest message as the servers got them; return the names of the files."""
    kept = [one for one in read(str(place / "received")) if one.offset is not None]
    if not kept:
        return []
    chosen: dict[str, Received] = {
        "first": kept[0],
        "smallest": min(kept, key=lambda one: one.length),
        "largest": max(kept, key=lambda one: one.length),
    }
    files: dict[str, bytes] = {}
    seen: set[int | None] = set()
    for name, one in chosen.items():
        if one.offset in seen:
            continue
        seen.add(one.offset)
        wire = body_of(str(place / "received"), one)
        files[f"{name}.eml"] = wire
        html = read_specimen(wire).html
        if html is not None:
            files[f"{name}.html"] = html.encode()
    write_anew(folder, _MESSAGES, files)
    return list(files)
