"""The one suite of all stores: in memory, in a file, in PostgreSQL."""

from __future__ import annotations

import inspect
import marshal
import os
import shutil
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bulkmail.mail import LateEvent, LateResult, OwnFault, Refused, token
from bulkmail.shaping import AutoSuppression
from bulkmail.spool import Arrival, Journalled, SqliteStore, campaign_of, contract, recipient_id
from tests.retrying import RetryPlan

UNKNOWN_AFTER = 900.0
RETURNED = LateEvent(LateResult.RETURNED, 3000.0, "bounced", "bad-mailbox", 550, key="z")


STORES = (SqliteStore, pytest.importorskip("bulkmail.spool.postgres.store").PostgresStore)


@pytest.mark.parametrize("store", STORES)
def test_a_store_has_every_method_of_the_contract_with_its_parameters(store):
    parts = [part for part in contract.Store.__mro__ if part.__module__ == contract.__name__]
    names = {name for part in parts for name in vars(part) if not name.startswith("_")}
    assert {"create_campaign", "add_rows", "claim", "settle", "remember", "recover", "close"} <= names
    for name in names - {"claimed"}:
        assert inspect.signature(getattr(store, name)) == inspect.signature(getattr(contract.Store, name)), name


def test_no_store_is_made_of_the_other():
    for store, other in (STORES, STORES[::-1]):
        rooms = {
            part.__module__.split(".")[2] for part in store.__mro__ if part.__module__.startswith("bulkmail.spool")
        }
        assert store.__module__.split(".")[2] in rooms
        assert other.__module__.split(".")[2] not in rooms


def test_a_spool_that_was_copied_away_or_is_not_whole_is_refused(store):
    contract.check_whole(store.database, "/spool")
    for name, words in ((contract.COPYING, "unfinished copy"), (contract.MOVED, "was copied to /there; use that one")):
        with store.database.transaction():
            store.database.execute("set_meta", (name, "/there"))
        with pytest.raises(Refused, match=words):
            contract.check_whole(store.database, "/spool")


def test_a_refusal_shows_no_password():
    error = contract.refused("postgresql://me:secret@db/mail", "is not there")
    assert "secret" not in str(error)
    assert "postgresql://me@db/mail" in str(error)


@pytest.fixture
def claimed(life, kit):
    """Four claimed rows: two new ones, and two that were deferred before."""
    kit.campaign(life.store, rows=[kit.row(n) for n in range(1, 5)])
    [(queue, _, _)] = life.store.backlog(0, 10)
    rows = life.store.claim([(queue, 2)], 5.0)[queue]
    life.store.settle([kit.outcome(row, "deferred", at=6.0, next_at=7.0) for row in rows])
    return {row.number: row for row in life.store.claim([(queue, 9)], 8.0)[queue]}


def statuses(life):
    sql = """SELECT r.id & 1099511627775, coalesce(o.status, 'pending'), coalesce(o.attempts, 0), d.next_at, d.date
        FROM recipient r LEFT JOIN outcome o ON o.recipient_id = r.id LEFT JOIN due d ON d.recipient_id = r.id"""
    return {row[0]: row[1:] for row in life.kit.asked(life.store, sql)}


def test_a_killed_process_leaves_unsent_rows_due_at_once(life, claimed, kit):
    life.die()
    assert (life.recovered.replied, life.recovered.ambiguous, life.recovered.returned) == (0, 0, 4)
    assert statuses(life) == {
        1: ("deferred", 1, 0.0, 5.0),
        2: ("deferred", 1, 0.0, 5.0),
        3: ("pending", 0, 0.0, 8.0),
        4: ("pending", 0, 0.0, 8.0),
    }
    kit.check_laws(life.store)
    life.die()
    assert life.recovered.returned == 0


