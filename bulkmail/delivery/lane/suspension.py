"""The state of one site: whether it is sent to, and if not, why, since when and until when.

When no host of a site can be used, one message (the oldest due) is charged with the failure, the others go back to the
spool without an attempt, and the site is suspended until that message's retry. So a dead site costs one timer and one
line per retry. A site that refuses us, not its recipients (`shaping.feedback`), is suspended likewise.

The states are exclusive: what was found, and the time, tell which one it is. Their legal moves, by what makes them:

    READY       -> CHARGING   failed: no host of the site can be used
                -> SUSPENDED  suspend: the site refuses us
    CHARGING    -> SUSPENDED  suspend: a message was charged with the failure
                -> READY      unburden: no message was left to be charged; the next one finds out anew
                -> PROBING    unburden, where the site has refused us
    SUSPENDED   -> READY      the time has passed, or lift
                -> PROBING    the same, where the site has refused us
    PROBING     -> READY      recovered: a message was accepted
                -> CHARGING, SUSPENDED as from READY
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from random import Random
from typing import NamedTuple

from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.message import Message
from bulkmail.delivery.pause import Pause
from bulkmail.delivery.run import Run
from bulkmail.mail import Category, Fate, Outcome, Stage
from bulkmail.settings import Retry
from bulkmail.shaping import FactKind, SiteFacts, SiteHealth, classify, outage


class SiteState(StrEnum):
    """Whether a site is sent to; see above for the moves."""

    READY = "ready"
    CHARGING = "charging"  # the next message is charged with the failure instead of being sent
    SUSPENDED = "suspended"
    PROBING = "probing"  # one message at a time is sent


class Standstill(NamedTuple):
    """Why a site is in its state, since when, and until when it is suspended.

    Times are on the wall clock, in seconds; None where nothing is wrong, or where it is not suspended. ``why`` is ""
    where an earlier process found it out.
    """

    state: SiteState
    why: str
    since: float | None
    until: float | None

    def __str__(self) -> str:
        """Describe it for people: ``suspended since 2026-11-30T08:15:00Z until 2026-11-30T08:25:00Z: (the reply)``."""
        words = str(self.state)
        for name, at in (("since", self.since), ("until", self.until)):
            if at is not None:
                words += f" {name} {datetime.fromtimestamp(at, UTC).isoformat(timespec='seconds')[:-6]}Z"
        return f"{words}: {self.why}" if self.why else words


class Expiry(NamedTuple):
    """What the report says of a message that has waited too long for a site.

    ``charged``: the recipient id of the message that was charged with the failure last; its attempt tells the reply.
    """

    category: Category | None
    note: str
    charged: int


class Suspension:
    """The state of the site with this key, of this provider ("": none).

    ``until``: no message is sent before, on the reactor's clock.

    ``retry``: the operator's schedule. ``charging``: the next message is charged with the failure instead of being
    sent. ``probing``: the site has refused us again and again, so one message at a time is risked.

    The suspension grows with the site's failures, whichever message is charged with them. Since when the outage lasts
    is remembered over a restart: a recipient that waits for the site must not wait anew.
    """

    def __init__(
        self, site_key: str, provider: str, *, clocks: Clocks, facts: SiteFacts, pause: Pause, retry: Retry, rng: Random
    ) -> None:
        self.until = 0.0
        self._site_key = site_key
        self._provider = provider
        self._clocks = clocks
        self._facts = facts
        self._pause = pause
        self.retry = retry
        self._rng = rng
        known = facts.known(site_key, FactKind.OUTAGE, clocks.wall())
        self._health = SiteHealth() if known is None else SiteHealth(known.since, int(known.value))
        self.charging = False
        self.probing = False
        self._rests_until, self._ruled = 0.0, False
        self._failure = Outcome(Fate.LOST, Stage.CONNECT)
        self._found_at = 0.0  # when the failure was found out, on the wall clock
        self._took = 0.0  # seconds until it was
        self._charged = 0

    def __repr__(self) -> str:
        return f"<Suspension {self.standstill}>"

    @property
    def state(self) -> SiteState:
        """The state now."""
        if self.charging:
            return SiteState.CHARGING
        if self.suspended:
            return SiteState.SUSPENDED
        return SiteState.PROBING if self.probing else SiteState.READY

    @property
    def standstill(self) -> Standstill:
        """The state, with why, since when and until when."""
        state = self.state
        if state is SiteState.READY and self.since is None:
            return Standstill(state, "", None, None)
        until = self._clocks.wall() + self.until - self._clocks.now() if state is SiteState.SUSPENDED else None
        return Standstill(state, str(self._failure.reply or self._failure.note), self.since or self._found_at, until)

    @property
    def suspended(self) -> bool:
        """Whether nothing may be sent now."""
        return self.until > self._clocks.now()

    @property
    def resting(self) -> bool:
        """Whether that is no outage (`rest`)."""
        return self._rests_until > self._clocks.now()

    @property
    def since(self) -> float | None:
        """When the outage began, on the wall clock; None while the site works."""
        return self._health.down_since

    def reached(self) -> None:
        """End the outage: a host of the site has answered, unless it answers to refuse us."""
        if not self.probing:
            self.end_outage()

    def recovered(self) -> None:
        """End the outage: a message was accepted, or the site judged a recipient instead of refusing us."""
        self.probing = False
        self.end_outage()

    def end_outage(self) -> None:
        """Forget since when the outage lasts: it is over, or no recipient waits for the site any more."""
        if self.since is not None:
            self._health.worked()
            self._facts.forget(self._site_key, FactKind.OUTAGE)

    def relieved(self) -> None:
        """Begin the outage anew: its recipients are sent to from another source, so none has waited until now."""
        if self.since is not None:
            wall = self._clocks.wall()
            self._health.relieved(wall)
            self._learn_outage(wall + max(0.0, self.until - self._clocks.now()))

    def failed(self, outcome: Outcome, began: float) -> None:
        """Have the next message charged with ``outcome``, which was found out since ``began`` on the wall clock."""
        self._failure, self._found_at = outcome, self._clocks.wall()
        self._took = self._found_at - began
        self.charging = True

    def unburden(self) -> None:
        """Charge no message: none is left, and the next one finds out anew."""
        self.charging = False

    def charge(self, message: Message) -> tuple[Outcome, float, float]:
        """Suspend the site: ``message`` is charged with the failure.

        Returns the outcome to record, when its attempt began, and when the recipient's retry clock started, on the wall
        clock.
        """
        self.suspend(message, self._failure)
        return self._failure, self._clocks.wall() - self._took, self._start_for(message.run)

    def suspend(self, message: Message, outcome: Outcome, *, refuses_us: bool = False) -> None:
        """Suspend the site because of the outcome of ``message``; ``refuses_us``: it was not about its recipient."""
        now, wall = self._clocks.now(), self._clocks.wall()
        self.charging, self.probing = False, self.probing or refuses_us
        self._failure, self._found_at, self._charged = outcome, wall, message.claimed.id
        wait = self._health.failed(wall, self.retry, self._rng) - wall
        self._learn_outage(wall + wait)
        self.until = now + wait

    def _learn_outage(self, until: float) -> None:
        since = self.since or self._clocks.wall()
        known = outage(since, self._health.failures, until, self.retry.expire_after)
        self._facts.learn(self._site_key, known)

    def rest(self, until: float, why: str, *, ruled: bool = False) -> None:
        """Send nothing before ``until``, on the reactor's clock: for a fault of our own, or by a rule; no outage."""
        if until > self.until:
            self._ruled = ruled
            self._failure, self._found_at = Outcome(Fate.LOST, Stage.CONNECT, note=why), self._clocks.wall()
            self.charging, self.until, self._rests_until = False, until, until

    @property
    def due_at(self) -> float:
        """When messages that are given back are due again; 0.0 in a rule's rest: when it is over, maybe early."""
        return 0.0 if self._rests_by_rule else self.until

    @property
    def _rests_by_rule(self) -> bool:
        """Whether a rule has asked for the rest, and no outage keeps it longer."""
        return self._ruled and self.until == self._rests_until

    def end_rest(self) -> None:
        """Send again at once where a rule has asked for the rest, and no outage keeps it longer."""
        if self._rests_by_rule:
            self.until = self._rests_until = 0.0

    def probe(self) -> None:
        """Send one message at a time once the suspension ends: the site refuses us."""
        self.probing = True

    def lift(self) -> None:
        """Send to the site again at once: another machine is to find out whether it can be used."""
        self.until = 0.0

    def outlasts(self, run: Run, until: float) -> bool:
        """Return whether a recipient of this campaign has waited too long at ``until``, on the reactor's clock."""
        if self.since is None:
            return False
        since = self._start_for(run)
        wall = self._clocks.wall() + max(0.0, until - self._clocks.now())
        uncharged = self._pause.uncharged.since(since) + run.holds.seconds(self._provider, since, self._clocks.wall())
        return wall > since + uncharged + self.retry.expire_after

    @property
    def expiry(self) -> Expiry:
        """What the report says of a recipient that has waited too long."""
        return Expiry(classify(self._failure).category, self._failure.note, self._charged)

    def _start_for(self, run: Run) -> float:
        return max(self.since or 0.0, run.started_at)
