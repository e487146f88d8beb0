"""A campaign that a rule of `shaping.rules` stops at a provider: a hold with a reason, which `resume` releases."""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

from bulkmail.delivery.background import background
from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.lifecycle.steering import Steering
from bulkmail.delivery.run import Run
from bulkmail.mail import BulkmailError

_log = Logger("bulkmail")


def stops_by_rule(steering: Steering, clocks: Clocks) -> Callable[[Run, str, str], None]:
    """Return what holds a campaign at a provider, for a reason (see `Ruling.on_stop`)."""

    async def stop(run: Run, provider: str, reason: str) -> None:
        if run.over or provider in run.holds.providers:
            return
        words = f"{reason}; `bulkmail resume {run.name} --provider {provider}` goes on"
        try:
            await steering.hold(run.name, "rule", provider=provider, reason=words)
        except BulkmailError as error:
            _log.error(
                "{campaign} could not be stopped, though {why}: {error}", campaign=run.name, why=words, error=error
            )

    def asked(run: Run, provider: str, reason: str) -> None:
        # in a turn of its own: a connection is just telling its lane what became of a message
        clocks.reactor.callLater(0.0, lambda: background(stop(run, provider, reason), "stopping a campaign by a rule"))

    return asked