def test_a_journalled_reply_is_the_outcome(life, claimed, kit):
    for number in (1, 3):
        row = claimed[number]
        life.journal.dot(row.id, row.attempts + 1)
        life.journal.reply(row.id, row.attempts + 1, kit.outcome(row).packed())
    row = claimed[4]
    life.journal.dot(row.id, 1)
    life.journal.reply(row.id, 1, kit.outcome(row, "deferred", next_at=77_000.0).packed())
    life.die()
    assert (life.recovered.replied, life.recovered.ambiguous, life.recovered.returned) == (3, 0, 1)
    assert statuses(life) == {
        1: ("delivered", 2, None, None),
        2: ("deferred", 1, 0.0, 5.0),
        3: ("delivered", 1, None, None),
        4: ("deferred", 1, 77_000.0, 8.0),
    }
    kit.check_laws(life.store)


@pytest.mark.parametrize("on_unknown", ["retry", "keep"])
def test_a_dot_without_a_reply_is_ambiguous(life, kit, on_unknown):
    kit.campaign(life.store, rows=[kit.row(1), kit.row(2)], on_unknown=on_unknown)
    [(queue, _, _)] = life.store.backlog(0, 10)
    row, _ = life.store.claim([(queue, 2)], 5.0)[queue]
    life.journal.dot(row.id, 1)
    life.die()
    assert (life.recovered.replied, life.recovered.ambiguous, life.recovered.returned) == (0, 1, 1)
    kept = on_unknown == "keep"
    expected = ("unknown", 1, None, None) if kept else ("deferred", 1, life.now + UNKNOWN_AFTER, 5.0)
    assert statuses(life) == {1: expected, 2: ("pending", 0, 0.0, 5.0)}
    attempt = kit.asked(life.store, "SELECT number, result, category, stage FROM attempt")
    assert attempt == [(1, "unknown", "no-answer", "dot")]
    assert life.store.totals(row.campaign_id)["", expected[0], "no-answer"] == 1
    kit.check_laws(life.store)


def test_what_may_have_left_is_counted_over_deaths(life, kit):
    """A kill behind the dot, a power cut, and a lost reply that was settled: each is one copy."""
    kit.campaign(life.store, rows=[kit.row(1)])
    [(queue, _, _)] = life.store.backlog(0, 10)
    waits = []
    for number in (1, 2):
        (row,) = life.store.claim([(queue, 1)], life.now)[queue]
        assert row.doubt == number - 1
        life.journal.dot(row.id, number)
        life.die(reboot=number == 2)
        waits.append(life.store.next_due() - life.now)
        life.now += waits[-1]
    assert waits == [UNKNOWN_AFTER, max(UNKNOWN_AFTER, 600.0)]
    (row,) = life.store.claim([(queue, 1)], life.now)[queue]
    assert row.doubt == 2
    life.journal.dot(row.id, 3)
    life.die()
    assert {status[:2] for status in statuses(life).values()} == {("unknown", 3)}
    assert life.store.next_due() is None
    assert life.store.campaign("spring").possibly_doubled == 1
    kit.check_laws(life.store)


def test_after_a_power_cut_the_silence_of_the_journal_proves_nothing(life, claimed, kit):
    row = claimed[3]
    life.journal.dot(row.id, 1)
    life.journal.reply(row.id, 1, kit.outcome(row).packed())
    life.die(reboot=True)
    assert (life.recovered.replied, life.recovered.ambiguous, life.recovered.returned) == (1, 3, 0)
    kit.check_laws(life.store)
    life.die()
    assert life.recovered.ambiguous == 0


@pytest.mark.parametrize("harm", ["gone", "flipped", "no boot id"])
def test_neither_does_that_of_a_journal_that_is_lost_or_damaged(life, claimed, harm):
    row = claimed[3]
    life.journal.dot(row.id, 1)
    directory = os.path.join(life.directory, "journal")
    [name] = os.listdir(directory)
    if harm == "gone":
        shutil.rmtree(directory)
    elif harm == "flipped":
        with open(os.path.join(directory, name), "r+b") as file:
            file.seek(14)
            file.write(b"\xff")
    else:
        life.boot = ""
    life.die()
    assert (life.recovered.ambiguous, life.recovered.returned) == (4, 0)


