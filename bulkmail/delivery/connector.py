"""Which host of a site is tried next, and how a connection to it is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from ipaddress import ip_address
from random import Random
from typing import Any

from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.met_hosts import MetHosts
from bulkmail.delivery.relay import Smarthost
from bulkmail.delivery.traces import Traces
from bulkmail.mail import Peer
from bulkmail.net import (
    ConnectionListener,
    Families,
    LiveConnection,
    Proxy,
    SessionOptions,
    TlsContexts,
    connect,
    own_address,
)
from bulkmail.routing import ENFORCED, Site, Stop, forbidden_address, plan
from bulkmail.settings import Settings, Timeouts
from bulkmail.shaping import ANY_SOURCE, FactKind, HostMemory, Limits, SiteFacts, Source, learn, version_of
from bulkmail.smtp import TlsMode

_BRISK_CONNECT = 5.0  # seconds, for a host that is not the site's last one
_HASTY_CONNECT = 2.0  # where the other IP version can be tried: a lost SYN is sent again after 1 s (RFC 6298 2)
_DEAD_FIRST, _DEAD_LONGEST = 60.0, 1800.0  # seconds that a host which cannot be connected to is tried last


class Connector:
    """Opens connections to receivers and relays. ``relays``: by the providers of their sites.

    With ``rehearsal`` no address outside loopback is connected to, whatever a resolver says. ``ca_file``: who may sign
    the servers' certificates, instead of the system's authorities. ``open_connection``: `net.connect`. ``families``:
    the IP versions that mail is sent over, by the settings and this machine's routes if not given.
    """

    def __init__(
        self,
        *,
        clocks: Clocks,
        settings: Settings,
        hostname: str,
        facts: SiteFacts,
        relays: Mapping[str, Smarthost],
        rng: Random,
        rehearsal: bool = False,
        ca_file: str | None = None,
        open_connection: Callable[..., Any] = connect,
        families: Families | None = None,
    ) -> None:
        self._hosts: dict[str, HostMemory] = {}
        self.clocks = clocks
        self._hostname = hostname
        self.facts = facts
        self.relays = relays
        self._rng = rng
        self._open_connection = open_connection
        self.rehearsal = rehearsal
        self.traces = Traces(clocks)
        self.met = MetHosts(clocks, facts)
        self._contexts = {"": TlsContexts(ca_file)}
        self._contexts |= {name: TlsContexts(relay.ca_file) for name, relay in relays.items()}
        routing = settings.routing
        self._families = families or Families(routing.ip, routing.allow_networks, clocks.now)
        self.apply(settings)

    def apply(self, settings: Settings) -> None:
        """Use these settings for connections that are opened from now on."""
        self._settings = settings
        timeouts = settings.smtp.timeouts
        self._brisk, self._hasty = (
            timeouts.model_copy(update={"connect": min(timeouts.connect, most)})
            for most in (_BRISK_CONNECT, _HASTY_CONNECT)
        )

    def hosts(self, source: Source = ANY_SOURCE) -> HostMemory:
        """Return what is known of the addresses that mail from this source goes to: others may reach them."""
        memory = self._hosts.get(source.name)
        if memory is None:
            scaled = self.clocks.scaled
            memory = self._hosts[source.name] = HostMemory(first=scaled(_DEAD_FIRST), longest=scaled(_DEAD_LONGEST))
        return memory

    def plan(self, site: Site, source: Source = ANY_SOURCE) -> list[Stop]:
        """Return the site's addresses in the order in which they are to be tried (see `routing.plan`).

        Those of an IP version that mail is not sent over, or not from this source, are left out. A relay may be where
        no route to the world is.
        """
        families = self._families
        anywhere = site.provider in self.relays and families.mode.startswith("prefer")
        versions = frozenset((4, 6)) if anywhere else families.usable()
        if source.family:
            own = frozenset({source.family})
            versions = own if families.mode.startswith("prefer") else versions & own
        now, preferred = self.clocks.now(), families.preferred
        return plan(site, self.hosts(source), now, self._rng, families=versions, preferred=preferred)

    def tls_mode(self, site: Site, limits: Limits) -> TlsMode:
        """Return how much encryption a site with these limits is asked for."""
        if site.policy == ENFORCED:
            return TlsMode.VERIFY
        return TlsMode(site.manner.tls or limits.tls or self._settings.tls.mode)

    def tls_broken(self, ip: str) -> None:
        """Remember that this address cannot do TLS."""
        self.facts.learn(ip, learn(FactKind.TLS, self.clocks.wall()))

    def hello_unanswered(self, ip: str) -> None:
        """Remember that this address leaves a large TLS hello unanswered: it gets a small one from now on."""
        self.facts.learn(ip, learn(FactKind.HELLO, self.clocks.wall()))

    def tls_failed(self, ip: str) -> None:
        """Offer this address the usual TLS hello again: TLS failed for another reason, or with the small one too."""
        self.facts.forget(ip, FactKind.HELLO)

    def connect(
        self,
        stop: Stop,
        *,
        tls: TlsMode,
        tls_policy: str,
        groups: bool,
        chunks: bool,
        patient: bool,
        listener: ConnectionListener,
        site: Site,
        source: Source = ANY_SOURCE,
    ) -> LiveConnection:
        """Open a connection to this host of ``site`` from this source. Raises OwnFault.

        ``tls_policy``: what is reported of why TLS is asked for.
        ``groups``, ``chunks``: whether the site can do PIPELINING (RFC 2920) and CHUNKING (RFC 3030) as far as is
        known. ``patient``: no other host is left to try.
        """
        ip = stop.ip
        if tls is TlsMode.OPPORTUNISTIC and self.facts.known(ip, FactKind.TLS, self.clocks.wall()) is not None:
            tls = TlsMode.OFF
        smtp, manner, relay = self._settings.smtp, site.manner, self.relays.get(site.provider)
        options = SessionOptions(
            source.hostname or self._hostname,
            tls,
            pipelining=(manner.pipelining or smtp.pipelining) == "auto" and groups,
            chunking=(manner.chunking or smtp.chunking) == "auto" and chunks,
            small_hello=self.facts.known(ip, FactKind.HELLO, self.clocks.wall()) is not None,
        )
        connection: LiveConnection = self._open_connection(
            self.clocks.reactor,
            Peer(stop.host, ip, source.address, tls_policy=tls_policy),
            smtp.port if relay is None else relay.port,
            proxy=Proxy.of(source.proxy) if source.proxy and not self.rehearsal else None,
            session_options=options if relay is None else relay.options(options),
            timeouts=self._patience(ip, source, patient=patient),
            tls_contexts=self._contexts["" if relay is None else site.provider],
            listener=listener,
            forbidden=partial(self._forbidden, relayed=relay is not None),
        )
        self.traces.opened(connection, site)
        return connection

    def _patience(self, ip: str, source: Source, *, patient: bool) -> Timeouts:
        """Return how long to wait: for what is doubtful, or is no loss, little."""
        version = version_of(ip)
        if self.hosts(source).families.is_doubtful(version, self.clocks.now()) or (version == 6 and not patient):
            return self._hasty
        return self._settings.smtp.timeouts if patient else self._brisk

    def _forbidden(self, ip: str, *, relayed: bool) -> str | None:
        if self.rehearsal and not ip_address(ip).is_loopback:
            return f"a rehearsal reaches nothing but loopback, and {ip} is not there"
        if relayed:
            return None  # the operator named it, wherever it is
        return forbidden_address(ip, self._settings.routing.allow_networks, own_address)
