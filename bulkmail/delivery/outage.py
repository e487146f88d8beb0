"""A site that cannot be used: since when, why, who was charged with it, and for whom it has lasted too long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkmail.delivery.message import Message
from bulkmail.mail import Category, Fate, Outcome, Stage, Status
from bulkmail.routing import RouteFailure
from bulkmail.shaping import Habit, SiteHealth, classify, outage

if TYPE_CHECKING:
    from bulkmail.delivery.run import Run
    from bulkmail.delivery.street import Street


class Outage:
    """One site's, if it has one. Its timer grows with the site's failures, whoever is charged with them.

    Since when it lasts is remembered over a restart: whoever waits for the site must not wait anew.
    """

    def __init__(self, street: Street, site_key: str) -> None:
        self._street = street
        self._site_key = site_key
        known = street.sites.known(site_key, Habit.OUTAGE, street.wall())
        self._health = SiteHealth() if known is None else SiteHealth(known.since, int(known.value))
        self._failure = Outcome(Fate.LOST, Stage.CONNECT)
        self._charged = 0

    @property
    def since(self) -> float | None:
        """When it began, on the wall clock; None while all is well."""
        return self._health.down_since

    def over(self) -> None:
        """The site works again, or nobody waits for it any more."""
        if self.since is not None:
            self._health.worked()
            self._street.sites.forget(self._site_key, Habit.OUTAGE)

    def charge(self, message: Message, outcome: Outcome, provider: str) -> float:
        """One message is charged with it. Until when, on the reactor's clock, the site rests."""
        street = self._street
        now, wall = street.now(), street.wall()
        self._failure, self._charged = outcome, message.claimed.id
        rest = self._health.failed(wall, street.settings.retry, street.rng) - wall
        # A process that was stopped for a while must still find it; after a long time it says nothing any more.
        until = wall + rest + 2 * street.settings.retry.expire_after
        street.sites.learn(self._site_key, outage(self.since or wall, self._health.failures, until))
        street.record(message, outcome, provider, message.began or wall, self._start_for(message.run))
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
            Status.EXPIRED,
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