def test_two_open_claims_of_one_queue_keep_their_dates_and_what_was_given_back_stays(life, kit):
    kit.campaign(life.store, rows=[kit.row(n) for n in range(1, 5)])
    [(queue, _, _)] = life.store.backlog(0, 10)
    first = life.store.claim([(queue, 2)], 5.0)[queue]
    life.store.claim([(queue, 2)], 6.0)
    life.store.release(first[:1], 400.0)
    life.die(reboot=True)
    assert life.recovered.ambiguous == 3
    after = life.now + UNKNOWN_AFTER
    assert statuses(life) == {
        1: ("pending", 0, 400.0, 5.0),
        2: ("deferred", 1, after, 5.0),
        3: ("deferred", 1, after, 6.0),
        4: ("deferred", 1, after, 6.0),
    }
    kit.check_laws(life.store)


def test_records_of_earlier_attempts_are_history(life, claimed, kit):
    row = claimed[1]
    life.journal.dot(row.id, 1)
    life.journal.reply(row.id, 1, kit.outcome(row._replace(attempts=0)).packed())
    life.die()
    assert life.recovered.returned == 4


@pytest.mark.parametrize(
    "payload", [b"no marshal data", marshal.dumps(5), marshal.dumps((1,) * 3), "somebody else's", "contradicts itself"]
)
def test_a_reply_that_cannot_be_used_leaves_the_dot(life, claimed, kit, payload):
    row = claimed[3]
    life.journal.dot(row.id, 1)
    if payload == "somebody else's":
        payload = kit.outcome(claimed[4]).packed()
    elif payload == "contradicts itself":
        payload = kit.outcome(row)._replace(next_at=5.0).packed()
    life.journal.reply(row.id, 1, payload)
    life.die()
    assert (life.recovered.replied, life.recovered.ambiguous, life.recovered.returned) == (0, 1, 3)


def test_a_recovery_that_cannot_be_written_changes_nothing_and_can_be_repeated(life, kit):
    kit.campaign(life.store, rows=[kit.row(n) for n in range(1, 600)])
    [(queue, _, _)] = life.store.backlog(0, 10)
    life.store.claim([(queue, 599)], 5.0)
    life.vanish()
    store = life.open()
    kit.fill_disk(store)
    with pytest.raises(OwnFault, match=kit.FULL):
        store.recover(Journalled(), "boot-2", RetryPlan(unknown_after=UNKNOWN_AFTER), life.now)
    kit.free_disk(store)
    recovered = store.recover(Journalled(found=True), "boot-1", RetryPlan(unknown_after=UNKNOWN_AFTER), life.now)
    assert recovered.returned == 599
    kit.check_laws(store)
    life.store = store


def test_a_campaign_is_removed_in_small_steps_and_others_stay(store, kit):
    identity = kit.campaign(store, "gone", rows=[kit.row(n, "ab"[n % 2] + ".example") for n in range(1, 31)])
    other = kit.campaign(store, "stays", rows=[kit.row(n) for n in range(1, 4)])
    queues = [queue for queue, _, _ in store.backlog(0, 10)]
    rows = [row for got in store.claim([(queue, 10) for queue in queues], 5.0).values() for row in got]
    with pytest.raises(ValueError, match="is being sent; stop it first"):
        store.remove_campaign(identity)
    store.settle([kit.outcome(row, "deferred" if row.number % 3 else "delivered") for row in rows])
    steps = 1
    while not store.remove_campaign(identity, 7):
        steps += 1
        assert store.campaign("gone").state == "removing"
    assert steps > 5
    assert store.campaign("gone") is None
    assert kit.check_laws(store).keys() == {recipient_id(other, n) for n in (1, 2, 3)}
    again = kit.campaign(store, "gone", rows=[kit.row(1)])
    assert again > other, "an id never comes back"
    kit.check_laws(store)


def test_it_says_what_it_is(store, kit):
    kit.campaign(store)
    assert "claimed=0" in repr(store)


