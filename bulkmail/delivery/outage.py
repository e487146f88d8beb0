"""A site that cannot be used: since when, why, who was charged with it, and for whom it has lasted too long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger

from bulkmail.delivery.message import Message
from bulkmail.mail import Category, Fate, Outcome, Stage, Status
from bulkmail.routing import RouteFailure, Site
from bulkmail.shaping import Habit, SiteHealth, Standing, Verdict, classify, outage

if TYPE_CHECKING:
    from bulkmail.delivery.lane import Lane
    from bulkmail.delivery.run import Run
    from bulkmail.delivery.street import Street

_log = Logger("bulkmail")


class Outage:
    """One site's, if it has one. Its timer grows with the site's failures, whoever is charged with them.

    A site that refuses us, whoever the recipient (`Standing`), cannot be used either: but the refused are refused.
    Since when it lasts is remembered over a restart: whoever waits for the site must not wait anew.
    """

    def __init__(self, street: Street, site_key: str) -> None:
        self._street = street
        self._site_key = site_key
        known = street.sites.known(site_key, Habit.OUTAGE, street.wall())
        self._health = SiteHealth() if known is None else SiteHealth(known.since, int(known.value))
        self._standing = Standing()
        self._failure = Outcome(Fate.LOST, Stage.CONNECT)
        self._charged = 0

    @property
    def since(self) -> float | None:
        """When it began, on the wall clock; None while all is well."""
        return self._health.down_since

    @property
    def probing(self) -> bool:
        """Whether the site has refused us again and again: one message at a time is risked."""
        return self._standing.bad

    def reached(self) -> None:
        """A host of the site has answered: that is an end, unless it answers to refuse us."""
        if not self.probing:
            self.over()

    def judged(self, message: Message, outcome: Outcome, verdict: Verdict, lane: Lane) -> float | None:
        """The message, already recorded, came to this. Until when, on the reactor's clock, the site rests for it."""
        if outcome.fate is Fate.ACCEPTED:
            if self.probing:
                self.over()
            self._standing.taken()
            return None
        if not self._standing.refused(verdict) or lane.down:
            return None
        _log.warn(
            "{site} refuses us, not its recipients: {count} in a row, the last with {reply}; the others wait",
            site=lane.site.name,
            count=self._standing.in_a_row,
            reply=str(outcome.reply or outcome.note)[:200],
        )
        return self._begin(message, outcome)

    def over(self) -> None:
        """The site works again, or nobody waits for it any more."""
        if self.since is not None:
            self._health.worked()
            self._street.sites.forget(self._site_key, Habit.OUTAGE)

    def charge(self, message: Message, outcome: Outcome, provider: str, took: float) -> float:
        """One message is charged with it; it ``took`` so long. Until when, on the reactor's clock, the site rests."""
        street = self._street
        until = self._begin(message, outcome)
        street.record(message, outcome, provider, street.wall() - took, self._start_for(message.run))
        return until

    def _begin(self, message: Message, outcome: Outcome) -> float:
        street = self._street
        now, wall = street.now(), street.wall()
        self._failure, self._charged = outcome, message.claimed.id
        rest = self._health.failed(wall, street.settings.retry, street.rng) - wall
        # A process that was stopped for a while must still find it; after a long time it says nothing any more.
        until = wall + rest + 2 * street.settings.retry.expire_after
        street.sites.learn(self._site_key, outage(self.since or wall, self._health.failures, until))
        return now + rest

    def outlasts(self, run: Run, until: float) -> bool:
        """Whether a recipient of this campaign has waited too long at ``until``, on the reactor's clock."""
        return self.since is not None and self._street.expires(self._start_for(run), until)

    def sift(self, messages: list[Message], until: float, provider: str) -> list[Message]:
        """Those that may wait until then; the others have waited for too long, and expire."""
        kept = []
        for message in messages:
            if self.outlasts(message.run, until):
                message.lane.hold(-1)
                self.expire(message, provider)
            else:
                kept.append(message)
        return kept

    def expire(self, message: Message, provider: str) -> None:
        """It has waited for as long as it may; the report shows what the site was last seen to say."""
        self._street.ledger.close(
            message,
            Status.UNKNOWN if message.claimed.doubt else Status.EXPIRED,  # a copy may have arrived
            classify(self._failure).category,
            self._failure.note,
            provider=provider,
            reply_of=self._charged,
        )

    def _start_for(self, run: Run) -> float:
        return max(self.since or 0.0, run.started_at)


def unroutable(failure: RouteFailure) -> Outcome:
    """The outcome of a domain that could not be routed."""
    category = Category(failure.category)
    return Outcome(Fate.LOST, Stage.DNS, note=failure.text, category=category, permanent=failure.permanent)


def nowhere(domain: str) -> Site:
    """What stands for the site of a domain that could not be routed."""
    return Site(f"domain {domain}", (), "", domain)
