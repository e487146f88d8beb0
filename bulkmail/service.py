"""The process: starts and stops in the right order, hears signals, gives the exit status; decides nothing else.

Nothing is opened before ``startService``: a thread, a process or a database would not survive twistd's fork. What an
incarnation of the process opens, and in which order, is in `incarnation.py`; here are the rehearsal's world around it
where there is one, and the next incarnation where other machines have declared one over.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import random
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, Logger

from bulkmail.control import ask_within
from bulkmail.delivery import Prepared, WallClock, in_background
from bulkmail.exit_status import REFUSED, STOPPED
from bulkmail.failpoints import armed
from bulkmail.files import Folder
from bulkmail.heap import keep_small
from bulkmail.inbound import Listening
from bulkmail.incarnation import Incarnation
from bulkmail.logs import ServiceLog
from bulkmail.machine import check_room, own_name
from bulkmail.mail import OwnFault, Problem, Refused, WrongState
from bulkmail.order import Order
from bulkmail.rehearsal import WorldProcess, rehearsed
from bulkmail.settings import Changes, Settings, changes, without_restart

if TYPE_CHECKING:
    from bulkmail.public import PublicServer
    from bulkmail.web import WebServer

_log = Logger("bulkmail")

_GARBAGE = (3_000, 0, 735)
_TRY_AGAIN = 5.0
_LOOK_AGAIN = 0.1
_ANSWERED = 0.1
_FOR_PEOPLE = 0o755


def seek_garbage_briefly() -> None:
    """Have Python look for cycles that are garbage in short turns, from now on and not among what is there now.

    Modules never become garbage, and neither a message nor a connection that is over is a cycle. So what is still there
    after one look or two, 3,000 new objects apart, is left alone until 736 x 2 x 3,000 more have come. Python's own
    thresholds look every 700 objects. Larger steps look as seldom at everything and for as much CPU time in all, but
    for longer at once: with 20,000 domains (5_000, 1, 440) for 14 to 18 ms, this for 7 to 8, in which no connection is
    served.
    """
    gc.freeze()
    gc.set_threshold(*_GARBAGE)


class Bulkmail(Service):
    """The running program. Ends the process's reactor when there is nothing left to do."""

    def __init__(self, reactor: Any, order: Order, log: ServiceLog | None = None) -> None:
        self.reactor = reactor
        self.order = order
        self.log = log
        self.settings = order.settings
        self.exit_status = REFUSED
        self._incarnation: Incarnation | None = None
        self._world: WorldProcess | None = None
        self._public: PublicServer | None = None
        self._web: WebServer | None = None
        self._done: Deferred[None] | None = None
        self._stop_asked = 0
        self._next: tuple[Settings, Prepared | None] | None = None  # for the next incarnation
        self._before: tuple[Settings, Prepared | None] | None = None  # while it is not known whether that one opens
        self._ca_file: str | None = None
        self._wall = WallClock(time.time, time.monotonic)
        self._listening = Listening(reactor, own_name)

    # what twistd calls

    def setServiceParent(self, parent: Any) -> None:
        """Hand twistd the log in the form of the settings, where it was not told to use another one."""
        if self.log is not None and hasattr(parent, "setComponent"):
            parent.setComponent(ILogObserver, self.log)
        super().setServiceParent(parent)  # type: ignore[no-untyped-call]

    def privilegedStartService(self) -> None:
        """After the fork, and before privileges are dropped: take the ports that mail comes in by."""
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        if not self.order.rehearse:
            self._listening.bind(self.settings)

    def startService(self) -> None:
        """After the fork: open everything and begin."""
        super().startService()  # type: ignore[no-untyped-call]
        atexit.register(self._leave)
        keep_small()
        seek_garbage_briefly()
        # Twisted's timers follow the wall clock; a clock that is set must not make ours fire or wait
        self.reactor.seconds = time.monotonic
        self.reactor.callWhenRunning(self._install_signals)
        self._done = in_background(self._run(), "sending")

    def stopService(self) -> Deferred[None] | None:
        """Stop sending: the reactor is about to stop."""
        super().stopService()  # type: ignore[no-untyped-call]
        in_background(self._stop(), "stopping")
        return self._done

    # the life of the process

    async def _run(self) -> None:
        try:
            await self._open()
            self.exit_status = await self._live()
        except Refused as refused:
            self._refuse(str(refused))
        except OwnFault as fault:
            self._refuse(f"bulkmail: {fault}")
        except Exception:  # noqa: BLE001 - whatever it is: settle, report, close
            _log.failure("bulkmail stopped because of an error in itself")
            self.exit_status = STOPPED
        finally:
            self._listening.shut()
            if self._world is not None:
                await self._world.stop()
            # a refusal may come before the reactor runs: then it stops as soon as it does
            self.reactor.callWhenRunning(self.reactor.callLater, 0, self._stop_reactor)

    async def _live(self) -> int:
        """Run one incarnation, and another after each that was declared over or is to change; return the exit status.

        After the first one something was begun: what is refused then ends with 3, and what cannot be had just then is
        tried again, for it was there before.
        """
        lives, told = 0, ""
        while True:
            lives += 1
            self._take_next()
            self._incarnation = incarnation = self._begin()
            opened = faulty = False
            try:
                await incarnation.open()
                assert incarnation.late is not None
                await self._listening.open(self.settings, incarnation.late)
                self._serve_pages(incarnation)
                opened, self._before = True, None
                status = await incarnation.work()
                if not self._stop_asked:
                    await self._come_back()
                if not (incarnation.over or self._next) or status != STOPPED:
                    return status
            except (Refused, OwnFault) as error:
                if not opened and self._take_back(error):
                    continue
                if lives == 1 and not incarnation.over:
                    raise
                if opened and isinstance(error, Refused):
                    self._refuse(str(error))
                    return STOPPED
                faulty = not incarnation.over
                if faulty and str(error) != told:
                    told = str(error)
                    _log.error("{why}; it is tried again every 5 s", why=told)
            finally:
                await self._listening.close(self.settings.stop_within)
                for page in (self._public, self._web):
                    if page is not None:
                        await page.close()
                await incarnation.close()
            until = self.reactor.seconds() + (_TRY_AGAIN if faulty else 0.0)
            while not self._stop_asked and self.reactor.seconds() < until:
                await deferLater(self.reactor, _LOOK_AGAIN)
            if self._stop_asked:
                return STOPPED

    def _begin(self) -> Incarnation:
        return Incarnation(
            self.reactor,
            self.settings,
            self.order,
            wall=self._wall,
            rng=random.Random(),  # noqa: S311 - jitter and the order of MX hosts, not secrets
            reload=self.reload,
            ca_file=self._ca_file,
            come_back=self._come_back,
        )

    async def _come_back(self) -> None:
        """In a rehearsal have all come back that is to come back, and write it down."""
        if self._world is None:
            return
        assert self._incarnation is not None
        assert self._incarnation.late is not None
        await self._world.rest()
        if self._public is not None:
            await self._public.counted()
        await self._incarnation.late.written()

    def _serve_pages(self, incarnation: Incarnation) -> None:
        """Serve the pages that the settings have; who has none does without their modules. Raises OwnFault, Refused."""
        settings, self._public, self._web = self.settings, None, None
        assert incarnation.late is not None
        if settings.public is not None:
            from bulkmail.public import PublicServer  # noqa: PLC0415 - as above

            self._public = PublicServer(self.reactor, settings.public, incarnation.late)
            self._public.open()
        if settings.web is not None:
            from bulkmail.web import WebServer  # noqa: PLC0415 - as above

            assert incarnation.control is not None
            self._web = WebServer(self.reactor, settings.web, ask_within(incarnation.control.answering))
            self._web.open()

    async def _open(self) -> None:
        """Open what lasts as long as the process."""
        order = self.order
        if armed:
            _log.warn("BULKMAIL_FAILPOINTS is set: faults are made on purpose ({points})", points=", ".join(armed))
        file = self.settings.file
        _log.info("settings: {path}", path="the defaults" if file is None else file.path)
        for problem in order.problems:
            _log.warn("{problem}", problem=problem)
        if order.rehearse:
            assert order.prepared is not None
            place = _emptied(order.prepared.campaign.opened)
            back = self.settings.inbound is not None or self.settings.public is not None
            received = place.subfolder("received", _FOR_PEOPLE)
            self._world = WorldProcess(self.reactor, received, order.speed, back=back)
            where = await self._world.start()
            self._ca_file = where.ca
            self.settings = rehearsed(self.settings, where, os.path.join(place.path, ".spool"), order.speed)
        check_room(self.settings.place, order.prepared, here=not self.settings.shared)

    async def _stop(self) -> None:
        self._stop_asked += 1
        if self._incarnation is not None:
            await self._incarnation.stop()

    def _refuse(self, text: str) -> None:
        self.exit_status = REFUSED
        if sys.__stderr__ is not None:  # twistd has made sys.stderr a part of the log
            sys.__stderr__.write(text + "\n")
            sys.__stderr__.flush()
        if not (self.order.foreground and self.log is not None and self.log.to_stdout):
            _log.error("refused: {text}", text=text)  # else it would be read twice

    # a reload

    def _reload(self) -> None:
        """Reload for a signal: what goes wrong is logged, for a signal has no answer."""
        try:
            self.reload()
        except Refused as refused:
            _log.error("the settings are not reloaded, those from before stay: {why}", why=refused)
        except WrongState as error:
            _log.info("the settings are not reloaded: {why}", why=error)

    def reload(self) -> Changes:
        """Read the settings again, and use what has changed: at once, or as soon as what is in flight has finished.

        Raises Refused for what is wrong with them, WrongState where nothing can be reloaded now; all stays as it was.
        """
        again, incarnation = self.order.again, self._incarnation
        if again is None or incarnation is None:
            raise WrongState("a rehearsal reads its settings once" if again is None else "the service begins just now")
        if self._stop_asked or self._next is not None:
            raise WrongState("the service stops" if self._stop_asked else "what was changed before is being taken")
        read = again()
        found, new = changes(self.settings, read), without_restart(self.settings, read)
        if found.anew or (found.live and not incarnation.apply(new)):
            self._next = new, self.order.prepare(new)
            # a moment later, so that the request for it is answered before
            self.reactor.callLater(_ANSWERED, self._end, incarnation)
        else:
            self._take(new)
        for sentence in found.sentences:
            _log.info("the settings were read again: {sentence}", sentence=sentence)
        return found

    def _end(self, incarnation: Incarnation) -> None:
        in_background(incarnation.stop(), "stopping for a reload")

    def _take_next(self) -> None:
        """Between two incarnations nothing is in flight: take the settings that were read for the next one."""
        if self._next is not None:
            self._before = self.settings, self.order.prepared
            new, self.order.prepared = self._next
            self._next = None
            self._take(new)

    def _take_back(self, error: Exception) -> bool:
        """Take the settings from before again where nothing can be opened with new ones; whether there were such."""
        if self._before is None:
            return False
        _log.error("the service cannot begin with the new settings, and takes those from before: {why}", why=error)
        self.settings, self.order.prepared = self._before
        self._before = None
        return True

    def _take(self, settings: Settings) -> None:
        self.settings = settings
        if self.log is not None:
            self.log.configure(settings.log.format, settings.log.level)

    # signals and the end

    def _install_signals(self) -> None:
        signals = {signal.SIGTERM: self._signalled, signal.SIGINT: self._signalled, signal.SIGUSR1: self._turn_over}
        signals[signal.SIGHUP] = self._signalled if self.order.foreground and not _supervised() else self._reload
        for number, call in signals.items():
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup has it ignored
                signal.signal(number, lambda *_, call=call: self.reactor.callFromThread(call))

    def _turn_over(self) -> None:
        what = "it is not this program's to turn over" if self.log is None else self.log.turn_over()
        _log.info("SIGUSR1: {what}", what=what)

    def _signalled(self) -> None:
        if self._stop_asked and self._incarnation is not None:
            self._incarnation.hurry()
            return
        _log.info("stopping; what is in flight may finish, a second signal stops at once")
        in_background(self._stop(), "stopping")

    def _stop_reactor(self) -> None:
        if self.reactor.running:
            self.reactor.stop()

    def _leave(self) -> None:
        """Exit with the status, as the last exit hook: twistd has no other way to a status of our own."""
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(self.exit_status)


def _supervised() -> bool:
    """Return whether a service manager started this process: then a SIGHUP is a request, and no terminal that is gone.

    systemd sets INVOCATION_ID, which the shells below it inherit; those have a terminal.
    """
    if "INVOCATION_ID" not in os.environ:
        return False
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return True
    return False


def _emptied(campaign: Folder) -> Folder:
    """Return the campaign's folder ``rehearsal``, new and empty. Raises Refused where it cannot be had."""
    try:
        with contextlib.suppress(FileNotFoundError):
            campaign.remove("rehearsal")
        return campaign.subfolder("rehearsal", _FOR_PEOPLE)
    except OSError as error:
        where = os.path.join(campaign.path, "rehearsal")
        raise Refused([Problem(where, 0, 0, f"nothing can be rehearsed into it: {error.strerror}")]) from None
