"""The drop folder: each campaign folder in it is checked and sent once, several at a time; STATUS.txt says how it goes.

A folder starts when its files have stood still for a few seconds. One that is finished or was refused is left alone
until its files change; what was sent once is in the spool under its name and is never sent again.

Looking takes a twentieth of the event loop's time at most: folders with many files are looked at more rarely.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from bulkmail.campaign import DropFolder, put_aside, scan, write_status, write_status_in
from bulkmail.delivery.background import Wakeup, background
from bulkmail.delivery.lifecycle.accepting import MARK, marked_at
from bulkmail.delivery.lifecycle.approving import Approving, WithdrawnError
from bulkmail.delivery.lifecycle.campaigns import Campaigns
from bulkmail.delivery.lifecycle.checking import Checking
from bulkmail.delivery.lifecycle.folder_events import FolderEvents
from bulkmail.delivery.lifecycle.looking_over import RefusedByDns
from bulkmail.delivery.lifecycle.marks import Marks
from bulkmail.delivery.lifecycle.opening import Prepared
from bulkmail.exit_status import DONE
from bulkmail.files import Folder
from bulkmail.mail import BulkmailError, OwnFault, Problem, Refused, Word
from bulkmail.spool import CampaignRow
from bulkmail.workers import CommandFailedError, WorkerFailedError

_log = Logger("bulkmail")

_EVERY = 2.0
_SOON = 0.2  # behind an event; more of them follow
_SLOWLY = 10.0  # between two looks where the kernel tells of changes
_SHARE = 20.0  # so many times as long as looking took, nothing is looked at
_DNS_AGAIN = 300.0  # seconds until records that were wrong are looked up again
_MEND = (
    "Mend the files; the folder is checked again as soon as they have changed, or when you have run `bulkmail check` "
    "and it found nothing wrong."
)
_MEND_DNS = (
    f"Publish the records; they are looked up again by themselves every {_DNS_AGAIN / 60:.0f} minutes. It is done at "
    "once when `bulkmail check` finds nothing wrong any more, or after `touch campaign.yaml`."
)
_UNCHECKED = (
    "This is no mistake of the campaign; the service's log says more. It is checked again when the service starts, or "
    "after `touch campaign.yaml`."
)
_STALE = (
    "The file ACCEPT counts for what stood here when it was put. It was renamed; put it again when the files are right."
)
_FAULT = (
    "This campaign was not sent, or not to its end: bulkmail has an error in itself. The service's log says which; "
    "please report it. The folder is checked again as soon as its files have changed.\n"
)

_CANCELLED = "This campaign was cancelled, which cannot be undone. The report is in report/: open index.html first.\n"


_GONE = (
    "This campaign is paused: this folder was moved away from where it was sent. Move it back, and it goes on; to end "
    "it, run `bulkmail cancel` with its name.\n"
)


def _in_state(word: str, text: str) -> str:
    """Return the text of STATUS.txt: the state in its first line, an empty line, and ``text``."""
    return f"{word}\n\n{text}"


class DropFolderWatch:
    """Watches ``root`` until it is told to stop."""

    def __init__(
        self,
        *,
        reactor: Any,
        campaigns: Campaigns,
        checking: Checking,
        root: str,
        approving: Approving,
        marks: Marks,
        events: Callable[[Any, str, Callable[[], None]], FolderEvents] = FolderEvents,
    ) -> None:
        self._reactor = reactor
        self._campaigns = campaigns
        self._checking = checking
        self._root = root
        self._approving = approving
        self._marks = marks
        self._listen = events
        self._folders = DropFolder()
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor
        self._stopped: Deferred[None] = Deferred()
        self._fault = ""
        self._untold: dict[str, str] = {}  # folder -> why its STATUS.txt could not be written, as was logged
        self._not_before = 0.0
        self._not_after = 0.0  # when it is looked at whatever the kernel tells
        self._news = False
        self._events: FolderEvents | None = None
        self._soon = Wakeup(reactor, self._look)
        self._sends: set[Deferred[Any]] = set()
        self._opened: dict[str, Folder] = {}  # of the campaigns that are being sent
        self._again: dict[str, float] = {}  # folder -> when it is checked again, though nothing of it has changed
        self._accepts: dict[str, int] = {}  # folder -> when the file ACCEPT was made that was there at a refusal
        self._gone: dict[str, Folder] = {}  # those that are not at their path any more

    async def watch(self) -> None:
        """Look every two seconds; returns after `stop`."""
        _log.info("watching {root} for campaign folders", root=self._root)
        self._events = self._listen(self._reactor, self._root, self._heard)
        self._looking.start(_EVERY, now=True)
        await self._stopped

    def stop(self) -> None:
        """Start no further folder."""
        if self._looking.running:
            self._looking.stop()
            self._soon.cancel()
            if self._events is not None:
                self._events.close()
            self._checking.stop()
            self._stopped.callback(None)

    async def told(self) -> None:
        """Wait until every campaign that was started has ended and its folder says so."""
        for send in list(self._sends):
            await send

    def _look(self) -> None:
        try:
            self._look_once()
        except Exception:  # noqa: BLE001 - a LoopingCall that fails once is never called again
            _log.failure("looking at the watched folder failed")

    def _heard(self) -> None:
        self._news = True
        self._soon.at(self._reactor.seconds() + _SOON)

    def _look_once(self) -> None:
        began = self._reactor.seconds()
        for path in [path for path, at in self._again.items() if began >= at]:
            del self._again[path]
            self._folders.again(path)
        told = self._events is not None and self._events.there
        due = not told or self._news or self._folders.unsettled or began >= self._not_after
        if due and began >= self._not_before:
            self._news = False
            self._scan(began)
            ended = self._reactor.seconds()
            self._not_before = ended + _SHARE * (ended - began)
            self._not_after = ended + _SLOWLY
        for path, run in self._campaigns.running():
            note = self._campaigns.accepting.notes.get(path, "")
            words = self._campaigns.progress.in_words(run)
            if path in self._gone:
                further = words.partition("\n\n")[2]  # what stands below the state
                self._say_in(self._gone[path], _in_state(Word.PAUSED, f"{_GONE}\n{further}"))
            else:
                self._say(path, f"{words.rstrip()}\n\n{note}\n" if note else words)

    def _scan(self, now: float) -> None:
        try:
            states = scan(self._root, now)
        except OwnFault as fault:
            if str(fault) != self._fault:
                _log.error("{fault}", fault=fault)
            self._fault = str(fault)
            return
        self._fault = ""
        if self._events is not None:
            self._events.follow(state.path for state in states if not state.reason)
        starts = []
        for action in self._folders.look(states):
            if action.kind == "start":
                self._again.pop(action.path, None)
                self._marks.started(action.path)
                starts.append(action.path)
            elif action.kind in ("gone", "back"):
                self._marks.saw(action)
                background(self._moved(action.path, gone=action.kind == "gone"), "holding a campaign without a folder")
            elif action.kind == "changed":
                self._marks.saw(action)
                background(self._campaigns.accepting.note(action.path), "looking what was changed")
            elif action.kind == "ignore":
                _log.warn("{what}", what=Problem(action.path, 0, 0, f"left alone: {action.reason}"))
                with contextlib.suppress(OSError):  # a link or a file is told in the log alone
                    write_status(action.path, _in_state(Word.REFUSED, f"This folder is left alone: {action.reason}\n"))
            else:
                self._marks.saw(action)
        for path in starts:  # behind the marks, which count from the first moment on
            send = background(self._send(path), "sending a watched campaign")
            self._sends.add(send)
            send.addBoth(partial(self._sent, send))

    async def _moved(self, path: str, *, gone: bool) -> None:
        """Hold the campaign of a folder that was taken away, and release it when the folder is back."""
        run = next((run for folder, run in self._campaigns.running() if folder == path), None)
        if run is None:
            return
        steering = self._campaigns.steering
        try:
            if gone:
                if path in self._opened:
                    self._gone[path] = self._opened[path]
                await steering.hold(run.name, "folder", reason=f"its folder {path} was moved away or removed")
            else:
                self._gone.pop(path, None)
                await steering.release(run.name, "folder")
        except BulkmailError as error:
            _log.error("{path}: {error}", path=path, error=error, campaign=run.name)

    async def _send(self, path: str) -> None:
        try:
            self._say(path, _in_state(Word.CHECKING, "The campaign is being checked.\n"))
            prepared = await self._checking.prepare(path)
            self._opened[path] = prepared.campaign.opened
            for notice in prepared.notices:
                _log.warn("{notice}", notice=notice, campaign=prepared.campaign.name)
            status = await self._campaigns.send(
                prepared, accept_changes=False, before=partial(self._before, path, prepared)
            )
            figures = self._campaigns.last_words(prepared.campaign.folder)
            name = prepared.campaign.name
            if await self._campaigns.steering.is_cancelled(name):
                said = _in_state(Word.CANCELLED, _CANCELLED)
            else:
                said = self._ended(status, self._campaigns.withholding.reason(name))
            self._say(path, "\n".join([said.rstrip(), *figures, ""]))
        except WithdrawnError as error:
            _log.info("{path}: {why}", path=path, why=error)
        except Refused as refused:
            _log.error("refused: {reason}", reason=refused)
            self._say(path, await self._refused(path, refused))
        except WorkerFailedError as error:
            _log.error("{path}: the check failed: {error}", path=path, error=error)
            self._say(path, _in_state(Word.STOPPED, _FAULT))
        except CommandFailedError as error:
            _log.error("{path}: the check failed: {error}", path=path, error=error)
            self._say(path, _in_state(Word.REFUSED, f"This campaign could not be checked: {error}\n\n{_UNCHECKED}\n"))
        except BulkmailError as error:
            _log.error("{path}: {error}", path=path, error=error)
            self._say(path, _in_state(Word.STOPPED, f"This campaign could not be sent: {error}\n"))
        except Exception:  # noqa: BLE001 - whatever it is, the folder must not say for ever that it is being checked
            _log.failure("sending {path} failed", path=path)
            self._say(path, _in_state(Word.STOPPED, _FAULT))
        finally:
            self._opened.pop(path, None)
            self._gone.pop(path, None)
            self._folders.ended(path)
            self._marks.ended(path)

    async def _before(self, path: str, prepared: Prepared, row: CampaignRow) -> None:
        """Let the marks count, and wait for the approval."""
        await self._marks.before(path, row)
        await self._approving.passed(
            prepared, row, lambda word, lines: self._say(path, _in_state(word, "\n".join([*lines, ""])))
        )

    async def _refused(self, path: str, refused: Refused) -> str:
        """Return what STATUS.txt says of a refusal: how much was sent before, what is wrong, what to do."""
        count = len(refused.problems)
        what = "one thing is" if count == 1 else f"{count} things are"
        found = await self._campaigns.accepting.sent_from(path)
        if await self._marks.refused(path, found.name if found is not None and not found.ended else ""):
            word = Word.CANCELLED
            said = f"This campaign is cancelled by the file CANCEL; {what} wrong with its files."
        elif found is not None and found.ended:
            word = Word(found.ended)
            said = f"This campaign is {found.ended}; what was changed since then is not sent: {what} wrong with it."
        elif found is None or not found.begun:
            word, said = Word.REFUSED, f"This campaign was not sent: {what} wrong with it."
        else:
            word = Word.STOPPED
            said = f"This campaign has stopped, and does not go on: {what} wrong with it. Sent so far: {found.words}."
        mend = _MEND
        if isinstance(refused, RefusedByDns):
            mend = _MEND_DNS
            self._again[path] = self._reactor.seconds() + _DNS_AGAIN
        if found is not None and not found.ended and word is not Word.CANCELLED:
            try:
                await self._campaigns.refusals.tell(found.name, refused)
            except BulkmailError as error:
                _log.warn(
                    "{path}: that it was refused is not in the spool: {error}",
                    path=path,
                    error=error,
                    campaign=found.name,
                )
        if self._accept_is_stale(path):
            mend += f"\n{_STALE}"
        return _in_state(word, f"{said}\n\n{refused}\n\n{mend}\n")

    def _accept_is_stale(self, path: str) -> bool:
        """Put the file ACCEPT aside that did not help; one that was put during the check is tried once more first."""
        made = marked_at(path)
        if made is None:
            return False
        if self._accepts.get(path) != made:
            self._accepts[path] = made
            self._folders.again(path)
            return False
        with contextlib.suppress(OSError):
            put_aside(path, MARK)
        return True

    def _sent(self, send: Deferred[Any], _: object) -> None:
        self._sends.discard(send)

    def _ended(self, status: int, pause: str) -> str:
        if pause:
            return _in_state(
                Word.STOPPED,
                f"This campaign has paused itself: {pause}.\n\n"
                "Other campaigns go on, and nothing was charged to the recipients of this one. When it is corrected, "
                "put a file called ACCEPT into this folder, or run `bulkmail accept` with its name. Without a change "
                "it is tried again when the service is started again.\n",
            )
        if status == DONE:
            said = "This campaign is finished. The report is in report/: open index.html, or recipients.csv.\n"
            return _in_state(Word.FINISHED, said)
        if self._looking.running:
            said = "This campaign stopped before its end, or its last report could not be written. The log says why.\n"
        else:
            said = "The service was stopped before the end. Sending goes on when it is started again.\n"
        return _in_state(Word.STOPPED, said)

    def _say_in(self, folder: Folder, text: str) -> None:
        """Say something in a folder that is not at its path any more, if it is still anywhere."""
        with contextlib.suppress(OSError):
            write_status_in(folder, text)

    def _say(self, path: str, text: str) -> None:
        try:
            write_status(path, text)
        except OSError as error:
            if self._untold.get(path) != str(error):
                _log.warn("{what}", what=Problem(path, 0, 0, f"STATUS.txt cannot be written: {error.strerror}"))
            self._untold[path] = str(error)
        else:
            self._untold.pop(path, None)