def test_new_rows_come_in_input_order_and_once(store, kit):
    identity = kit.campaign(store, rows=[kit.row(n, "a.example" if n % 2 else "b.example") for n in range(1, 8)])
    (a, _, name_a), (b, _, name_b) = store.backlog(0, 10)
    assert (name_a, name_b) == ("a.example", "b.example")
    got = store.claim([(a, 3), (b, 10)], 5.0)
    assert [claimed.number for claimed in got[a]] == [1, 3, 5]
    assert [claimed.number for claimed in got[b]] == [2, 4, 6]
    first = got[a][0]
    assert first[:6] == (recipient_id(identity, 1), identity, a, "user1@a.example", '["user1@a.example", "N1"]', 0)
    assert first[6:] == (0, 0.0, 5.0, "pending", "", "", 0)
    assert store.backlog(0, 10) == [(a, identity, "a.example")]
    kit.check_laws(store)
    assert [claimed.number for claimed in store.claim([(a, 10), (b, 10)], 6.0)[a]] == [7]
    assert store.claim([(a, 10), (b, 10)], 7.0) == {a: [], b: []}
    assert store.backlog(0, 10) == []
    assert store.claimed == 7


def test_one_queue_asked_twice_in_one_go(store, kit):
    kit.campaign(store, rows=[kit.row(n) for n in range(1, 6)])
    [(queue, _, _)] = store.backlog(0, 10)
    got = store.claim([(queue, 2), (queue, 2), (queue, 0)], 5.0)
    assert [claimed.number for claimed in got[queue]] == [1, 2, 3, 4]
    kit.check_laws(store)


def test_rows_that_are_due_come_first_oldest_first(store, kit):
    kit.campaign(store, rows=[kit.row(n) for n in range(1, 7)])
    [(queue, _, _)] = store.backlog(0, 10)
    rows = store.claim([(queue, 4)], 5.0)[queue]
    store.settle(
        [kit.outcome(row, "deferred", next_at=at) for row, at in zip(rows, (300.0, 100.0, 200.0, 900.0), strict=True)]
    )
    assert store.next_due() == 100.0
    assert store.due_queues(99.0, 10) == []
    assert store.due_queues(100.0, 10) == [(queue, rows[0].campaign_id, "example.com", 100.0)]
    got = store.claim([(queue, 4)], 300.0)[queue]
    assert [(row.number, row.attempts, row.status, row.date) for row in got] == [
        (2, 1, "deferred", 5.0),
        (3, 1, "deferred", 5.0),
        (1, 1, "deferred", 5.0),
        (5, 0, "pending", 300.0),
    ]
    assert got[0].first_attempt_at == 2000.0
    assert store.next_due() == 900.0
    kit.check_laws(store)
    assert store.claim([(queue, 1)], 300.0)[queue][0].number == 6


def test_only_running_campaigns_give_rows(store, kit):
    paused = kit.campaign(store, "paused", rows=[kit.row(1), kit.row(2)])
    running = kit.campaign(store, "running", rows=[kit.row(1)])
    (one, _, _), (two, _, _) = store.backlog(0, 10)
    row = store.claim([(one, 1)], 5.0)[one][0]
    store.settle([kit.outcome(row, "deferred", next_at=9.0)])
    store.set_state(paused, "paused", 6.0)
    assert store.backlog(0, 10) == [(two, running, "example.com")]
    assert store.due_queues(10.0, 10) == []
    assert store.next_due() is None
    assert store.next_due(paused) == 9.0
    assert store.claim([(one, 5)], 10.0) == {one: []}
    store.set_state(paused, "running", 7.0)
    assert [row.number for row in store.claim([(one, 5)], 10.0)[one]] == [1, 2]


