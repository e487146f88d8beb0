"""What a person looks at before a campaign is approved: the check, the preview, the plan, and test messages.

One process makes them all, at a low priority, so that the service goes on sending meanwhile:
`bulkmail.commands.look_over`, which says what it prints. What it writes lies in the campaign's folder. It is killed
where it takes too long, prints too much, or the service stops; what it has started ends with it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import DeferredSemaphore
from twisted.logger import Logger

from bulkmail.campaign import Campaign
from bulkmail.mail import Problem, Refused
from bulkmail.preflight import is_of_dns
from bulkmail.workers import Command, CommandFailedError

_log = Logger("bulkmail")

_WITHIN = 3_600.0  # seconds for all of a campaign
_AT_ONCE = 2
_MOST = 2_000_000  # bytes of output
_TOLD = 20  # errors


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
        answer = json.loads(await self._run(*[f"--to={address}" for address in campaign.test_to], campaign.folder))
        if errors := answer["errors"]:
            more = [Problem(campaign.folder, 0, 0, f"and {len(errors) - _TOLD:,} more; PROBLEMS.txt has them all")]
            told = [_problem(one) for one in errors[:_TOLD]] + (more if len(errors) > _TOLD else [])
            published = all(is_of_dns(one["code"]) for one in errors)
            raise (RefusedByDns if published else Refused)(told)
        untested: Mapping[str, str] = answer["untested"]
        for address, why in untested.items():
            _log.warn("{campaign}: no test message to {to}: {why}", campaign=campaign.name, to=address, why=why)
        return [address for address in campaign.test_to if address not in untested]

    async def _run(self, *words: str) -> bytes:
        """Return what the process prints. Raises CommandFailedError, with the last words of what failed."""
        if self._stopped:
            raise CommandFailedError("the service is being stopped")
        command = self._start_command(
            self._reactor,
            ["/usr/bin/nice", sys.executable, "-P", "-m", "bulkmail.commands.look_over", *self._settings, *words],
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
            _log.warn("what is looked at before an approval cannot be made: {complaint}", complaint=complaint)
            raise CommandFailedError(complaint.splitlines()[-1]) from None
        finally:
            self._running.discard(command)
        return printed


class RefusedByDns(Refused):
    """The check found nothing wrong but DNS records, which are published elsewhere: they may be there soon."""


def _problem(finding: Mapping[str, Any]) -> Problem:
    remedy = f"; {finding['remedy']}" if finding["remedy"] else ""
    rows = f" ({finding['count']:,} {'row' if finding['count'] == 1 else 'rows'})" if finding["count"] else ""
    return Problem(finding["where"], 0, 0, f"{finding['message']}{rows}{remedy}")
