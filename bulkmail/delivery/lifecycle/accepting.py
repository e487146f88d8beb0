"""A campaign's files that were changed after its start: what the change means, and taking it while it is sent.

What enters a message was read at the start, so a change has no effect until it is accepted, for the rows that are not
sent yet: by `bulkmail accept`, a file ACCEPT in the folder, or a start with --accept-changes. What is on a connection
then ends with the old text; what was composed and has not left is composed anew.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from twisted.logger import Logger

from bulkmail.campaign import changes, digests
from bulkmail.delivery.background import background
from bulkmail.delivery.lifecycle.comparing import kept_winner
from bulkmail.delivery.lifecycle.opening import Prepared, content_of, refusal, sent_of
from bulkmail.delivery.queueing import Feeder
from bulkmail.delivery.run import Run
from bulkmail.files import Folder
from bulkmail.mail import BulkmailError, OwnFault, WrongState
from bulkmail.spool import ENDED, READY, AcceptRequest, Audience, CampaignRow, Spool, check_not_ended, named
from bulkmail.workers import Pool

_log = Logger("bulkmail")

MARK = "ACCEPT"


class Changed(NamedTuple):
    """What differs from the start, in sentences, and how many of the rows so far were ``sent`` as it was before."""

    campaign: str
    changes: list[str]
    sent: int
    rows: int

    @property
    def so_far(self) -> str:
        """How many rows were sent before the change, and how many were not."""
        return f"{self.sent:,} of {self.rows:,} rows were sent as it was before"


class SentBefore(NamedTuple):
    """How far a campaign in the spool is. ``ended``: "finished" or "cancelled"; "" while rows are to be sent.

    ``begun``: whether it was ever sent.
    """

    name: str
    sent: int
    rows: int
    ended: str
    begun: bool = True

    @property
    def words(self) -> str:
        """Both figures."""
        return f"{self.sent:,} of {self.rows:,}"


class Asked(NamedTuple):
    """What came of a request to take a change. ``taken``: at once; else it is taken where the files are, or later."""

    changed: Changed
    taken: bool


class Accepting:
    """Compares campaigns with their start, and takes changes. ``check(folder)`` gives a campaign, checked anew.

    ``changed(run)`` is called when a change was taken. ``notes``: folder -> what people are to know of its changes.
    """

    def __init__(
        self,
        spool: Spool,
        feeder: Feeder,
        compose: Pool,
        changed: Callable[[Run], None],
        check: Callable[[str], Awaitable[Prepared]] | None = None,
    ) -> None:
        self.notes: dict[str, str] = {}
        self._spool = spool
        self._feeder = feeder
        self._compose = compose
        self._changed = changed
        self._check = check
        self._seen: dict[str, int] = {}  # folder -> when the mark that was taken last was made (st_mtime_ns)
        self._busy: set[str] = set()

    async def compare(self, prepared: Prepared) -> Changed:
        """Return what differs from the start of a campaign that is in the spool. Raises UnknownName, OwnFault."""
        row = named(await self._spool.campaigns(), prepared.campaign.name)
        found = changes(row.digests, digests(prepared.campaign, prepared.content))
        return Changed(row.name, found, sent_of(await self._spool.totals(row.id)), row.input_rows)

    async def sent_from(self, folder: str) -> SentBefore | None:
        """Return how far the campaign is that is sent from a folder; None where the spool has none, or cannot tell."""
        try:
            for row in await self._spool.campaigns():
                if _is_same(row.folder, folder):
                    sent = sent_of(await self._spool.totals(row.id))
                    return SentBefore(
                        row.name, sent, row.input_rows, row.state if row.state in ENDED else "", row.state != READY
                    )
        except OwnFault as fault:
            _log.error("{fault}", fault=fault)
        return None

    async def accept(self, prepared: Prepared) -> Changed:
        """Take what was changed for the rows that are not sent yet; return what that is.

        Raises Refused for what cannot be changed, WrongState where nothing was, or where the campaign has ended.
        """
        row = named(await self._spool.campaigns(), prepared.campaign.name)
        check_not_ended(row, "changed")
        changed = await self._acceptable(prepared, row)
        content = content_of(prepared, row)
        found = digests(prepared.campaign, prepared.content)
        await self._spool.update_content(
            row.id,
            content,
            found,
            prepared.files,
            on_unknown=prepared.campaign.on_unknown,
            audience=Audience(prepared.campaign.listed, row.name, prepared.campaign.kind),
        )
        run = self._feeder.runs.get(row.id)
        if run is not None:
            content = run.content = kept_winner(run.content, content)
            run.edition += 1
            self._compose.set_up(run.id, ("load", run.id, content))
            self._feeder.take_back(run)
            self._feeder.rescan()
            self._changed(run)
        _log.info(
            "{campaign}: {changes}; taken for the rows that are still to be sent, {so_far}",
            campaign=row.name,
            changes=", ".join(changed.changes),
            so_far=changed.so_far,
        )
        return changed

    async def _acceptable(self, prepared: Prepared, row: CampaignRow) -> Changed:
        refused = refusal(prepared, row, accept_changes=True)
        if refused is not None:
            raise refused
        changed = await self.compare(prepared)
        if not changed.changes:
            raise WrongState(f"{row.name}: nothing that enters its messages was changed since it was started")
        return changed

    # requests, by a command or a mark in a campaign's folder

    async def ask(self, name: str, *, who: str = "", now: float) -> Asked:
        """Take the change of a campaign that is sent here; else leave word for the process that has its folder.

        On a shared spool that is a request in the spool, which every machine sees; on one that is ours alone, the mark.
        Raises UnknownName, WrongState, Refused, OwnFault.
        """
        row = named(await self._spool.campaigns(), name)
        check_not_ended(row, "changed")
        run = self._feeder.runs.get(row.id)
        here = run is not None and not run.helped and not run.over
        if self._check is None:
            raise WrongState(f"{name} is rehearsed, and a rehearsal takes no changes: start it anew")
        if not here and self._spool.leases is not None:
            await self._spool.request_accept(AcceptRequest(row.id, who, now))
            return Asked(Changed(name, [], sent_of(await self._spool.totals(row.id)), row.input_rows), taken=False)
        prepared = await self._check(row.folder)
        if here:
            changed = await self.accept(prepared)
            self.notes[row.folder] = _taken(changed)
            return Asked(changed, taken=True)
        changed = await self._acceptable(prepared, row)
        put_mark(row.folder, who)
        return Asked(changed, taken=False)

    async def wanted(self, prepared: Prepared) -> bool:
        """Return whether the change of a campaign that is being opened is to be taken: by the mark or a request."""
        if self._check is None:
            return False
        if marked_at(prepared.campaign.folder) is not None:
            return True
        row = await self._spool.campaign(prepared.campaign.name)
        return row is not None and any(one.campaign_id == row.id for one in await self._spool.accept_requests())

    async def opened(self, row: CampaignRow) -> None:
        """Forget what was wanted: the campaign is opened with its files as they are."""
        remove_mark(row.folder)
        await self._spool.drop_accept_request(row.id)

    def look_for_requests(self) -> None:
        """Obey the requests of other machines; called where the spool has news."""
        background(self._obey(), "taking changes that were asked for")

    async def _obey(self) -> None:
        try:
            for request in await self._spool.accept_requests():
                run = self._feeder.runs.get(request.campaign_id)
                if run is None or run.helped or run.over or self._check is None or run.folder in self._busy:
                    continue
                self._busy.add(run.folder)
                await self._take(run.folder, run.name)
                await self._spool.drop_accept_request(run.id)
        except OwnFault as fault:
            _log.error("which changes are to be taken could not be read: {fault}", fault=fault)

    def look(self) -> None:
        """Take the changes of those campaigns in whose folder the mark is."""
        if self._check is None:
            return
        for run in [run for run in self._feeder.runs.values() if not run.over and not run.helped]:
            made = marked_at(run.folder)
            if made is not None and run.folder not in self._busy and self._seen.get(run.folder) != made:
                self._seen[run.folder] = made
                self._busy.add(run.folder)
                background(self._take(run.folder, run.name), "taking a change")

    async def _take(self, folder: str, name: str) -> None:
        assert self._check is not None
        try:
            changed = await self.accept(await self._check(folder))
            self.notes[folder] = _taken(changed)
        except BulkmailError as error:
            _log.error("{folder}: its change was not taken: {error}", folder=folder, error=error, campaign=name)
            self.notes[folder] = f"What was changed since the start was not taken: {error}"
        finally:
            self._busy.discard(folder)
            remove_mark(folder)

    async def note(self, folder: str) -> None:
        """Write down for people what a change of a campaign's files means, while it is being sent."""
        if self._check is None:
            return
        try:
            changed = await self.compare(await self._check(folder))
        except BulkmailError as error:
            self.notes[folder] = f"What was changed since the start has no effect, and has mistakes:\n{error}"
            return
        if not changed.changes:
            self.notes.pop(folder, None)
            return
        self.notes[folder] = (
            f"Changed since the start, and not used: {', '.join(changed.changes)}. {changed.so_far}, and so are the "
            "others, unless you take the change for them: put a file called ACCEPT into this folder, or run "
            f"`bulkmail accept {changed.campaign}`. Or put back what it was."
        )


def _taken(changed: Changed) -> str:
    return f"Taken for the rows still to be sent: {', '.join(changed.changes)}. {changed.so_far}."


def _is_same(folder: str, other: str) -> bool:
    return os.path.realpath(folder) == os.path.realpath(other)


def marked_at(folder: str) -> int | None:
    """Return when the mark in a campaign's folder was made (nanoseconds), None where there is none."""
    try:
        return os.lstat(os.path.join(folder, MARK)).st_mtime_ns
    except OSError:
        return None


def put_mark(folder: str, who: str = "") -> None:
    """Put the mark into a campaign's folder. Raises BulkmailError."""
    path = os.path.join(folder, MARK)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            os.write(descriptor, f"by {who or 'bulkmail accept'}\n".encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        raise BulkmailError(f"{path} cannot be written ({error.strerror})") from None


def remove_mark(folder: str) -> None:
    """Remove the mark, as far as that can be done: it holds for what stood there when it was read."""
    with contextlib.suppress(OSError):
        Folder.open(folder, follow=False).unlink(MARK)
