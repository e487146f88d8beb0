"""Does what a rule says when a receiver has said its words often enough (`shaping.rules`).

What an action changes: a rate, a number of connections and a rest are of what the limit counts (a provider, else a
site), fewer messages on a connection and no BDAT of the site that said the words. All of it becomes facts, so it
outlives the process for its time, and `bulkmail forget` removes it. A campaign that is stopped is held at
the provider, as by a person: see `lifecycle.steering`.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.limits import SharedLimiter, limit_key
from bulkmail.delivery.run import Run
from bulkmail.mail import Reply
from bulkmail.routing import Site
from bulkmail.shaping import Fact, FactKind, Limiter, Rule, RuleBook, RuleCounter, SiteFacts, Source

_log = Logger("bulkmail")


class Ruling:
    """Counts what receivers say, for all lanes, and acts; what follows is among the ``facts`` of their sites."""

    def __init__(self, book: RuleBook, clocks: Clocks, facts: SiteFacts) -> None:
        self._counter = RuleCounter(book)
        self._clocks = clocks
        self.facts = facts
        self._on_stop: Callable[[Run, str, str], None] = lambda *_: None
        self._on_rest: Callable[[Source, str, float, str], None] = lambda *_: None

    def on_stop(self, call: Callable[[Run, str, str], None]) -> None:
        """Call ``call(run, provider, reason)`` for a campaign that is to be held at a provider."""
        self._on_stop = call

    def on_rest(self, call: Callable[[Source, str, float, str], None]) -> None:
        """Call ``call(source, limit key, until, why)`` where a source rests, until then on the reactor's clock."""
        self._on_rest = call

    def use(self, book: RuleBook) -> None:
        """Use other rules from now on; what was counted for them is counted anew, what is in force stays."""
        if book.rules != self._counter.book.rules:
            self._counter = RuleCounter(book)

    def heard(
        self, site: Site, source: Source, limiter: SharedLimiter, reply: Reply, host: str, domain: str, run: Run | None
    ) -> bool:
        """Count a refusal of mail from ``source`` by a server of ``site``; return whether something was done.

        It is counted before the limiter slows down for it, so that a rule which acts on the rate does so instead.

        ``host``: of the server. ``domain`` and ``run``: of the recipient it was about, "" and None for none.
        """
        acting = self._counter.heard(
            source.key(limit_key(site.key, site.provider)),
            self._clocks.now(),
            provider=site.provider,
            host=host,
            domain=domain,
            code=reply.code,
            text=reply.text,
            mended=not limiter.limiter.rate_throttle.asks,
        )
        for rule in acting:
            _log.warn(
                "{said_by} said {words} {times}: {action} ({rule})",
                said_by=site.provider or site.name,
                words=rule.pattern.written,
                times="once" if rule.times == 1 else f"{rule.times} times",
                action=rule.action.words,
                rule=rule.name,
                site=site.name,
                provider=site.provider,
            )
            self._act(rule, site, source, limiter.limiter, run)
        return bool(acting)

    def _act(self, rule: Rule, site: Site, source: Source, limiter: Limiter, run: Run | None) -> None:
        action, now = rule.action, self._clocks.now()
        wall, key = self._clocks.wall(), source.key(limit_key(site.key, site.provider))
        until = now + self._clocks.scaled(action.lasts)
        if action.slower is not None or action.rate is not None:
            part = limiter.rate_throttle.found * action.slower if action.slower is not None else 1.0
            if action.rate is not None:
                part = limiter.whole.rate.interval / action.rate.interval
            limiter.cap_rate(part, now, until)
            self._cap(key, FactKind.PACE, part, wall, wall + until - now)
        if action.fewer is not None or action.connections is not None:
            most = action.connections or max(1, int(limiter.connections * (action.fewer or 1.0)))
            limiter.cap_connections(most, until)
            self._cap(key, FactKind.CONNECTIONS, most, wall, wall + until - now)
        if action.rest is not None:
            seconds = self._clocks.scaled(action.rest)
            limiter.rest(now + seconds)
            self.facts.learn(key, Fact(FactKind.REST, seconds, wall, wall + seconds))
            why = f"it rests, as {rule.name} has it: {site.provider or site.name} said {rule.pattern.written}"
            self._on_rest(source, limit_key(site.key, site.provider), now + seconds, why)
        if action.messages is not None:
            self.facts.learn(source.key(site.key), Fact(FactKind.MESSAGES, action.messages, wall, wall + action.lasts))
        if action.chunking_off:
            self.facts.learn(site.key, Fact(FactKind.CHUNKING, 0.0, wall, wall + action.lasts))
        if action.stop and run is not None:
            times = "once" if rule.times == 1 else f"{rule.times} times"
            self._on_stop(run, site.provider, f"{site.provider} said {rule.pattern.written} {times} ({rule.name})")

    def _cap(self, key: str, kind: FactKind, value: float, wall: float, until: float) -> None:
        """Keep a cap; of one that is in force the lower holds, until both are over, as for the limiter."""
        known = self.facts.known(key, kind, wall)
        if known is not None:
            value, until = min(value, known.value), max(until, known.until)
        self.facts.learn(key, Fact(kind, value, wall, until))
