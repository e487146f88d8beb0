"""The one place that everything goes through which comes back: reports, complaints, unsubscribes, answers.

The inbound mail server and the public page hand in what they have read, with the token that it came with. Here it is
written into the spool, with what follows of it (`spool.late`), and then everything that shows the row is told: the
campaign that is being sent, or else the report of the one that was (`late_reports`).

What was answered is on the disk. A token that is not ours costs no look into the spool.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from bulkmail.delivery.background import background
from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.lifecycle.late_reports import LateReports
from bulkmail.delivery.run import Run
from bulkmail.mail import (
    ClickCount,
    Found,
    LateEvent,
    LateResult,
    OwnFault,
    campaign_key,
    read_envelope_id,
    read_token,
    token,
)
from bulkmail.settings import Suppression
from bulkmail.shaping import AutoSuppression, Judgements
from bulkmail.spool import Arrival, Recorded, Spool

_log = Logger("bulkmail")

_LOOK_EVERY = 1.0  # seconds
_TOGETHER = 500  # failures that waited for the end of their rows


def rules_of(settings: Suppression) -> AutoSuppression:
    """Return the operator's rules as the spool takes them."""
    auto = settings.auto
    return AutoSuppression(
        complained=auto.complained,
        unsubscribed=auto.unsubscribed,
        hard_after=auto.hard_bounce.after,
        soft_after=auto.soft_bounce.after,
        soft_within=auto.soft_bounce.within,
        hashed=settings.hashed,
    )


