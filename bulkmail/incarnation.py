"""One incarnation: everything between the opening of the spool and its closing, built, wired, run and taken down.

On a spool that several machines share, a machine that was frozen or cut off for longer than its lease finds that the
other machines have declared its incarnation over. Nothing of it may go on then: all that it has claimed may be claimed
by others. So it is ended as at any end of the process, which is the best tested of all ways, and the service begins
another incarnation.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bulkmail.control import ControlServer, open_control, reading
from bulkmail.delivery import (
    Approving,
    Assembly,
    Checking,
    Clocks,
    Connector,
    DropFolderWatch,
    LateOutcomes,
    Pause,
    Planning,
    Pulse,
    ResolverProcess,
    Run,
    Sending,
    SiteFactSync,
    Smarthost,
    WallClock,
    assemble,
    check_relays,
    compare_records,
    folders,
    in_background,
    load_policies,
    sending_of,
    sent,
    smarthosts,
)
from bulkmail.exit_status import STOPPED
from bulkmail.failpoints import failpoint
from bulkmail.machine import check_sources, compose_processes, own_name, raise_file_limit, reserved
from bulkmail.mail import OwnFault
from bulkmail.order import Order
from bulkmail.own_spool import open_own_spool
from bulkmail.preflight import families_of, resolver_options
from bulkmail.routing import RESOLVER, Routing, providers_of, router_of
from bulkmail.settings import Changes, Settings
from bulkmail.shaping import Provider
from bulkmail.spool import Spool
from bulkmail.workers import Pool

_log = Logger("bulkmail")

COMPOSER = "bulkmail.content.compose:Composer"


class Incarnation:
    """Made, `open`ed, `work`ed and `close`d once. ``over``: others have declared it over; it stops by itself then.

    ``settings``: those of now, which may be others than those of the ``order``. ``late``: takes what comes back, and
    ``control`` what is asked, once opened. ``reload``: reads the settings again. ``ca_file``, and ``come_back``, which
    has all come back, are a rehearsal's. ``wall``: the machine's clock; ``rng``: its dice.
    """

    def __init__(
        self,
        reactor: Any,
        settings: Settings,
        order: Order,
        *,
        wall: WallClock,
        rng: Random,
        reload: Callable[[], Changes] | None = None,
        ca_file: str | None = None,
        come_back: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.reactor, self.settings = reactor, settings
        self.over = self._stopping = False
        self._reload = reload
        self._machine = settings.machine.name or own_name()
        self._wall, self._rng = wall, rng
        self._prepared, self._order, self._rehearsal = order.prepared, order, order.rehearse
        self._ca_file, self._come_back = ca_file, come_back if order.rehearse else None
        self._clocks = Clocks(reactor, wall, order.speed)
        self._pause = Pause(self._clocks)
        self._parts: Assembly | None = None
        self._sending: Sending | None = None
        self._spool: Spool | None = None
        self._resolver: ResolverProcess | None = None
        self._compose = Pool(reactor, COMPOSER, compose_processes(settings.compose.processes))
        self.late: LateOutcomes | None = None
        self._watching: DropFolderWatch | None = None
        self._checking = Checking(reactor, settings, settings.hostname or own_name())
        self._approving: Approving | None = None
        self._relays: dict[str, Smarthost] = {}
        self.control: ControlServer | None = None
        self._asked_to_stop: Deferred[None] = Deferred()

    async def work(self) -> int:
        """Do what was asked for, to its end; return the exit status."""
        assert self._sending is not None
        campaigns, stopping = self._sending.campaigns, self._sending.stopping
        if self._stopping:
            return STOPPED
        if campaigns.joining is not None:
            campaigns.joining.begin(self._prepared.campaign.name if self._prepared else "")
        if self._watching is not None:
            await self._watching.watch()
            await stopping.stop()
            await self._watching.told()
            return STOPPED
        if self._prepared is None:
            await self._asked_to_stop
            await stopping.stop()
            return STOPPED
        asking = None if self._rehearsal else self._approving
        status = await sent(campaigns, asking, self._prepared, accept_changes=self._order.accept_changes)
        campaign = self._prepared.campaign
        if self._rehearsal:
            _log.info("the rehearsal's report: {folder}/rehearsal/", folder=campaign.folder, campaign=campaign.name)
        else:
            _log.info("the report: {folder}/report/", folder=campaign.folder, campaign=campaign.name)
        return status

    async def open(self) -> None:
        """Open everything, in the order of need. Raises Refused or OwnFault; `close` takes down what was opened."""
        check_sources(self.settings, rehearsal=self._rehearsal)
        connections = max(1, min(self.settings.shaping.total.connections, raise_file_limit() - reserved(self.settings)))
        ask = await self._open_resolver()  # this one, and those that compose, begin while the spool is opened
        compose = self._compose
        compose.start()
        spool = self._spool = await open_own_spool(
            self.settings,
            self.reactor,
            name=self._machine,
            wall=self._wall,
            monotonic=self._wall.steady,
            on_fault=self._spool_fault,
            on_over=self._declared_over,
        )
        providers = providers_of(self.settings)
        router = await self._open_router(providers, ask)
        hostname = self.settings.hostname or own_name()
        await check_relays(self._relays, self.settings, ask=ask, reactor=self.reactor, hostname=hostname)
        os.makedirs(self.settings.scratch, mode=0o700, exist_ok=True)
        sync = SiteFactSync(reactor=self.reactor, spool=spool, wall=self._wall)
        await sync.load()
        connector = Connector(
            clocks=self._clocks,
            settings=self.settings,
            hostname=hostname,
            facts=sync.memory,
            relays=self._relays,
            rng=self._rng,
            rehearsal=self._rehearsal,
            ca_file=self._ca_file,
        )
        parts = assemble(
            spool=spool,
            pause=self._pause,
            settings=self.settings,
            providers=providers,
            connections=connections,
            connector=connector,
            compose=compose,
            route=router.route,
            changed=self._changed,
            rng=self._rng,
        )
        self._parts = parts
        sending = self._sending = self._build_sending(parts, sync, router)
        self.late = sending.late
        sending.start()
        self.control = self._open_control(spool, router, sending)
        checking, root = self._checking, self._order.watch
        self._approving, self._watching = folders(self.reactor, self.settings, spool, sending.campaigns, checking, root)

    def _open_control(self, spool: Spool, router: Routing, sending: Sending) -> ControlServer:
        reactor, wall, name, reload = self.reactor, self._clocks.wall, self._machine, self._reload
        campaigns, live = sending.campaigns, sending.live
        return open_control(reactor, lambda: self.settings, name, wall, campaigns, live, router, spool, reload)

    def apply(self, settings: Settings) -> bool:
        """Have all parts use other settings (see `Changes.live`), in one turn; False where there are none."""
        if self._parts is None or self._sending is None or self._stopping:
            return False
        self.settings = settings
        self._parts.apply(settings)
        self._sending.apply(settings)
        self._checking.apply(settings)
        return True

    def _build_sending(self, parts: Assembly, sync: SiteFactSync, router: Routing) -> Sending:
        return sending_of(
            parts,
            self.settings,
            sync=sync,
            checking=self._checking,
            planning=self._planning(parts.spool, router.route),
            pulse=Pulse(parts.spool, self._clocks, self._pause, self._machine, os.getpid()),
            wall=self._wall,
            changed=self._changed,
            once=self._order.once,
            come_back=self._come_back,
        )

    def _planning(self, spool: Spool, route: Any) -> Planning | None:
        """Return what plans campaigns; a rehearsal, whose time is not that of a clock, has no plan."""
        if self._rehearsal:
            return None
        return Planning(
            spool=spool,
            clocks=self._clocks,
            read=reading(self.reactor, self.settings.spool),
            route=route,
            settings=lambda: self.settings,
            processes=compose_processes(self.settings.compose.processes),
        )

    async def _open_router(self, providers: Mapping[str, Provider], ask: Any) -> Routing:
        """Return what says where mail goes, by the settings. Raises OwnFault where that cannot be found out."""
        clock, settings = self.reactor.seconds, self.settings
        families = families_of(settings, clock, rehearsal=self._rehearsal)
        if settings.relay is None:
            families.check()
        policies = await load_policies(self._spool, ask, self._wall) if settings.routing.mta_sts else None
        router = router_of(settings, ask, clock, providers, families.usable, policies)
        self._relays = smarthosts(
            settings, reactor=self.reactor, pause=self._pause, clocks=self._clocks, nonce=secrets.token_urlsafe
        )
        await router.check()
        if self.settings.dkim and not self._rehearsal:  # a rehearsal's name server knows no keys
            in_background(compare_records(ask, self.settings.dkim), "comparing DKIM keys with the DNS")
        return router

    async def _open_resolver(self) -> Any:
        options = resolver_options(self.settings, self._order.speed)
        self._resolver = ResolverProcess(self.reactor, RESOLVER, options)
        self._resolver.start()
        return self._resolver.ask

    async def stop(self) -> None:
        """Start no new work, let what is in flight finish, then settle, give back and report everything."""
        self._stopping = True
        if not self._asked_to_stop.called:
            self._asked_to_stop.callback(None)
        self._checking.stop()
        if self._resolver is not None:
            self._resolver.stop()
        if self._watching is not None:
            self._watching.stop()
        if self._approving is not None:
            self._approving.stop()
        if self._sending is not None:
            await self._sending.stopping.stop()

    def hurry(self) -> None:
        """Stop at once."""
        if self._sending is not None:
            self._sending.stopping.hurry()

    async def close(self) -> None:
        """Take down what was opened, in reverse, however far the opening got."""
        self._stopping = True
        if self.control is not None:
            await self.control.close()
        if self._sending is not None:
            await self._sending.close()
        await self._compose.close()
        for relay in self._relays.values():
            relay.close()
        if self._resolver is not None:
            await self._resolver.close()
        failpoint("closing")
        if self._spool is not None:
            try:
                if self._parts is not None:
                    await self._parts.warming.close()
                await self._spool.close()
            except OwnFault as fault:
                _log.error("{fault}; the journal has what could not be written", fault=fault)

    # what others tell

    def _changed(self, run: Run) -> None:
        if self._sending is not None:
            self._sending.ending.changed(run)

    def _spool_fault(self, fault: OwnFault | None) -> None:
        if fault is not None:
            self._pause.own_fault(str(fault))

    def _declared_over(self) -> None:
        words = "this machine was not heard of for longer than its lease, and others have taken over; it ends what it"
        _log.error(words + " has in hand and begins anew")
        self.over = True
        in_background(self.stop(), "stopping")
