"""Campaigns that try their variants first: the rest waits, and gets the better one.

The rest are the rows in no variant. The feeder puts them off until the time is over that ``winner.after`` gives, from
the campaign's first attempt on; for up to as long again where more than a twentieth of the others was not sent to yet.
Then the machine that writes the report counts, and what is chosen is written into the spool before any row gets it:
from there every machine takes it, and so does the next start. Where a person chooses and has not yet, the campaign is
held until then. A choice made before that time counts from that time on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from twisted.logger import Logger

from bulkmail.delivery.background import background
from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.resting import Resting
from bulkmail.delivery.run import Run
from bulkmail.mail import BulkmailError, Choice, Status, choice, clicks_by_variant
from bulkmail.spool import Hold, Spool, check_not_ended, chosen_by_hand, named
from bulkmail.workers import Pool

_log = Logger("bulkmail")

KIND = "winner"
_MOST_UNTRIED = 0.05
_REHEARSED = 60.0  # seconds that a rehearsal gives the first ones at least: no speed makes sending faster
_AGAIN, _SOONEST = 10.0, 0.5  # seconds, before a row of the rest is looked at again that was due too early

Counts = Mapping[str, Mapping[str, int]]


class Holder(Protocol):
    """What holds campaigns (`steering.Steering`)."""

    async def hold(self, name: str, kind: str, *, reason: str = "") -> Hold:
        """Hold a campaign."""

    async def release(self, name: str, kind: str, *, who: str = "") -> None:
        """Release it."""


class Comparing:
    """``holder``: what holds campaigns. ``taken(run)`` is called when the content of a campaign has its winner."""

    def __init__(self, spool: Spool, clocks: Clocks, holder: Holder, taken: Callable[[Run], None]) -> None:
        self._spool = spool
        self._clocks = clocks
        self._holder = holder
        self._taken = taken
        self._compose: Pool | None = None
        self._counted: Callable[[Run], Awaitable[Counts | None]] | None = None
        self._come_back: Callable[[], Awaitable[None]] | None = None
        self._known: dict[int, Run] = {}
        self._busy: set[int] = set()

    def use(
        self,
        counted: Callable[[Run], Awaitable[Counts | None]],
        compose: Pool,
        *,
        come_back: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Count with ``counted(run)``: by variant; None where that cannot be done now.

        ``compose`` is given the content with its winner. ``come_back``: in a rehearsal, where nobody chooses by hand,
        has all that readers do come before it is counted.
        """
        self._counted, self._compose, self._come_back = counted, compose, come_back

    async def begin(self, run: Run) -> None:
        """Have the rest of a campaign wait that is about to be sent, or give it what was chosen. Raises OwnFault."""
        variants = run.content.get("variants") or {}
        if not variants.get("contest"):
            return
        found = await self._spool.winner(run.id)
        if found is not None:
            _take(run, found)
            return
        first = await self._spool.first_attempt_at(run.id)
        after = self._clocks.scaled(variants["contest"]["after"])
        longest = 2 * after if self._come_back is None else max(2 * after, _REHEARSED)
        run.resting = Resting(variants["shares"], after, first, longest, min(_AGAIN, max(_SOONEST, after / 10)))
        self._known[run.id] = run

    def look(self) -> None:
        """See whether something is to be chosen; called once a second."""
        for run in list(self._known.values()):
            if run.over or run.resting is None:
                del self._known[run.id]
            elif run.id not in self._busy:
                self._busy.add(run.id)
                background(self._act(run, run.resting), "choosing a variant")

    async def choose(self, name: str, variant: str, *, who: str = "") -> None:
        """Choose by hand. Raises UnknownName, WrongState, OwnFault."""
        row = named(await self._spool.campaigns(), name)
        check_not_ended(row, "changed")
        content, before = await self._spool.content(row.id), await self._spool.winner(row.id)
        await self._spool.save_winner(row.id, chosen_by_hand(name, content, before, variant, who))
        if any((hold.campaign_id, hold.kind) == (row.id, KIND) for hold in await self._spool.holds()):
            await self._holder.release(name, KIND, who=who)

    async def _act(self, run: Run, resting: Resting) -> None:
        try:
            if resting.begins is None:
                resting.begins = await self._spool.first_attempt_at(run.id)
            if not resting.is_over(self._clocks.wall()) or run.over:
                return
            found = await self._spool.winner(run.id)
            if found is None and not run.helped:
                found = await self._chosen(run, resting)
            if found is not None:
                _take(run, found)
                if self._compose is not None:
                    self._compose.set_up(run.id, ("load", run.id, run.content))
                _log.info("{campaign}: the rest gets variant {variant}: {why}", campaign=run.name, **found._asdict())
                self._taken(run)
        except BulkmailError as error:
            _log.error(
                "{campaign}: no variant could be chosen: {error}; it is tried again", campaign=run.name, error=error
            )
        finally:
            self._busy.discard(run.id)

    async def _chosen(self, run: Run, resting: Resting) -> Choice | None:
        """Choose by what is counted, once the variants were sent; by hand: hold the campaign."""
        variants = run.content["variants"]
        contest, letters = variants["contest"], [*variants["letters"]]
        if contest["by"] == "manual":
            if self._come_back is None:
                await self._wait(run, letters)
                return None
            drawn = contest["rest"] or letters[0]
            found = Choice(drawn, f"in a rehearsal nobody chooses; {drawn} was taken")
        else:
            if self._counted is None or (counts := await self._counted(run)) is None:
                return None
            if _untried(letters, counts) and resting.extend(self._clocks.wall()):
                return None
            if self._come_back is not None:
                await self._come_back()
                counts = await self._counted(run) or counts
            clicks = clicks_by_variant(await self._spool.clicks(run.id))
            counts = {name: {**counts.get(name, {}), "clicked": clicks.get(name, 0)} for name in letters}
            found = choice(letters, counts, contest["by"], contest["rest"])
        await self._spool.save_winner(run.id, found)
        return found

    async def _wait(self, run: Run, letters: list[str]) -> None:
        if all(hold.kind != KIND for hold in run.holds.active):
            names = " or ".join(f"`bulkmail choose {run.name} {name}`" for name in letters)
            await self._holder.hold(run.name, KIND, reason=f"the rest waits for the better variant: {names}")


def _untried(letters: list[str], counts: Counts) -> bool:
    """Return whether so many were not sent their variant yet that comparing says little."""
    of_each = [counts.get(name, {}) for name in letters]
    rows = sum(some.get(status, 0) for some in of_each for status in Status)
    return sum(some.get(Status.PENDING, 0) for some in of_each) > _MOST_UNTRIED * rows


def _take(run: Run, found: Choice) -> None:
    run.content = with_winner(run.content, found.variant, found.why)
    run.resting = None


def with_winner(content: dict[str, Any], variant: str, why: str) -> dict[str, Any]:
    """Return a content whose rest gets this variant."""
    return {**content, "variants": {**content["variants"], "winner": variant, "why": why}}


def kept_winner(before: Mapping[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    """Return a changed content with the winner that was chosen before it was changed."""
    known = before.get("variants") or {}
    if not known.get("winner") or not content.get("variants"):
        return content
    return with_winner(content, known["winner"], known.get("why", ""))
