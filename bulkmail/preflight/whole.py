"""The whole preflight of a campaign: every row read and composed, every message looked at, every domain looked up.

It runs in the event loop of a command or of the service, and keeps neither busy: reading, composing and the DNS are
processes of their own, and what comes back from them is counted here, a batch at a time. Memory does not grow with the
list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from twisted.internet.defer import Deferred

from bulkmail.campaign import Campaign
from bulkmail.content import links_in_words, printed_columns
from bulkmail.mail import Problem, Refused, new_key
from bulkmail.preflight.composing import Composing
from bulkmail.preflight.counting import REPEATED, USABLE, Counting, Messages
from bulkmail.preflight.domains import Domains
from bulkmail.preflight.findings import Finding, Severity
from bulkmail.preflight.inspector import Row
from bulkmail.preflight.kinds import Kind
from bulkmail.preflight.reading import Begun, Reading, Recipient
from bulkmail.preflight.resolving import Ask
from bulkmail.preflight.result import Preflight, of_problem
from bulkmail.preflight.row_lines import RowLines
from bulkmail.preflight.sender import Sender, check_sender, lookup_by, offline_findings
from bulkmail.routing import Routing

Told = Callable[[Literal["rows", "domains"], int, int], None]
"""Is called as it goes on: of what, how many are done, and about how many there are."""

_FROM_BYTES = frozenset({"no-one-click", "no-unsubscribe"})  # of the sender's findings
_BYTES_A_PROCESS = 100_000  # of lists: starting another one costs as much as composing their rows
_DNS_WITHIN = 180.0  # seconds for the domains, once all rows are read
_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}


@dataclass(frozen=True)
class Means:
    """What a preflight is made with.

    ``processes``: how many compose. ``now``: epoch seconds, the date of the messages. ``suppress``: the operator's own
    lists. ``ask``: the resolver, None to look up nothing; ``router``: where domains lead, None likewise. ``sender``:
    whose DNS is checked too. ``providers``: shaping's table. ``lines``: where check.csv is written. ``told``: progress.
    ``read`` is called with all rows, as they are read.
    ``begun``: given where the campaign was started already, to see whether its lists are what they were.
    """

    processes: int
    now: float
    suppress: Sequence[str] = ()
    ask: Ask | None = None
    router: Routing | None = None
    sender: Sender | None = None
    providers: Mapping[str, Any] = field(default_factory=dict)
    lines: RowLines = field(default_factory=lambda: RowLines(None))
    told: Told = lambda *_: None
    read: Callable[[Sequence[Recipient]], object] = lambda _: None
    begun: Begun | None = None


async def preflight(
    reactor: Any, campaign: Campaign, content: dict[str, Any], means: Means, notices: Sequence[Problem] = ()
) -> Preflight:
    """Look at the whole campaign, whose files were checked. Raises Refused where a list cannot be read, and OwnFault.

    ``content``: everything that enters its messages. ``notices``: what is known of its files; what the lists say of
    themselves is asked anew, for all their rows. It may be cancelled at any time.
    """
    look = _Look(reactor, campaign, content, means)
    try:
        await look.work()
    finally:
        await look.close()
    return look.result(notices)


class _Look:
    """One preflight under way."""

    def __init__(self, reactor: Any, campaign: Campaign, content: dict[str, Any], means: Means) -> None:
        self._reactor = reactor
        self._campaign = campaign
        self._means = means
        files = [str(name) for name in campaign.recipients]
        options = {
            "content": {**content, "key": new_key(), "date": means.now},
            "files": files if len(files) > 1 else [""],
            "printed": printed_columns(content),
        }
        self._reading = Reading(reactor, campaign, list(means.suppress))
        self._bytes = sum(path.size() for path in campaign.recipient_paths)
        processes = min(means.processes, 1 + self._bytes // _BYTES_A_PROCESS)
        self._composing = Composing(reactor, processes, options, self._take)
        self._domains = Domains(means.router, self._looked_up)
        self._counting = Counting(files, means.lines)
        self._links = links_in_words(content)
        self._messages = Messages(files, content["columns"], subject_varies="{" in content["subject"])
        self._emails: dict[int, str] = {}  # of the rows that are being composed
        self._of_sender: list[Finding] = []
        self._changed: list[Finding] = []
        self._expected = self._resolved = 0
        self._began = reactor.seconds()
        self._seconds = 0.0

    async def work(self) -> None:
        """Read, compose and look up everything."""
        await self._reading.open()
        await self._prove()
        self._composing.start()
        of_sender = Deferred.fromCoroutine(self._look_at_sender())
        while (rows := await self._reading.rows()) is not None:
            self._expect(rows)
            self._means.read(rows)
            usable = self._counting.add_rows(rows)
            for row in usable:
                self._domains.add(row[4], row[0], held=row[6] == "held")
                self._emails[row[0]] = row[3]
            await self._composing.add([(row[0], row[1], row[3], row[5]) for row in usable])
        await self._composing.drain()
        while (repeated := await self._reading.repeated()) is not None:
            for number, _ in repeated:
                self._counting.add_repeated(number)
                self._domains.repeated(number)
        self._seconds = self._reactor.seconds() - self._began
        await self._look_up()
        self._of_sender = await of_sender
        await self._write_late_lines()

    async def _prove(self) -> None:
        """See whether the lists still begin with what was read of them, as a start would."""
        begun = self._means.begun
        if begun is None or begun.reading is None:
            return
        again = Reading(self._reactor, self._campaign, list(self._means.suppress))
        try:
            await again.open(begun.reading, begun.rows)
        except Refused as refused:
            self._changed = [of_problem(Severity.ERROR, "list-changed", problem) for problem in refused.problems]
        finally:
            await again.close()

    async def close(self) -> None:
        """End the processes."""
        self._domains.stop()
        await self._reading.close()
        await self._composing.close()

    def _expect(self, rows: Sequence[Recipient]) -> None:
        """Estimate from the first rows how many there are."""
        if not self._expected and rows:
            size = sum(len(row[5]) for row in rows)
            self._expected = max(len(rows), len(rows) * self._bytes // max(1, size))

    def _take(self, batch: Sequence[Row], found: dict[str, Any]) -> None:
        for kind, rows in found["kinds"]:
            self._counting.add(kind, rows, self._emails)
        for row in batch:
            self._emails.pop(row[0], None)
        self._messages.add(batch, found)
        done = self._counting.rows - len(self._emails)
        self._means.told("rows", done, max(self._expected, done))

    def _looked_up(self) -> None:
        self._resolved += 1
        self._means.told("domains", self._resolved, len(self._domains.known))

    async def _look_at_sender(self) -> list[Finding]:
        """Look up what the sender has published; what the letter itself says is known from its bytes."""
        sender, ask = self._means.sender, self._means.ask
        if sender is None:
            return []
        found = offline_findings(sender) if ask is None else await check_sender(sender, lookup_by(ask))
        return [finding for finding in found if finding.code not in _FROM_BYTES]

    async def _look_up(self) -> None:
        """Wait for the lookups that are still to come, for some minutes at most."""
        late = self._reactor.callLater(_DNS_WITHIN, self._domains.stop)
        try:
            await self._domains.drain()
        finally:
            if late.active():
                late.cancel()

    async def _write_late_lines(self) -> None:
        """Write the lines of the rows that only now are known to be odd: repeated ones, and those of bad domains."""
        bad = {finding.where: _kind(finding) for finding in self._of_domains() if finding.count}
        lines, repeated = self._means.lines, self._counting.repeated
        if not (bad or repeated) or not lines.wanted:
            return
        again = Reading(self._reactor, self._campaign, list(self._means.suppress))
        try:
            await again.open()
            while lines.wanted and (rows := await again.rows()) is not None:
                for number, _, _, email, domain, _, verdict, _ in rows:
                    if verdict not in USABLE:
                        continue
                    if number in repeated:
                        lines.add(REPEATED, [(number, email)])
                    if domain in bad:
                        lines.add(bad[domain], [(number, email)])
        finally:
            await again.close()

    def _of_domains(self) -> list[Finding]:
        return list(self._domains.findings())

    def _of_the_list(self) -> list[Finding]:
        """Return what is wrong with the list as a whole."""
        counting = self._counting
        if not counting.rows:
            return [Finding(Severity.WARNING, "empty-list", str(self._campaign.recipients[0]), "the list has no rows")]
        if not counting.usable:
            words = "no row can be mailed: all are unusable, on a suppress list, or say that they may not be mailed"
            return [Finding(Severity.ERROR, "no-recipient", str(self._campaign.recipients[0]), words)]
        return []

    def result(self, notices: Sequence[Problem]) -> Preflight:
        """Put it all together."""
        counting, messages = self._counting, self._messages
        anew = {_place(notice) for notice in self._reading.told}  # told of all rows now, not of the first ones
        told = dict.fromkeys([*(one for one in notices if _place(one) not in anew), *self._reading.told])
        findings = [
            *self._changed,
            *self._of_the_list(),
            *(_about_all(kind) for kind in messages.odd()),
            *counting.kinds.findings(counting.usable, len(counting.repeated)),
            *(finding for finding in self._of_sender if finding.code != "dns-no-answer" or not self._domains.fault),
            *self._of_domains(),
            *(of_problem(Severity.WARNING, "notice", notice) for notice in told),
        ]
        findings.sort(key=lambda finding: _ORDER[finding.severity])
        not_composed = counting.usable - messages.composed
        for finding in findings:
            self._means.lines.add(_kind(finding), [("", "")] if not finding.count else [])
        return Preflight(
            campaign=self._campaign.name,
            sender=self._campaign.sender,
            signed_by=messages.signed_by,
            subject=messages.subject,
            rows=counting.rows,
            mailed=max(0, counting.usable - len(counting.repeated) - not_composed),
            repeated=len(counting.repeated),
            suppressed=counting.suppressed,
            unusable=counting.unusable,
            unusable_rows=tuple(counting.unusable_rows),
            not_composed=not_composed,
            composed=messages.composed,
            mistyped=counting.mistyped,
            mistyped_as=tuple(counting.mistyped_as),
            bytes=messages.bytes,
            largest=messages.largest,
            largest_html=messages.largest_html,
            domains=self._domains.known,
            beyond=self._domains.beyond,
            fault=self._domains.fault,
            seconds=self._seconds,
            findings=tuple(findings),
            links=self._links,
        )


def _place(notice: Problem) -> tuple[str, int, int]:
    return str(notice.file), notice.line, notice.column


def _kind(finding: Finding) -> Kind:
    return finding.severity.value, finding.code, finding.where, finding.message, finding.remedy


def _about_all(kind: Kind) -> Finding:
    severity, code, where, message, remedy = kind
    return Finding(Severity(severity), code, where, message, remedy)
