"""The files by which people steer a watched campaign: PAUSE and CANCEL.

What they ask for is a hold or a cancel of the spool, as a command's is. A hold that a file made is released when the
file is removed, also while no service was running; one that a command made stays.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.logger import Logger

from bulkmail.campaign import Action
from bulkmail.delivery.background import background
from bulkmail.delivery.lifecycle.steering import Steering
from bulkmail.mail import BulkmailError
from bulkmail.spool import CampaignRow, Spool

_log = Logger("bulkmail")

BY_FILE = "the file PAUSE"
_PAUSED = "paused"


class Marks:
    """Hears what the watched folder tells of campaigns that were started, and steers them.

    ``withdraw(folder, why)`` ends a wait for an approval.
    """

    def __init__(self, *, spool: Spool, steering: Steering, withdraw: Callable[[str, str], None]) -> None:
        self._spool = spool
        self._steering = steering
        self._withdraw = withdraw
        self._there: dict[str, set[str]] = {}  # folder -> the marks in it
        self._names: dict[str, str] = {}  # folder -> the campaign's name, once it is in the spool

    def started(self, folder: str) -> None:
        """Note that the campaign in ``folder`` is being started."""
        self._there[folder] = set()

    def ended(self, folder: str) -> None:
        """Note that the campaign in ``folder`` has ended, or was refused."""
        self._there.pop(folder, None)
        self._names.pop(folder, None)

    def saw(self, action: Action) -> None:
        """Take in what was seen of a campaign that was started."""
        folder, there = action.path, self._there.setdefault(action.path, set())
        match action.kind, action.reason:
            case "appeared", mark:
                there.add(mark)
            case "removed", mark:
                there.discard(mark)
            case "gone", _:
                self._withdraw(folder, "its folder was taken away")
            case "changed", _:
                self._withdraw(folder, "its files have changed")
        if folder in self._names:
            background(self._obeyed(folder, action), "steering a watched campaign")

    async def before(self, folder: str, row: CampaignRow) -> None:
        """Let the marks count before anything of the campaign is sent. Raises OwnFault."""
        self._names[folder] = row.name
        there = self._there.get(folder, set())
        if "PAUSE" in there:
            await self._pause(row.name)
        else:
            await self._release(row.name)
        if "CANCEL" in there:
            await self._cancel(row.name)

    async def refused(self, folder: str, name: str) -> bool:
        """Return whether a campaign whose files are refused is cancelled by the file; ``name``: of one to be ended.

        ``name`` is "" where the spool has nothing of it that has not ended.
        """
        if "CANCEL" not in self._there.get(folder, set()):
            return False
        if name:
            try:
                await self._cancel(name)
            except BulkmailError as error:
                _log.warn(
                    "{folder}: the file CANCEL changes nothing: {error}", folder=folder, error=error, campaign=name
                )
                return False
        return True

    async def _obeyed(self, folder: str, action: Action) -> None:
        name = self._names[folder]
        steps: dict[tuple[str, str], Callable[[], Coroutine[Any, Any, None]]] = {
            ("appeared", "PAUSE"): lambda: self._pause(name),
            ("removed", "PAUSE"): lambda: self._release(name),
            ("appeared", "CANCEL"): lambda: self._cancel(name),
        }
        step = steps.get((action.kind, action.reason))
        if step is None:
            return
        try:
            await step()
        except BulkmailError as error:
            words = "{folder}: the file {mark} changes nothing: {error}"
            _log.warn(words, folder=folder, mark=action.reason, error=error, campaign=name)

    async def _pause(self, name: str) -> None:
        await self._steering.pause(name, reason="remove the file PAUSE to go on", who=BY_FILE)

    async def _release(self, name: str) -> None:
        """Release the pause that the file has made."""
        row = await self._spool.campaign(name)
        for hold in await self._spool.holds():
            if row is not None and (hold.campaign_id, hold.kind, hold.who) == (row.id, _PAUSED, BY_FILE):
                await self._steering.release(name, _PAUSED, who=BY_FILE)

    async def _cancel(self, name: str) -> None:
        await self._steering.cancel(name, reason="the file CANCEL was put into its folder", who="the file CANCEL")
