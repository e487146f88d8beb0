"""What `bulkmail doctor` finds out from the relay: whether it lets us in, from its greeting to the sign-in."""

from __future__ import annotations

import secrets
import time
from typing import Any

from bulkmail.commands.checks import Check
from bulkmail.commands.event_loop import in_event_loop
from bulkmail.delivery import Clocks, Pause, RelayCheck, Smarthost, Tried
from bulkmail.mail import OwnFault
from bulkmail.preflight import Resolving
from bulkmail.routing import relay_router, relays_of
from bulkmail.settings import Relay, Settings

_NAME = "sign-in"


def sign_ins(settings: Settings, hostname: str, reactor: Any = None) -> list[Check]:
    """Go as far as a message would, at each relay: greeting, EHLO, TLS, AUTH. Then QUIT; nothing is sent.

    ``hostname``: for EHLO. ``reactor``: see `in_event_loop`; without one no TLS can be spoken.
    """
    relays = relays_of(settings)

    async def work(reactor: Any) -> list[Check]:
        resolving = Resolving(reactor, settings)
        try:
            found = []
            for name, relay in relays.items():
                found.append(await _sign_in(settings, name, relay, hostname, resolving, reactor))
            return found
        finally:
            await resolving.close()

    return in_event_loop(work, reactor) if relays else []


async def _sign_in(
    settings: Settings, name: str, relay: Relay, hostname: str, resolving: Resolving, reactor: Any
) -> Check:
    pause = Pause(Clocks(reactor, time.time))
    smarthost = Smarthost(relay, reactor=reactor, pause=pause, nonce=secrets.token_urlsafe)
    try:
        site = await relay_router(settings, resolving.ask, reactor.seconds, name).route("")
        timeouts = settings.smtp.timeouts
        tried = await RelayCheck(smarthost, site, reactor=reactor, hostname=hostname, timeouts=timeouts).passed()
    except OwnFault as fault:
        return Check(_NAME, "error", str(fault))
    finally:
        smarthost.close()
    return _found(relay, tried)


def _found(relay: Relay, tried: Tried) -> Check:
    if tried.peer is None:
        remedy = f"see to {relay.host}, or to what is between it and this machine"
        return Check(_NAME, "error", f"the relay {relay.host} could not be tried: {tried.why}", remedy)
    how = f"with {tried.peer.tls}" if tried.peer.tls else "without TLS"
    who = f"as {relay.username}" if relay.username is not None else "without a user name"
    words = f"the relay {relay.host} ({tried.peer.ip}) lets us in {who}, {how}; nothing was sent"
    if tried.peer.tls or relay.username is None:
        return Check(_NAME, "ok", words)
    return Check(_NAME, "warning", words, "set relay.tls to starttls, for whoever is on the way can read the messages")
