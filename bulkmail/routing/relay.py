"""Routing to a relay (a smarthost): one site for every domain; the DNS is asked for the relay's address only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Any

from bulkmail.mail import OwnFault, checked
from bulkmail.routing.policies import Unfetched
from bulkmail.routing.site import PLAIN, Manner, MxHost, Site

RELAY = "relay"  # the provider of the site of the relay that takes all mail: its limits are the relay's own
_LOCALHOST = (MxHost(0, "localhost", ("127.0.0.1", "::1")),)
_SHORTEST = 60.0  # seconds an answer is used at least, and until the DNS is asked again after a failure


class LostRelay(OwnFault):
    """No address of a relay is known. ``name``: as in `RelayRouter`."""

    def __init__(self, words: str, *, name: str, host: str) -> None:
        self.name, self.host = name, host
        super().__init__(words)


class RelayRouter:
    """Routes every domain to ``host``, a name or an address literal. ``ask`` is the resolver's, as for `Router`.

    The last addresses known stay in use while the DNS does not answer. ``name``: what is counted together as its; a
    route's name, or `RELAY` for the relay that takes all mail. ``manner``: how it is spoken to.
    """

    def __init__(
        self,
        ask: Callable[[tuple[Any, ...]], Awaitable[Any]],
        clock: Callable[[], float],
        host: str,
        port: int,
        name: str = RELAY,
        manner: Manner = PLAIN,
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._host = host
        self._name, self._manner = name, manner
        self._key = f"relay {host} {port}" + (f" by {name}" if name != RELAY else "")
        self._site: Site | None = None
        self._until = float("-inf")

    async def route(self, _domain: str) -> Site:
        """Return the relay's site. Raises OwnFault where no address of it is known: the operator chose it."""
        now = self._clock()
        if self._site is None or now >= self._until:
            self._until = now + _SHORTEST  # calls during the lookup get the last known addresses
            try:
                hosts, ttl = await self._hosts()
            except OwnFault:
                if self._site is None:
                    raise
            else:
                self._until = self._clock() + max(ttl, _SHORTEST)
                if self._site is None or self._site.hosts != hosts:
                    self._site = Site(self._key, hosts, self._name, f"relay {self._host}", self._manner)
        assert self._site is not None
        return self._site

    async def check(self) -> None:
        """Check that the relay has an address. Raises OwnFault where none is known."""
        await self.route("")

    def unfetched(self, _domain: str = "") -> list[Unfetched]:
        """Return no policies: a relay's mail is not sent by those of receivers."""
        return []

    async def _hosts(self) -> tuple[tuple[MxHost, ...], float]:
        try:
            return (MxHost(0, self._host, (str(ip_address(self._host)),)),), float("inf")
        except ValueError:
            pass
        if self._host == "localhost":  # RFC 6761 6.3: not a question for the DNS
            return _LOCALHOST, float("inf")
        answer = checked(await self._ask(("host", self._host)))
        if answer[0] == "failed":
            of = "" if self._name == RELAY else f"of the route {self._name}, "
            words = f"the relay ({of}relay.host) cannot be found: {answer[3]}"
            raise LostRelay(words, name=self._name, host=self._host)
        _, ttl, found = answer
        return (MxHost(0, self._host, tuple(ip for _, _, addresses in found for ip in addresses)),), ttl

    def __repr__(self) -> str:
        return f"<RelayRouter to {self._host}>"
