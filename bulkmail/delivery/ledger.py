"""The one place where a recipient's outcome is decided, written down and counted.

Order of the writing, for one message: the journal's DOT before the final dot can leave; the journal's REPLY in the
same turn of the event loop that read the reply; the settlement into the spool's next batch. A kill between any two of
them loses nothing: what the journal knows is settled at the next start, what it does not know was not sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from twisted.logger import Logger

from bulkmail.delivery.background import Once, background
from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.message import Message
from bulkmail.delivery.pause import Pause
from bulkmail.delivery.run import Run
from bulkmail.delivery.warming import Warming
from bulkmail.failpoints import failpoint
from bulkmail.mail import Category, Fate, Outcome, OwnFault, Stage, Status
from bulkmail.settings import Retry
from bulkmail.shaping import Decision, Verdict, classify, decide
from bulkmail.spool import Attempt, Claimed, Settlement, Spool

_log = Logger("bulkmail")

_RESULTS = {Status.DELIVERED: "delivered", Status.DEFERRED: "deferred"}

Judge = Callable[[Outcome, str, str], Verdict]


class Ledger:
    """Records outcomes; ``changed(run)`` is called after each.

    ``judge(outcome, provider, domain)``: what an outcome means, where the settings have a classification of their own.
    ``sites``: whether a settlement says of which site it is, for its event.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        retry: Retry,
        pause: Pause,
        clocks: Clocks,
        rng: Random,
        changed: Callable[[Run], None],
        judge: Judge | None = None,
    ) -> None:
        self.sites = False
        self._spool = spool
        self._journal = spool.journal
        self._retry = retry
        self._pause = pause
        self._wall = clocks.wall
        self.warming = Warming({}, spool, clocks)
        self._rng = rng
        self._changed = changed
        self._judge = judge
        self._speed = clocks.speed
        self._failed = Once(_log.error)
        self._told_due: list[Callable[[float], None]] = []

    def apply(self, retry: Retry, judge: Judge | None) -> None:
        """Use another schedule, and other judgements, for what is settled from now on."""
        self._retry = retry
        self._judge = judge

    def on_due(self, call: Callable[[float], None]) -> None:
        """Call ``call(at)`` whenever the spool knows that a row is due at ``at``, on the wall clock."""
        self._told_due.append(call)

    def about_to_dot(self, message: Message) -> None:
        """Journal that the final dot is about to leave. Raises OwnFault: then it must not leave."""
        leases = self._spool.leases
        if leases is not None and not leases.valid:
            raise OwnFault("this machine's leases have run out: the shared spool was not heard of for too long")
        failpoint("before-dot")
        self._journal.dot(message.claimed.id, message.claimed.attempts + 1)
        message.dotted = True
        failpoint("after-dot")

    def free(self, message: Message) -> None:
        """Journal that a message comes back without an attempt: for a start after a kill its dot has not left."""
        if message.dotted:
            message.dotted = False
            self._written(self._journal.free, message.claimed.id, message.claimed.attempts + 1)

    def record(
        self, message: Message, outcome: Outcome, provider: str, began: float, since: float = 0.0
    ) -> tuple[Verdict, Decision]:
        """Decide what the ``outcome`` of one attempt at one recipient means, and write it down.

        ``began``: the wall clock's time when the attempt started. ``since``: when the outage of its site began, from
        where the clock of a recipient runs that was never tried.
        """
        verdict, decision, settlement = self._judged(message, outcome, provider, began, since)
        # By BDAT the dot is journalled before MAIL is answered. A lost reply is written down too: a start then knows
        # why, and takes back what was journalled of an answer that later proved to be none.
        if message.dotted or outcome.stage is Stage.DOT:
            self._journal_reply(message, settlement)
        self._settle(message, settlement)
        if outcome.reply is not None and self._pause.fault:
            self._pause.server_answered()
        if decision.next_at is not None:
            message.run.tried_next(decision.next_at, self._wall())
        return verdict, decision

    def answered(self, message: Message, outcome: Outcome, provider: str) -> None:
        """Journal a 2xx to the dot that later replies may still contradict: for a start after a kill it counts."""
        self._journal_reply(message, self._judged(message, outcome, provider, message.began, 0.0)[2])

    def _journal_reply(self, message: Message, settlement: Settlement) -> None:
        failpoint("before-reply")
        self._written(self._journal.reply, message.claimed.id, message.claimed.attempts + 1, settlement.packed())
        failpoint("after-reply")

    def _written(self, write: Callable[..., None], *words: Any) -> None:
        try:
            write(*words)
        except OwnFault as fault:
            # The outcome still goes to the store; only a crash before that would make it ambiguous.
            self._failed(str(fault))

    def _judged(
        self, message: Message, outcome: Outcome, provider: str, began: float, since: float
    ) -> tuple[Verdict, Decision, Settlement]:
        now = self._wall()
        claimed = message.claimed
        waiting_since = claimed.first_attempt_at or since or began
        first = claimed.first_attempt_at or began
        verdict = classify(outcome) if self._judge is None else self._judge(outcome, provider, message.domain)
        lost = outcome.fate is Fate.UNKNOWN
        uncharged = 0.0
        if outcome.fate is not Fate.ACCEPTED:  # what was accepted has no time left to run out
            uncharged = self._pause.uncharged.since(waiting_since)
            uncharged += message.run.uncharged(claimed, provider, waiting_since, now)
        decision = decide(
            outcome,
            verdict,
            attempts=claimed.attempts + 1,
            copies=claimed.doubt + lost,
            waiting_since=waiting_since + uncharged,
            now=now,
            retry=self._retry,
            on_unknown=message.run.on_unknown,
            rng=self._rng,
            speed=self._speed,
        )
        result = "unknown" if lost else _RESULTS.get(decision.status, "failed")
        reply, peer = outcome.reply, outcome.peer
        words = reply.text if reply else outcome.note
        if outcome.fate is Fate.ACCEPTED and outcome.note:
            words = f"{words} ({outcome.note})"
        attempt = Attempt(  # by position: this is every message's path, and keywords cost as much as the tuple
            now,
            claimed.attempts + 1,
            result,
            str(decision.category or ""),
            reply.code if reply else 0,
            reply.enhanced if reply else "",
            words[:512],
            str(outcome.stage),
            peer.host,
            peer.ip,
            peer.source_ip,
            peer.tls,
            round((now - began) * 1000),
            decision.next_at or 0.0,
            peer.tls_policy,
        )
        settlement = self._settlement(message, decision.status, decision.category, provider, attempt, first, now)
        return verdict, decision, settlement

    def close(
        self,
        message: Message,
        status: Status,
        category: Category | None,
        note: str,
        *,
        provider: str = "",
        reply_of: int = 0,
    ) -> None:
        """Give a recipient a final status without an attempt: a template error, an outage longer than it may wait.

        ``reply_of``: the recipient whose last attempt it was that tells why.
        """
        first = message.claimed.first_attempt_at
        now = self._wall()
        self._settle(message, self._settlement(message, status, category, provider, None, first, now, note, reply_of))

    def give_back(self, messages: Iterable[Message], due: float = 0.0) -> None:
        """Return untouched messages to the spool; they are due again at ``due`` (wall clock)."""
        rows = []
        for message in messages:
            rows.append(message.claimed)
            if message.run.allowance is not None:
                message.run.allowance.give_back(1)
            if message.canary is not None and message.run.guard is not None:
                message.run.guard.give_back(message.canary, 1)
                message.canary = None
            if message.budget is not None:
                self.warming.give_back(message.budget, 1)
                message.budget = None
        if rows:
            background(self._release(rows, due), "giving recipients back")

    async def _release(self, rows: list[Claimed], due: float) -> None:
        await self._spool.release(rows, due)
        self._due(due)

    def _due(self, at: float) -> None:
        for call in self._told_due:
            call(at)

    def _settlement(
        self,
        message: Message,
        status: Status,
        category: Category | None,
        provider: str,
        attempt: Attempt | None,
        first: float,
        now: float,
        note: str = "",
        reply_of: int = 0,
    ) -> Settlement:
        claimed = message.claimed
        return Settlement(
            claimed.id,
            claimed.queue_id,
            str(status),
            str(category or ""),
            provider,
            attempt,
            first,
            now if status.final else 0.0,
            attempt.next_attempt_at if attempt else 0.0,
            message.size,
            note[:512],
            reply_of,
            message.holder.site.name if self.sites else "",
        )

    def _settle(self, message: Message, settlement: Settlement) -> None:
        run = message.run
        if run.allowance is not None:
            run.allowance.settled(sent=settlement.attempt is not None)
        if run.guard is not None:
            attempt, canary, message.canary = settlement.attempt, message.canary, None
            run.guard.settled(
                canary,
                settlement.provider,
                settlement.status,
                settlement.category,
                attempted=attempt is not None,
                answered=attempt is not None and attempt.smtp_code > 0,
            )
        if message.budget is not None:
            budget, message.budget = message.budget, None
            told = settlement.attempt is not None and (
                settlement.attempt.smtp_code > 0 or settlement.status == Status.UNKNOWN
            )
            sent = told and settlement.status != Status.DEFERRED
            self.warming.settled(budget, sent=sent, delivered=settlement.status == Status.DELIVERED)
        run.move(message.claimed.previous, (settlement.provider, settlement.status, settlement.category))
        if settlement.next_at:
            done = self._spool.settle(settlement).addCallback(lambda _: self._due(settlement.next_at))
            done.addErrback(lambda failure: _log.failure("an outcome could not be stored", failure))
        else:
            self._spool.note(settlement)
        self._changed(run)
