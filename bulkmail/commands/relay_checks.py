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
from bulkmail.routing import RelayRouter
from bulkmail.settings import Relay, Settings

_NAME = "sign-in"


def sign_in(settings: Settings, relay: Relay, hostname: str, reactor: Any = None) -> Check:
    """Go as far as a message would: greeting, EHLO, TLS, AUTH. Then QUIT; nothing is sent.

    ``hostname``: for EHLO. ``reactor``: see `in_event_loop`; without one no TLS can be spoken.
    """

    async def work(reactor: Any) -> Tried:
        resolving = Resolving(reactor, settings)
        pause = Pause(Clocks(reactor, time.time))
        smarthost = Smarthost(relay, reactor=reactor, pause=pause, nonce=secrets.token_urlsafe)
        try:
            site = await RelayRouter(resolving.ask, reactor.seconds, relay.host, relay.port).route("")
            timeouts = settings.smtp.timeouts
            return await RelayCheck(smarthost, site, reactor=reactor, hostname=hostname, timeouts=timeouts).passed()
        finally:
            smarthost.close()
            await resolving.close()

    try:
        tried = in_event_loop(work, reactor)
    except OwnFault as fault:
        return Check(_NAME, "error", str(fault))
    if tried.peer is None:
        remedy = f"see to {relay.host}, or to what is between it and this machine"
        return Check(_NAME, "error", f"the relay {relay.host} could not be tried: {tried.why}", remedy)
    how = f"with {tried.peer.tls}" if tried.peer.tls else "without TLS"
    who = f"as {relay.username}" if relay.username is not None else "without a user name"
    words = f"the relay {relay.host} ({tried.peer.ip}) lets us in {who}, {how}; nothing was sent"
    if tried.peer.tls or relay.username is None:
        return Check(_NAME, "ok", words)
    return Check(_NAME, "warning", words, "set relay.tls to starttls, for whoever is on the way can read the messages")
