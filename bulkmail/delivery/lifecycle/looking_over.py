"""What a person looks at before a campaign is approved: the check, the preview, the plan, and test messages.

Each is what the command of that name makes, in a process of its own at a low priority, so that the service goes on
sending meanwhile. What they write lies in the campaign's folder.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import DeferredSemaphore
from twisted.logger import Logger

from bulkmail.campaign import Campaign, write_beside
from bulkmail.mail import Problem, Refused
from bulkmail.preflight import Severity, is_of_dns
from bulkmail.workers import Command, CommandFailedError

_log = Logger("bulkmail")

_WITHIN = 1_800.0  # seconds for one command
_AT_ONCE = 2
_MOST = 2_000_000  # bytes of output
_FOUND_WRONG = 1
_TOLD = 20  # errors
PLAN = "plan.txt"


class LookingOver:
    """Makes it for one campaign after another. ``settings``: the path of the operator's settings, None for defaults."""

    def __init__(self, reactor: Any, settings: str | None, *, start_command: Any = Command.start) -> None:
        self._reactor = reactor
        self._settings = [] if settings is None else ["--settings", settings]
        self._start_command = start_command
        self._turns = DeferredSemaphore(_AT_ONCE)
        self._running: set[Command] = set()
        self._stopped = False

    def stop(self) -> None:
        """End what is being made; it and all that is asked for later fails."""
        self._stopped = True
        for command in list(self._running):
            command.kill("is not needed any more")

    async def over(self, campaign: Campaign) -> Sequence[str]:
        """Make all of it; return who got a test message. Raises Refused where the check found errors."""
        await self._turns.acquire()
        try:
            return await self._made(campaign)
        finally:
            self._turns.release()

    async def _made(self, campaign: Campaign) -> Sequence[str]:
        folder = campaign.folder
        checked = await self._checked(folder)
        await self._run("preview", folder)
        try:
            planned = await self._run("plan", folder)
        except CommandFailedError as error:  # what would not be sent in time is for a person to decide
            if error.status != _FOUND_WRONG:
                raise
            planned = error.printed
        write_beside(campaign.folder, PLAN, f"{checked}\n\n{planned.decode('utf-8', 'replace')}")
        tested: list[str] = []
        for address in campaign.test_to:
            try:
                await self._run("test", folder, "--to", address)
                tested.append(address)
            except CommandFailedError as error:
                if self._stopped:
                    raise
                _log.warn(
                    "{campaign}: no test message to {to}: {error}", campaign=campaign.name, to=address, error=error
                )
        return tested

    async def _checked(self, folder: str) -> str:
        """Return what the check prints. Raises Refused where it found errors, CommandFailedError where it made none."""
        try:
            printed = await self._run("check", folder, "--json")
        except CommandFailedError as error:
            errors = [one for one in _answer(error.printed).get("findings", ()) if one["severity"] == Severity.ERROR]
            if error.status != _FOUND_WRONG or not errors:
                raise
            more = [Problem(folder, 0, 0, f"and {len(errors) - _TOLD:,} more; PROBLEMS.txt has them all")]
            told = [_problem(one) for one in errors[:_TOLD]] + (more if len(errors) > _TOLD else [])
            published = all(is_of_dns(one["code"]) for one in errors)
            raise (RefusedByDns if published else Refused)(told) from None
        return str(_answer(printed)["text"])

    async def _run(self, *words: str) -> bytes:
        """Return what a command of ours prints. Raises CommandFailedError, with the last words of what failed."""
        if self._stopped:
            raise CommandFailedError("the service is being stopped")
        command = self._start_command(
            self._reactor,
            ["/usr/bin/nice", sys.executable, "-P", "-m", "bulkmail.cli", *words, *self._settings],
            _WITHIN,
            most=_MOST,
        )
        self._running.add(command)
        try:
            printed: bytes = await command.output
        except CommandFailedError as error:
            complaint = error.complained.decode("utf-8", "replace").strip()
            if not complaint:
                raise
            _log.warn("bulkmail {words}: {complaint}", words=" ".join(words), complaint=complaint)
            told = CommandFailedError(f"bulkmail {words[0]}: {complaint.splitlines()[-1].removeprefix('bulkmail: ')}")
            told.status, told.printed = error.status, error.printed
            raise told from None
        finally:
            self._running.discard(command)
        return printed


class RefusedByDns(Refused):
    """The check found nothing wrong but DNS records, which are published elsewhere: they may be there soon."""


def _answer(printed: bytes) -> dict[str, Any]:
    """Return the object that the check has printed; an empty one where it has ended before that."""
    try:
        found = json.loads(printed)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _problem(finding: Mapping[str, Any]) -> Problem:
    remedy = f"; {finding['remedy']}" if finding["remedy"] else ""
    rows = f" ({finding['count']:,} {'row' if finding['count'] == 1 else 'rows'})" if finding["count"] else ""
    return Problem(finding["where"], 0, 0, f"{finding['message']}{rows}{remedy}")
