"""Builds and wires everything, and starts and stops it in the right order; decides nothing.

Nothing is opened before ``startService``: a thread, a process or a database would not survive twistd's fork. The order
of opening is the order of need: limits of the system, the rehearsal's world where there is one, the spool (its lock
first), the resolver, the compose workers, the report's workers, then the campaigns. Closing is the reverse.
"""

from __future__ import annotations

import atexit
import gc
import os
import random
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bulkmail.delivery import (
    Composing,
    Feeder,
    Ledger,
    Prepared,
    Relaying,
    Remembering,
    Reporting,
    Run,
    Sending,
    Street,
    Trial,
    WallClock,
    Watching,
    background,
)
from bulkmail.failpoints import armed, failpoint
from bulkmail.machine import check_room, own_name, raise_file_limit
from bulkmail.mail import BulkmailError, OwnFault, Problem, Refused
from bulkmail.rehearsal import WorldProcess, rehearsed
from bulkmail.routing import RESOLVER, RelayRouter, Router
from bulkmail.settings import Settings
from bulkmail.shaping import Provider, provider_table
from bulkmail.spool import RUNNING, OneOfMany, Spool, open_spool
from bulkmail.workers import Pool, Worker

_log = Logger("bulkmail")

COMPOSER = "bulkmail.content.compose:Composer"
FINISHED, REFUSED, STOPPED = 0, 1, 3
SPEED = 600.0
_GARBAGE = (10_000, 20, 20)  # new objects between two collections; generations
_RESERVE = 200  # descriptors for everything that is no connection to an MX
_RESTART_DELAY = 0.5


@dataclass
class Order:
    """What was asked for on the command line, checked: one campaign, or a folder of them to watch."""

    settings: Settings
    prepared: Prepared | None = None
    watch: str | None = None
    rehearse: bool = False
    speed: float = SPEED
    once: bool = False
    accept_changes: bool = False
    foreground: bool = True
    problems: list[Problem] = field(default_factory=list)