def test_queues_come_page_by_page(store, kit):
    for name in ("a", "b"):
        kit.campaign(store, name, rows=[kit.row(n, f"d{n}.example") for n in range(1, 6)])
    queues = [queue for queue, _, _ in store.backlog(0, 100)]
    assert len(queues) == 10
    assert [row[0] for row in store.backlog(queues[3], 4)] == queues[4:8]
    rows = [row for got in store.claim([(queue, 1) for queue in queues], 5.0).values() for row in got]
    store.settle([kit.outcome(row, "deferred", next_at=100.0 + at // 2) for at, row in enumerate(rows)])
    pages, after = [], (-1.0, 0)
    while page := store.due_queues(1000.0, 3, after):
        pages += page
        after = (page[-1][3], page[-1][0])
    assert [(row[3], row[0]) for row in pages] == sorted((100.0 + at // 2, queue) for at, queue in enumerate(queues))


def test_an_unknown_queue_gives_nothing(store):
    assert store.claim([(77, 5)], 1.0) == {77: []}


def test_a_claim_that_cannot_be_written_claims_nothing(store, kit):
    kit.campaign(store, rows=[kit.row(n, f"d{n}.example") for n in range(1, 500)])
    queues = [(queue, 1) for queue, _, _ in store.backlog(0, 1000)]
    kit.fill_disk(store)
    with pytest.raises(OwnFault, match=kit.FULL):
        store.claim(queues, 5.0)
    assert store.claimed == 0
    kit.check_laws(store)
    kit.free_disk(store)
    assert len(store.claim(queues, 5.0)) == 499
    kit.check_laws(store)


def test_nobody_waits_until_a_time_that_no_clock_of_ours_can_have_meant(store, kit):
    """A clock that was set back after it had put them off."""
    kit.campaign(store, rows=[kit.row(n, f"d{n}.example") for n in range(1, 4)])
    queues = [queue for queue, _, _ in store.backlog(0, 10)]
    claimed = [row for rows in store.claim([(queue, 1) for queue in queues], 5.0).values() for row in rows]
    store.settle(
        [kit.outcome(row, "deferred", next_at=at) for row, at in zip(claimed, (50.0, 900.0, 9000.0), strict=True)]
    )
    store.bring_forward(900.0)
    kit.check_laws(store)
    assert [(queue, at) for queue, _, _, at in store.due_queues(10_000.0, 10)] == list(
        zip(queues, (50.0, 900.0, 900.0), strict=True)
    )


class Model(RuleBasedStateMachine):
    """Anything in any order, and death in between."""

    kit = None
    fresh = None  # makes the address of an empty PostgreSQL

    def __init__(self):
        super().__init__()
        self.life = self.kit.Life(self.kit, self.fresh() if self.fresh else None)
        self.claimed = {}
        self.dotted = {}  # id -> what was journalled as its reply, None when only the dot
        self.over = set()
        self.dates = {}
        self.past = []
        self.inputs = Counter()

    def teardown(self):
        self.life.end()

    @property
    def store(self):
        return self.life.store

    @initialize(keep=st.booleans())
    def begin(self, keep):
        self.ids = [
            self.kit.campaign(self.store, "one", on_unknown="keep" if keep else "retry", key=b""),
            self.kit.campaign(self.store, "two", key=b""),
        ]
        self.keys = [row.key for row in self.store.campaigns()]

    @rule(
        which=st.integers(0, 1),
        rows=st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["ok", "ok", "held", "invalid"])), max_size=5),
    )
    def add(self, which, rows):
        identity = self.ids[which]
        first = self.inputs[identity] + 1
        self.store.add_rows(
            identity,
            [self.kit.row(first + at, f"{name}.example", verdict) for at, (name, verdict) in enumerate(rows)],
            None,
            done=False,
        )
        self.inputs[identity] += len(rows)

    @rule(which=st.integers(0, 1), numbers=st.lists(st.tuples(st.integers(1, 12), st.booleans()), max_size=4))
    def settle_held(self, which, numbers):
        self.store.settle_held(self.ids[which], [(n, twice, "") for n, twice in numbers], self.life.now)

    @rule(
        limits=st.lists(st.integers(0, 4), min_size=1, max_size=5), seconds=st.sampled_from([0.0, 1.0, 700.0, 5000.0])
    )
    def claim(self, limits, seconds):
        self.life.now += seconds
        now = self.life.now
        queues = [row[0] for row in self.store.due_queues(now, 10)] + [row[0] for row in self.store.backlog(0, 10)]
        for rows in self.store.claim(list(zip(queues, limits, strict=False)), now).values():
            for row in rows:
                assert row.id not in self.claimed, "claimed twice at once"
                assert row.id not in self.over, "claimed again after its end"
                assert self.dates.setdefault(row.id, row.date) == row.date, "the Date has changed"
                self.claimed[row.id] = row

    def pick(self, data):
        return self.claimed[data.draw(st.sampled_from(sorted(self.claimed)))]

    @precondition(lambda self: self.claimed)
    @rule(data=st.data())
    def dot(self, data):
        row = self.pick(data)
        if row.id not in self.dotted:
            self.life.journal.dot(row.id, row.attempts + 1)
            self.dotted[row.id] = None

    @precondition(lambda self: any(reply is None for reply in self.dotted.values()))
    @rule(data=st.data(), status=st.sampled_from(["delivered", "deferred", "bounced"]))
    def reply(self, data, status):
        row = self.claimed[data.draw(st.sampled_from(sorted(i for i, reply in self.dotted.items() if reply is None)))]
        settlement = self.kit.outcome(row, status, at=self.life.now)
        self.life.journal.reply(row.id, row.attempts + 1, settlement.packed())
        self.dotted[row.id] = settlement

    @precondition(lambda self: any(reply is None for reply in self.dotted.values()))
    @rule(data=st.data())
    def free(self, data):
        row = self.claimed[data.draw(st.sampled_from(sorted(i for i, reply in self.dotted.items() if reply is None)))]
        self.life.journal.free(row.id, row.attempts + 1)
        del self.dotted[row.id]

    @precondition(lambda self: self.claimed)
    @rule(
        data=st.data(), statuses=st.lists(st.sampled_from(["delivered", "deferred", "bounced", "unknown"]), max_size=4)
    )
    def settle(self, data, statuses):
        batch = {}
        for status in statuses:
            row = self.pick(data)
            batch[row.id] = self.dotted.get(row.id) or self.kit.outcome(row, status, at=self.life.now)
        assert self.store.settle([*batch.values(), *self.past]) == len(batch), "an outcome of the past was taken"
        self.past = (self.past + list(batch.values()))[-5:]
        self.life.journal.settled(batch)
        for identity, settlement in batch.items():
            self.let_go(identity, settlement.status)

    def let_go(self, identity, status):
        del self.claimed[identity]
        self.dotted.pop(identity, None)
        if status not in ("pending", "deferred"):
            self.over.add(identity)

    @precondition(lambda self: self.claimed.keys() - self.dotted.keys())
    @rule(data=st.data(), seconds=st.sampled_from([0.0, 300.0]))
    def release(self, data, seconds):
        identity = data.draw(st.sampled_from(sorted(self.claimed.keys() - self.dotted.keys())))
        assert self.store.release([self.claimed[identity]], seconds and self.life.now + seconds) == 1
        self.let_go(identity, "pending")

    @rule(which=st.integers(0, 1), state=st.sampled_from(["running", "paused"]))
    def pause(self, which, state):
        self.store.set_state(self.ids[which], state, self.life.now)

    @rule(which=st.integers(0, 1), limit=st.integers(1, 3))
    def cancel(self, which, limit):
        before = statuses_by_id(self.life)
        self.store.cancel_rows(self.ids[which], limit, self.life.now)
        self.over |= {i for i, status in statuses_by_id(self.life).items() if status != before[i]}
        assert not self.over & self.claimed.keys()

    @rule(
        which=st.integers(0, 1),
        numbers=st.lists(st.integers(1, 12), min_size=1, max_size=4),
        event=st.builds(
            LateEvent,
            result=st.sampled_from(LateResult),
            at=st.just(3000.0),
            status=st.sampled_from(["bounced", "bounced", "blocked", ""]),
            key=st.sampled_from("abc"),
        ),
    )
    def come_back(self, which, numbers, event):
        before = statuses_by_id(self.life)
        arrivals = [Arrival(token(self.keys[which], number), event, AutoSuppression()) for number in numbers]
        recorded = self.store.record_late(arrivals)
        assert [one.found is not None for one in recorded] == [n <= self.inputs[self.ids[which]] for n in numbers]
        assert not any(one.kept for one in self.store.record_late(arrivals)), "twice is once"
        self.check_overwritten(before, recorded)

    @precondition(lambda self: self.claimed)
    @rule(
        data=st.data(),
        status=st.sampled_from(["delivered", "unknown", "blocked"]),
        before=st.booleans(),
        all_=st.booleans(),
    )
    def settle_and_come_back(self, data, status, before, all_):
        """A report that comes just before, or after, the outcomes of its rows are stored."""
        rows = list(self.claimed.values()) if all_ else [self.pick(data)]
        rows = [row for row in rows if row.id not in self.dotted]
        for settles in (not before, before):
            if settles:
                self.store.settle([self.kit.outcome(row, status, at=self.life.now) for row in rows])
                for row in rows:
                    self.let_go(row.id, status)
            else:
                now = statuses_by_id(self.life)
                tokens = [token(self.keys[self.ids.index(row.campaign_id)], row.number) for row in rows]
                arrivals = [Arrival(one, RETURNED, AutoSuppression()) for one in tokens]
                self.check_overwritten(now, self.store.record_late(arrivals))

    @rule(limit=st.integers(1, 3))
    def judge_late(self, limit):
        before = statuses_by_id(self.life)
        self.check_overwritten(before, self.store.settle_late(limit))

    def check_overwritten(self, before, recorded):
        """Only what was told has changed: rows that had ended as delivered or unknown, to a failure."""
        after = statuses_by_id(self.life)
        changed = {
            identity: (before[identity], status) for identity, status in after.items() if before[identity] != status
        }
        told = {
            recipient_id(one.found.campaign_id, one.found.number): (one.before[1], one.after[1])
            for one in recorded
            if one.after is not None
        }
        assert changed == told
        assert {pair[0] for pair in told.values()} <= {"delivered", "unknown"}
        assert {pair[1] for pair in told.values()} <= {"bounced", "blocked"}

    @rule(reboot=st.booleans())
    def die(self, reboot):
        before = statuses_by_id(self.life)
        self.life.die(reboot=reboot)
        found = statuses_by_id(self.life)
        changed = {identity for identity, status in found.items() if status != before[identity]}
        assert changed <= self.claimed.keys()
        summary = self.life.recovered
        assert summary.replied + summary.ambiguous + summary.returned == len(self.claimed)
        keeps = {row.id for row in self.store.campaigns() if row.on_unknown == "keep"}
        for identity, row in self.claimed.items():
            settlement = self.dotted.get(identity)
            if settlement is not None:
                expected = settlement.status
            elif identity in self.dotted or reboot:
                expected = "unknown" if campaign_of(identity) in keeps else "deferred"
            else:
                expected = row.status
            assert found[identity] == expected
            if expected not in ("pending", "deferred"):
                self.over.add(identity)
        self.claimed.clear()
        self.dotted.clear()

    @invariant()
    def laws_hold(self):
        places = self.kit.check_laws(self.store)
        assert {identity for identity, place in places.items() if place == "claimed"} == self.claimed.keys()
        assert {identity for identity, place in places.items() if place == "final"} >= self.over
        assert Counter(campaign_of(identity) for identity in places) == +self.inputs
        unsettled = len(self.dotted)
        segments = os.listdir(os.path.join(self.life.directory, "journal"))
        assert len(segments) <= unsettled + 1, "the journal grows"


def statuses_by_id(life):
    sql = "SELECT r.id, coalesce(o.status, 'pending') FROM recipient r LEFT JOIN outcome o ON o.recipient_id = r.id"
    return dict(life.kit.asked(life.store, sql))


@pytest.mark.parametrize(("where", "share"), [("file", 0.6), ("postgres", 0.1)])
def test_any_history_keeps_every_row_in_one_place(kit, request, where, share):
    class Spooled(Model):
        pass

    Spooled.kit = kit
    if where == "postgres":
        Spooled.fresh = staticmethod(request.getfixturevalue("pg_server").fresh)
    examples = int(settings.default.max_examples * share)
    run_state_machine_as_test(
        Spooled,
        settings=settings(max_examples=examples, stateful_step_count=30, suppress_health_check=list(HealthCheck)),
    )


def test_a_dot_of_a_row_that_came_back_proves_nothing(life, claimed, kit):
    row = claimed[3]
    life.journal.dot(row.id, 1)
    life.store.release([row], 0.0)
    life.die()
    assert (life.recovered.ambiguous, life.recovered.returned) == (0, 3)
