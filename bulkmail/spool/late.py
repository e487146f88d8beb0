"""What comes back, into the store: the line, the status, the counts and the suppression in one transaction.

What an event may change is decided by `mail.weigh`, and whom it suppresses by `shaping.to_suppress`; here is read what
they ask for, and written what they answer. Rows that are not final are never written to: a process may be sending them
at this moment, and their settlement says what became of them. So a failure of one of those waits in a table of its own
(`settle_late`), and no settlement of the sending path looks for it.

Of a campaign that was removed the spool keeps whose tokens are whose (`gone`), by hash: what comes back leaves no line
then, but is an event, and suppresses as before, where a report names the address of that hash.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bulkmail.failpoints import failpoint
from bulkmail.mail import (
    AddressError,
    Category,
    Found,
    Late,
    LateEvent,
    LateResult,
    Stage,
    Status,
    address_hash,
    address_in,
    is_repeated,
    overwrites,
    read_token,
    tidied,
    weigh,
)
from bulkmail.shaping import AutoSuppression, Back, Width, bounce_of, is_hard, is_soft, to_suppress
from bulkmail.spool.arrivals import Arrival, Key, LateCounts, Recorded, read_late_counts
from bulkmail.spool.booking import AttemptLine, Batch, Booking, EventLine, OutcomeLine
from bulkmail.spool.events import Events
from bulkmail.spool.rows import campaign_of, id_range, number_of, recipient_id
from bulkmail.spool.scopes import EVERYTHING, Audience, Suppression
from bulkmail.spool.suppressions import Suppressions

_MOST_MEMBERS = 5000  # rows; the recipients of a transaction stand near each other in their domain's queue
_TELLING = frozenset({Status.BOUNCED, Status.BLOCKED, Status.EXPIRED})
_OWN_WORDS = frozenset({LateResult.UNSUBSCRIBED, LateResult.RESUBSCRIBED})  # their replies are words of ours
_WORDS = {
    Category.COMPLAINED: "complaint",
    Category.UNSUBSCRIBED: "unsubscribed",
    Category.BOUNCED_BEFORE: "returned",
}


class _Recipient(NamedTuple):
    """A row as it is now, and what has come back of it. ``key`` "" and ``hash``: it has left the spool.

    ``key``: its `Address.key`, "" where it has none; ``hash``: that one's (`address_hash`), 0 without.
    """

    id: int
    queue_id: int
    email: str
    late: Late
    outcome: OutcomeLine
    hash: int = 0
    key: str = ""
    known: bool = True

    @property
    def status(self) -> str:
        return self.outcome.status

    @property
    def counted(self) -> Key:
        return self.outcome.provider, self.outcome.status, self.outcome.category


class LateEvents(Suppressions, Events):
    """The part of a store that takes what comes back; see `arrivals.LateStore`."""

    _booking: Booking
    rules: AutoSuppression | None = None

    def find_recipients(self, tokens: Sequence[str]) -> list[Found | None]:
        """Return what is known of tokens; see `arrivals.LateStore.find_recipients`."""
        with self._db.transaction("begin_reading"):
            ids = [None if read is None else recipient_id(*read) for read in map(self._read, tokens)]
            known = {identity for identity in ids if identity is not None}
            audiences = self._audiences({campaign_of(identity) for identity in known}) if known else {}
            rows = self._recipients(known) if known else {}
            return self._founds(ids, audiences, rows)

    def find_members(self, campaign_id: int, first: int, last: int, addresses: Sequence[str]) -> dict[str, int]:
        """Return the numbers of rows that these addresses name; see `arrivals.LateStore.find_members`."""
        span = {"first": recipient_id(campaign_id, first), "last": recipient_id(campaign_id, last)}
        with self._db.transaction("begin_reading"):
            rows = self._db.execute("members", {**span, "limit": _MOST_MEMBERS + 1}).fetchall()
        found: dict[str, list[int]] = {}
        for identity, email in rows if len(rows) <= _MOST_MEMBERS else ():
            found.setdefault(_key(email), []).append(number_of(identity))
        named = {address: found.get(_key(address), []) for address in addresses}
        return {address: numbers[0] for address, numbers in named.items() if len(numbers) == 1 and _key(address)}

    def record_late(self, arrivals: Sequence[Arrival]) -> list[Recorded]:
        """Write down what came back; see `arrivals.LateStore.record_late`."""
        arrivals = [one._replace(event=tidied(one.event)) for one in arrivals]
        with self._db.transaction():
            self._db.execute("one_late_at_a_time")
            read = [self._read(arrival.token) for arrival in arrivals]
            ids = [recipient_id(*one) if one is not None and one[1] else 0 for one in read]
            rows = self._recipients({identity for identity in ids if identity})
            audiences = self._audiences({campaign_of(identity) for identity in rows})
            recording = _Recording(rows)
            recorded: list[Recorded] = []
            for arrival, identity in zip(arrivals, ids, strict=True):
                row = rows.get(identity)
                audience = audiences.get(campaign_of(identity))
                if row is None or audience is None:
                    recorded.append(Recorded(None))
                    continue
                judged = arrival.judged(row.outcome.provider, row.key)
                repeated = is_repeated(row.late, judged.event)
                one = recording.take(identity, judged.event)
                suppressed = 0 if repeated else self._suppress(row, audience, judged)
                recorded.append(one._replace(suppressed=suppressed))
            self._drop_old_bounces(arrivals)
            founds = self._founds([identity or None for identity in ids], audiences, rows)
            recorded = [one._replace(found=found) for one, found in zip(recorded, founds, strict=True)]
            batch = recording.batch(self._tables.last_numbers(recording.counts))
            self._tables.write(batch)
            self._db.many("set_late", [(row.id, *row.late) for row in recording.changed])
            self._db.many("add_late_waiting", recording.waiting)
            providers = {row.id: row.outcome.provider for row in rows.values()}
            self._note_late(batch.attempts, providers, recording.of_gone)
            failpoint("mid-late")
        failpoint("after-late")
        self._booking.last_attempt.update(batch.last_attempt)
        return recorded

    def settle_late(self, limit: int) -> list[Recorded]:
        """Judge failures whose rows are final now; see `arrivals.LateStore.settle_late`."""
        with self._db.transaction():
            self._db.execute("one_late_at_a_time")
            ended = self._db.execute("ended_late_waiting", (limit,)).fetchall()
            rows = self._recipients([line[0] for line in ended])
            audiences = self._audiences({campaign_of(identity) for identity in rows})
            batch = Batch()
            recorded: list[Recorded] = []
            late: list[tuple[Any, ...]] = []
            for identity, at, status, category, attempt_id in ended:
                row = rows.get(identity)
                if row is None or not overwrites(row.late, row.status, row.outcome.attempts):
                    continue
                after = _overwritten(batch, row, status, category, attempt_id)
                late.append((identity, *row.late._replace(late_at=at)))
                [found] = self._founds([identity], audiences, rows)
                recorded.append(Recorded(found, before=row.counted, after=after))
            self._tables.write(batch)
            self._db.many("set_late", late)
            self._db.many("drop_late_waiting", [(line[0],) for line in ended])
        return recorded

    def late_waits(self) -> bool:
        """Return whether failures wait for the ends of their rows."""
        with self._db.transaction("begin_reading"):
            return bool(self._db.execute("late_waits").fetchone()[0])

    def late_counts(self, campaign_id: int) -> LateCounts:
        """Return what has come back of a campaign."""
        with self._db.transaction("begin_reading"):
            return read_late_counts(self._db, campaign_id)

    def late_by_provider(self, campaign_id: int, until: float) -> dict[str, Back]:
        """Return what had come back by then; see `arrivals.LateStore.late_by_provider`."""
        with self._db.transaction("begin_reading"):
            rows = self._db.execute("late_by_provider", (until, until, *id_range(campaign_id))).fetchall()
        found: dict[str, Back] = {}
        for provider, status, returned, complained in rows:
            blocked = int(returned) if status == Status.BLOCKED else 0
            back = Back(int(returned) - blocked, blocked, int(complained))
            found[provider] = found.get(provider, Back()).plus(back)
        return found

    def _suppress_settled(self, outcomes: Sequence[OutcomeLine]) -> None:
        """Within the transaction: suppress whom these outcomes of attempts suppress by rule."""
        if self.rules is None:
            return
        events = {
            one.recipient_id: event
            for one in outcomes
            if one.status in _TELLING and (event := bounce_of(one.status, one.category, one.completed_at or 0.0))
        }
        if events:
            self._write_hash_key()
            rows = self._recipients(events)
            audiences = self._audiences({campaign_of(identity) for identity in rows})
            # in one order, or two machines wait for each other
            arrivals = {identity: Arrival("", event, self.rules) for identity, event in events.items()}
            for row in sorted(rows.values(), key=lambda row: row.hash):
                self._suppress(row, audiences[campaign_of(row.id)], arrivals[row.id])
            self._drop_old_bounces(arrivals.values())

    def _read(self, token: str) -> tuple[int, int] | None:
        key = self._read_hash_key()
        return read_token(key, token) if key else None

    def _recipients(self, ids: Iterable[int]) -> dict[int, _Recipient]:
        """Within a transaction: return those of the rows that the spool knows, or has known."""
        asked = {"ids": json.dumps(sorted(ids))}
        found: dict[int, _Recipient] = {}
        for identity, queue_id, email, *values in self._db.execute("late_recipients", asked).fetchall():
            outcome = OutcomeLine(identity, *values[:11])
            late, key = Late(*values[11:]), _key(email)
            found[identity] = _Recipient(identity, abs(queue_id), email, late, outcome, self._hash(key), key)
        if len(found) < len(json.loads(asked["ids"])):
            for identity, number, *values in self._db.execute("gone_recipients", asked).fetchall():
                ended = OutcomeLine(identity, Status.BLOCKED)
                found.setdefault(identity, _Recipient(identity, 0, "", Late(*values), ended, number, known=False))
        return found

    def _hash(self, key: str) -> int:
        """Return the hash of an `Address.key`; 0 where there is none."""
        return address_hash(self._read_hash_key(), key) if key else 0

    def _audiences(self, campaigns: Iterable[int]) -> dict[int, Audience]:
        """Within a transaction: return of each campaign what suppressions count for it, removed ones too."""
        found: dict[int, Audience] = {}
        ids = {"ids": json.dumps(sorted(campaigns))}
        for identity, name, list_, kind, here in self._db.execute("late_campaigns", ids).fetchall():
            if here or identity not in found:
                found[identity] = Audience(list_ or name, name, kind)
        return found

    def _founds(
        self, ids: Sequence[int | None], audiences: Mapping[int, Audience], rows: Mapping[int, _Recipient]
    ) -> list[Found | None]:
        """Within a transaction: return what is known of each, None where no campaign or row of ours has that id."""
        hashes = {row.hash for row in rows.values()} - {0}
        entries = self._found(hashes) if hashes else {}
        founds: list[Found | None] = []
        for identity in ids:
            about = None if identity is None else audiences.get(campaign_of(identity))
            row = rows.get(identity or 0)
            if identity is None or about is None or (row is None and number_of(identity)):
                founds.append(None)
                continue
            scopes = (about.scope, EVERYTHING)
            suppressed = () if row is None else entries.get(row.hash, ())
            unsubscribed = any(one.reason == Category.UNSUBSCRIBED and one.scope in scopes for one in suppressed)
            address, here = ("", False) if row is None else (row.email, row.known)
            number = 0 if row is None or here else row.hash
            audience = (about.campaign, about.list, about.kind)
            one = (campaign_of(identity), number_of(identity), *audience, address, unsubscribed, here, number)
            founds.append(Found(*one))
        return founds

    def _drop_old_bounces(self, arrivals: Iterable[Arrival]) -> None:
        """Within the transaction: drop the soft bounces that are older than any rule of these looks back."""
        olds = [one.event.at - one.rules.soft_within for one in arrivals if is_hard(one.event) or is_soft(one.event)]
        if olds:
            self._db.execute("drop_old_bounces", (min(olds),))

    def _suppress(self, row: _Recipient, about: Audience, arrival: Arrival) -> int:
        """Within the transaction: suppress the address where the rules say so; return how many entries changed."""
        event, rules = arrival.event, arrival.rules
        if not row.hash:
            return 0
        if event.result is LateResult.RESUBSCRIBED:
            scope = scope_of(about, rules.unsubscribed)
            values = {"hash": row.hash, "scope": scope, "reason": str(Category.UNSUBSCRIBED)}
            removed: int = self._db.execute("drop_suppression", values).rowcount
            self._some = None
            return removed
        hard = soft = 0
        if is_hard(event) or is_soft(event):
            self._db.execute("add_bounce", (row.hash, row.id, event.at, int(is_soft(event))))
            hard = 1
            if is_soft(event) or rules.hard_after > 1:  # else this one is enough, or none ever is
                since = {"hash": row.hash, "since": event.at - rules.soft_within}
                hard, soft = self._db.execute("bounces", since).fetchone()
        wanted = to_suppress(rules, event, hard=hard, soft=soft)
        if wanted is None:
            return 0
        scope = scope_of(about, wanted.width)
        words = f"{_WORDS[wanted.reason]}: {about.campaign}, row {number_of(row.id)}"
        return self._add(row, Suppression(None, scope, str(wanted.reason), words, event.at), rules)

    def _add(self, row: _Recipient, entry: Suppression, rules: AutoSuppression) -> int:
        self._some = True
        kept = entry if rules.hashed or not row.key else entry._replace(address=row.key)
        return self._tables.add_suppressions([(row.hash, kept)])


class _Recording:
    """The events of one transaction, weighed one after the other; what they change, before it has its numbers."""

    def __init__(self, rows: dict[int, _Recipient]) -> None:
        self._rows = rows
        self._ids: set[int] = set()
        self._lines: list[tuple[_Recipient, LateEvent, str, bool]] = []  # with the new status, and whether it waits
        self.counts: Counter[int] = Counter()  # campaign id -> its lines
        self.waiting: list[tuple[int, float, str, str, int]] = []
        self.of_gone: list[EventLine] = []

    @property
    def changed(self) -> list[_Recipient]:
        """The rows of which something came back, as they are now."""
        return [self._rows[identity] for identity in sorted(self._ids)]

    def take(self, identity: int, event: LateEvent) -> Recorded:
        """Weigh an event."""
        row = self._rows[identity]
        weighed = weigh(row.late, event, row.status, row.outcome.attempts)
        if weighed.late == row.late and not weighed.line:
            return Recorded(None)
        self._ids.add(identity)
        after = None
        new = row._replace(late=weighed.late)
        if not row.known:
            self._rows[identity] = new
            if weighed.line:
                self.of_gone.append(_event_of_gone(identity, event))
            return Recorded(None)
        if weighed.line:
            self._lines.append((row, event, weighed.status, weighed.waits))
            self.counts[campaign_of(identity)] += 1
        if weighed.status:
            after = (row.outcome.provider, weighed.status, event.category)
            new = new._replace(outcome=row.outcome._replace(status=weighed.status, category=event.category))
        self._rows[identity] = new
        return Recorded(None, weighed.line, row.counted if after else None, after, weighed.waits and weighed.line)

    def batch(self, last: Mapping[int, int]) -> Batch:
        """Return what is to be written, its lines numbered behind ``last``."""
        batch = Batch(dict(last))
        for row, event, status, waits in self._lines:
            campaign_id = campaign_of(row.id)
            number = batch.last_attempt[campaign_id] = batch.last_attempt[campaign_id] + 1
            batch.attempts.append(_line(number, row, event))
            if status:
                _overwritten(batch, row, status, event.category, number)
            if waits:
                self.waiting.append((row.id, event.at, event.status, event.category, number))
        return batch


def _key(address: str) -> str:
    """Return the one spelling of an address, "" where it is none."""
    try:
        return address_in(address).key
    except AddressError:
        return ""


def _line(number: int, row: _Recipient, event: LateEvent) -> AttemptLine:
    """Return the line of an event; the number of the attempt is that of the last one before it."""
    stage = str(Stage.DSN) if event.result is LateResult.RETURNED else ""
    said = (str(event.result), event.category, event.smtp_code or None, event.enhanced, event.reply, stage, event.host)
    return AttemptLine(number, row.id, event.at, row.outcome.attempts, *said, "", "", "", 0, None)


def _event_of_gone(identity: int, event: LateEvent) -> EventLine:
    """Return what the stream tells of a row that has left the spool: no words of a report, which may name people."""
    how = event.reply if event.result in _OWN_WORDS else ""
    return EventLine(event.at, str(event.result), identity, None, "", event.category, "", how)


def _overwritten(batch: Batch, row: _Recipient, status: str, category: str, attempt_id: int | None) -> Key:
    """Add to the batch that a row has a new status, by that line; return how it is counted now."""
    outcome = row.outcome._replace(
        status=status, category=category, attempt_id=attempt_id or row.outcome.attempt_id, note=""
    )
    batch.outcomes.append(outcome)
    campaign_id, after = campaign_of(row.id), (row.outcome.provider, status, category)
    batch.totals[campaign_id, *row.counted] -= 1
    batch.totals[campaign_id, *after] += 1
    if row.status == Status.DELIVERED:
        counts = batch.queues.setdefault(row.queue_id, [0, 0, 0])
        counts[0] -= 1
        counts[1] += 1
    return after


def scope_of(audience: Audience, width: Width) -> str:
    """Return the scope of a suppression of this width that comes of a campaign."""
    return EVERYTHING if width == "all" else audience.scope