class Bulkmail(Service):
    """The running program. Ends the process's reactor when there is nothing left to do."""

    def __init__(self, reactor: Any, order: Order) -> None:
        self.reactor = reactor
        self.order = order
        self.settings = order.settings
        self.exit_status = REFUSED
        self._sending: Sending | None = None
        self._street: Street | None = None
        self._spool: Spool | None = None
        self._resolver: Worker | None = None
        self._world: WorldProcess | None = None
        self._watching: Watching | None = None
        self._relaying: Relaying | None = None
        self._done: Deferred[None] | None = None
        self._stop_asked = 0
        self._wall = WallClock(time.time, time.monotonic)
        self._asked_to_stop: Deferred[None] = Deferred()

    # what twistd calls

    def startService(self) -> None:
        """After the fork: open everything and begin."""
        super().startService()  # type: ignore[no-untyped-call]
        atexit.register(self._leave)
        # Modules never become garbage, and a message is no cycle: looking for some every 700 objects finds none
        gc.freeze()
        gc.set_threshold(*_GARBAGE)
        # Twisted's timers follow the wall clock; ours must not fire, or wait, because somebody set it.
        self.reactor.seconds = time.monotonic
        self.reactor.callWhenRunning(self._install_signals)
        self._done = background(self._run(), "sending")

    def stopService(self) -> Deferred[None] | None:
        """The reactor is about to stop, whoever asked for it."""
        super().stopService()  # type: ignore[no-untyped-call]
        background(self._stop(), "stopping")
        return self._done

    # the life of the process

    async def _run(self) -> None:
        try:
            await self._open()
            self.exit_status = await self._work()
        except Refused as refused:
            self._refuse(str(refused))
        except OwnFault as fault:
            self._refuse(f"bulkmail: {fault}")
        except Exception:  # noqa: BLE001 - whatever it is: settle, report, close
            _log.failure("bulkmail stopped because of an error in itself")
            self.exit_status = STOPPED
        finally:
            await self._close()
            # a refusal may come before the reactor runs: then it stops as soon as it does
            self.reactor.callWhenRunning(self.reactor.callLater, 0, self._stop_reactor)

    async def _work(self) -> int:
        assert self._sending is not None
        if self._stop_asked:
            return STOPPED
        if self._sending.joining is not None:
            self._sending.joining.begin(self.order.prepared.campaign.name if self.order.prepared else "")
        if self.order.watch is not None:
            assert self._watching is not None
            await self._watching.watch()
            await self._sending.stop()
            await self._watching.told()
            return STOPPED
        if self.order.prepared is None:
            await self._asked_to_stop
            await self._sending.stop()
            return STOPPED
        status = await self._sending.send(self.order.prepared, accept_changes=self.order.accept_changes)
        if self.order.rehearse:
            _log.info("the rehearsal's report: {folder}/rehearsal/", folder=self.order.prepared.campaign.folder)
        else:
            _log.info("the report: {folder}/report/", folder=self.order.prepared.campaign.folder)
        return status

    async def _open(self) -> None:
        order = self.order
        if armed:
            _log.warn("BULKMAIL_FAILPOINTS is set: faults are made on purpose ({points})", points=", ".join(armed))
        for problem in order.problems:
            _log.warn("{problem}", problem=problem)
        connections = max(1, min(self.settings.shaping.total.connections, raise_file_limit() - _RESERVE))
        speed, ca_file = 1.0, None
        if order.rehearse:
            assert order.prepared is not None
            speed = order.speed
            place = os.path.join(order.prepared.campaign.folder, "rehearsal")
            self._world = WorldProcess(self.reactor, os.path.join(place, "received"), speed)
            shutil.rmtree(place, ignore_errors=True)
            os.makedirs(place, exist_ok=True)
            os.chmod(place, 0o755)  # noqa: S103 - people read it
            where = await self._world.start()
            ca_file = where.ca
            self.settings = rehearsed(self.settings, where, os.path.join(place, ".spool"), speed)
        check_room(self.settings.place, order.prepared, here=not self.settings.shared)
        machine = self.settings.machine
        self._spool = spool = await open_spool(
            self.settings.spool,
            self.reactor,
            clock=self._wall,
            unknown_after=self.settings.retry.unknown_after,
            on_fault=self._spool_fault,
            machine=OneOfMany(machine.folder, machine.name or own_name(), machine.lease, time.monotonic),
        )
        if spool.leases is not None:
            spool.leases.on_over = self._life_over
        if any(spool.recovered.counts):
            _log.info("found after an unclean end: {recovered}", recovered=spool.recovered)
        for row in await spool.campaigns():
            # when it was killed; whether it goes on is for the command line to say
            if row.state == RUNNING and spool.leases is None:
                await spool.set_state(row.id, "stopped", self._wall(), exit_status=STOPPED)
        providers = provider_table(self.settings.shaping.overrides)
        router = await self._open_router(speed, providers)
        hostname = self.settings.hostname or own_name()
        if isinstance(router, RelayRouter) and self._relaying is not None:
            site, timeouts = await router.route(""), self.settings.smtp.timeouts
            await Trial(self._relaying, site, reactor=self.reactor, hostname=hostname, timeouts=timeouts).passed()
        compose = Pool(self.reactor, COMPOSER, self._processes())
        compose.start()
        reporting = Reporting(
            reactor=self.reactor,
            spool=spool,
            spool_path=self.settings.spool,
            wall=self._wall,
            fault=self._report_fault,
            rehearsal=order.rehearse,
            via_relay="" if self.settings.relay is None else self.settings.relay.host,
        )
        reporting.start()
        remembering = Remembering(reactor=self.reactor, spool=spool, wall=self._wall)
        await remembering.load()
        ledger = Ledger(
            spool=spool,
            retry=self.settings.retry,
            wall=self._wall,
            rng=random.Random(),  # noqa: S311 - jitter, not secrets
            changed=self._changed,
            speed=speed,
        )
        self._street = street = Street(
            reactor=self.reactor,
            settings=self.settings,
            hostname=hostname,
            ledger=ledger,
            providers=providers,
            wall=self._wall,
            rng=random.Random(),  # noqa: S311 - shuffles MX hosts
            connections=connections,
            speed=speed,
            rehearsal=order.rehearse,
            ca_file=ca_file,
            sites=remembering.memory,
            relay=self._relaying,
        )
        composing = Composing(compose)
        street.feeder = feeder = Feeder(spool=spool, street=street, composing=composing, route=router.route)
        composing.start(feeder.composed, feeder.spoilt, feeder.not_composed)
        scratch = os.path.join(self.settings.place, "scratch")
        os.makedirs(scratch, mode=0o700, exist_ok=True)
        self._sending = Sending(
            reactor=self.reactor,
            spool=spool,
            street=street,
            feeder=feeder,
            reporting=reporting,
            remembering=remembering,
            compose=compose,
            wall=self._wall,
            stop_within=self.settings.stop_within,
            once=order.once,
            rehearsal=order.rehearse,
            suppress=list(self.settings.suppress),
            scratch=scratch,
            clock_set=self._wall.look,
        )
        self._sending.start()
        if order.watch is not None:
            self._watching = Watching(
                reactor=self.reactor, sending=self._sending, settings=self.settings, root=order.watch
            )

    async def _open_router(self, speed: float, providers: Mapping[str, Provider]) -> Router | RelayRouter:
        """Where mail goes: to the relay if one is set. Raises OwnFault where that cannot be found out."""
        ask, clock, relay = await self._open_resolver(speed), self.reactor.seconds, self.settings.relay
        router: Router | RelayRouter
        if relay is None:
            router = Router(ask, clock, providers)
        else:
            router = RelayRouter(ask, clock, relay.host, relay.port)
            self._relaying = Relaying(relay, reactor=self.reactor, nonce=secrets.token_urlsafe)
        await router.check()
        return router

    async def _open_resolver(self, speed: float) -> Any:
        options = {
            "nameservers": list(self.settings.dns.nameservers) if self.settings.dns.nameservers else None,
            "timeout": self.settings.dns.timeout,
            "must_exist": list(self.settings.dns.must_exist),
            "allow_networks": [str(network) for network in self.settings.routing.allow_networks],
            "ttl_floor": 60.0 / speed,
            "mx_aliases": True,  # against RFC 5321 5.1, and yet what every mailer follows
        }

        def start() -> None:
            if self._stop_asked or self._spool is None:
                return
            # Not at once: one that cannot start would be started without end.
            again = lambda _: self.reactor.callLater(_RESTART_DELAY, start)  # noqa: E731
            self._resolver = worker = Worker.start(self.reactor, RESOLVER, again)
            worker.ask(("configure", options), None).addErrback(lambda _: None)

        start()

        async def ask(job: tuple[Any, ...]) -> Any:
            assert self._resolver is not None
            try:
                return await self._resolver.ask(job, 60.0)
            except BulkmailError as error:
                return ("own-fault", f"the resolver process: {error}")

        return ask

    def _processes(self) -> int:
        wanted = self.settings.compose.processes
        return len(os.sched_getaffinity(0)) if wanted == "auto" else int(wanted)

    async def _stop(self) -> None:
        self._stop_asked += 1
        if not self._asked_to_stop.called:
            self._asked_to_stop.callback(None)
        if self._watching is not None:
            self._watching.stop()
        if self._sending is not None:
            await self._sending.stop()

    async def _close(self) -> None:
        self._stop_asked += 1
        if self._sending is not None:
            await self._sending.close()
        if self._relaying is not None:
            self._relaying.close()
        if self._resolver is not None:
            await self._resolver.close()
        failpoint("closing")
        if self._spool is not None:
            try:
                await self._spool.close()
            except OwnFault as fault:
                _log.error("{fault}; the journal has what could not be written", fault=fault)
        if self._world is not None:
            await self._world.stop()

    # what others tell

    def _changed(self, run: Run) -> None:
        if self._sending is not None:
            self._sending.changed(run)

    def _spool_fault(self, fault: OwnFault | None) -> None:
        if fault is not None and self._street is not None:
            self._street.own_fault(str(fault))

    def _life_over(self) -> None:
        _log.error(
            "this machine was not heard of for longer than its lease, and others have taken over; start it again"
        )
        background(self._stop(), "stopping")

    def _report_fault(self, text: str) -> None:
        _log.error("{text}; it is tried again", text=text)

    def _refuse(self, text: str) -> None:
        self.exit_status = REFUSED
        if sys.__stderr__ is not None:  # twistd has made sys.stderr a part of the log
            sys.__stderr__.write(text + "\n")
            sys.__stderr__.flush()
        _log.error("refused: {text}", text=text)

    # signals and the end

    def _install_signals(self) -> None:
        signals = [signal.SIGTERM, signal.SIGINT]
        if self.order.foreground:
            signals.append(signal.SIGHUP)
        for number in signals:
            signal.signal(number, lambda *_: self.reactor.callFromThread(self._signalled))

    def _signalled(self) -> None:
        if self._stop_asked and self._street is not None:
            self._street.hurry = True
            return
        _log.info("stopping; what is in flight may finish, a second signal stops at once")
        background(self._stop(), "stopping")

    def _stop_reactor(self) -> None:
        if self.reactor.running:
            self.reactor.stop()

    def _leave(self) -> None:
        """The last exit hook to run: twistd has no other way to a status of our own."""
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(self.exit_status)