class LateOutcomes:
    """Records what comes back (`mail.ReturnPath`).

    ``runs``: the campaigns that are being sent, by id; ``changed(run)``: one of them has news; ``judge(run)`` sees
    whether too much has come back of it (`guarding`). ``own``: what the operator says that replies mean.
    ``counts``: what came back since this start, by result; ``strays``: what of it could not be attributed, by what it
    was.
    """

    def __init__(
        self,
        clocks: Clocks,
        spool: Spool,
        rules: AutoSuppression,
        runs: Mapping[int, Run],
        changed: Callable[[Run], None],
        reports: LateReports,
        judge: Callable[[Run], Awaitable[None]] | None = None,
        own: Judgements | None = None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.strays: Counter[str] = Counter()
        self._spool = spool
        self._rules = rules
        self._wall = clocks.wall
        self._runs = runs
        self._changed = changed
        self._reports = reports
        self._key = b""
        self._waiting = True  # an earlier process may have left some
        self._judge = judge
        self.apply(own)
        self._to_judge: set[int] = set()
        self._fresh: set[int] = set()  # campaigns that are being sent, whose counts are to be read
        self._busy = False
        self._second = LoopingCall(self._look)
        self._second.clock = clocks.reactor

    def __repr__(self) -> str:
        return f"<LateOutcomes {dict(self.counts)}>"

    def apply(self, own: Judgements | None) -> None:
        """Use other judgements for what comes back from now on."""
        self._meaning = None if own is None else own.judge_late

    def start(self) -> None:
        """Begin to look after what waits, once a second, and for reports that an earlier process did not write."""
        self._second.start(_LOOK_EVERY, now=False)
        background(self._reports.look_back(), "looking for reports that are not up to date")

    async def written(self) -> None:
        """Let every report tell what has come back so far; return when they do."""
        await self._look_after()
        await self._reports.written()

    async def close(self) -> None:
        """Look no more; wait for a report that is being written."""
        if self._second.running:
            self._second.stop()
        await self._reports.close()

    async def find(self, token: str) -> Found | None:
        """Return what is known of a token; see `mail.ReturnPath.find`."""
        return await self._spool.find_recipient(token) if await self._is_ours(token) else None

    async def members(self, envelope_id: str, addresses: Sequence[str]) -> dict[str, str]:
        """Return the tokens of recipients of one transaction; see `mail.ReturnPath.members`."""
        key = await self.token_key()
        transaction = read_envelope_id(key, envelope_id) if key else None
        if transaction is None:
            return {}
        numbers = await self._spool.find_members(*transaction, addresses)
        own = campaign_key(key, transaction[0])
        return {address: token(own, number) for address, number in numbers.items()}

    async def returned(self, token: str, event: LateEvent) -> Found | None:
        """Record a delivery report or an answer; see `mail.ReturnPath.returned`."""
        return await self._record(token, event)

    async def complained(self, token: str, event: LateEvent) -> Found | None:
        """Record a complaint; see `mail.ReturnPath.complained`."""
        return await self._record(token, event._replace(result=LateResult.COMPLAINED))

    async def unsubscribe(self, token: str, how: str, key: str = "") -> Found | None:
        """Record that the recipient wants no more of the list; see `mail.ReturnPath.unsubscribe`."""
        return await self._record(token, LateEvent(LateResult.UNSUBSCRIBED, 0.0, reply=how, key=key))

    async def resubscribe(self, token: str, how: str) -> Found | None:
        """Take an unsubscribe back; see `mail.ReturnPath.resubscribe`."""
        return await self._record(token, LateEvent(LateResult.RESUBSCRIBED, 0.0, reply=how))

    async def clicked(self, counts: Sequence[tuple[int, ClickCount]]) -> None:
        """Add up clicks; see `mail.ReturnPath.clicked`."""
        await self._spool.add_clicks(counts)
        for campaign_id, one in counts:
            self.counts["clicked"] += one.people
            run = self._runs.get(campaign_id)
            if run is None or run.helped:
                self._reports.ask(campaign_id)
            else:
                self._changed(run)

    def unattributed(self, what: str) -> None:
        """Count what could not be attributed."""
        self.strays[what] += 1

    async def token_key(self) -> bytes:
        """Return the key that tokens are read with; see `mail.ReturnPath.token_key`."""
        if not self._key:
            self._key = await self._spool.token_key()
        return self._key

    async def _is_ours(self, token: str) -> bool:
        key = await self.token_key()
        return bool(key) and read_token(key, token) is not None

    async def _record(self, token: str, event: LateEvent) -> Found | None:
        if not await self._is_ours(token):
            self.unattributed(str(event.result))
            return None
        arrival = Arrival(token, event._replace(at=self._wall()), self._rules, self._meaning)
        recorded = await self._spool.record_late(arrival)
        if recorded.found is None:
            self.unattributed(str(event.result))
            return None
        if recorded.kept or recorded.suppressed:
            self.counts[str(event.result)] += 1
        self._waiting = self._waiting or recorded.waits
        if recorded.kept:
            self._tell(recorded.found.campaign_id, recorded)
        return recorded.found

    def _tell(self, campaign_id: int, recorded: Recorded) -> None:
        """Let everything that shows the row know."""
        run = self._runs.get(campaign_id)
        if run is not None and self._judge is not None:
            self._to_judge.add(campaign_id)
        if run is None or run.helped:
            self._reports.ask(campaign_id)
            return
        if recorded.before is not None and recorded.after is not None:
            run.overwritten(recorded.before, recorded.after)
        self._fresh.add(campaign_id)

    def _look(self) -> None:
        self._reports.look()
        if not self._busy and (self._waiting or self._fresh or self._to_judge):
            self._busy = True
            background(self._look_after(), "looking after what has come back")

    async def _look_after(self) -> None:
        try:
            if self._waiting:
                recorded = await self._spool.settle_late(_TOGETHER)
                self._waiting = await self._spool.late_waits()
                for one in recorded:
                    if one.found is not None:
                        self._tell(one.found.campaign_id, one)
            while self._fresh:
                await self._count(self._fresh.pop())
            while self._to_judge and self._judge is not None:
                if (run := self._runs.get(self._to_judge.pop())) is not None and not run.over:
                    await self._judge(run)
        except OwnFault as fault:
            _log.error("what has come back is not in the reports yet: {fault}", fault=fault)
        finally:
            self._busy = False

    async def _count(self, campaign_id: int) -> None:
        counts = await self._spool.late_counts(campaign_id)
        run = self._runs.get(campaign_id)
        if run is None or run.over:
            self._reports.ask(campaign_id)  # it has ended meanwhile; its last report may not have it
        if run is not None:
            run.late = counts
            self._changed(run)
