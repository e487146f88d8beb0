from __future__ import annotations

import pytest
from twisted.internet.defer import ensureDeferred
from twisted.logger import capturedLogs

from bulkmail.mail import OwnFault
from bulkmail.spool import Journal, Settlement, SqliteStore
from bulkmail.spool.outcomes import FLUSH_AFTER, FLUSH_ROWS, RETRY_AFTER, Outcomes, settle_all
from bulkmail.spool.writer import Writer


class World:
    """A store in the writer's thread with 1,200 claimed rows, and the buffer in front of it."""

    def __init__(self, reactor, kit, directory):
        self.reactor = reactor
        self.writer = Writer(reactor)
        self.store = self.run(SqliteStore)
        self.journal = Journal.open(str(directory))
        self.faults = []
        self.outcomes = Outcomes(self.store, self.journal, self.writer, reactor, on_fault=self.faults.append)
        self.kit = kit
        self.campaign = self.run(lambda: kit.campaign(self.store, rows=[kit.row(n) for n in range(1, 1201)]))
        self.queue = self.run(lambda: self.store.backlog(0, 1))[0][0]
        self.rows = self.run(lambda: self.store.claim([(self.queue, 1200)], 5.0))[self.queue]

    def run(self, work):
        return self.reactor.wait(self.writer.call(work))

    def pending(self):
        return self.run(lambda: self.store.totals(self.campaign)).get(("", "pending", ""), 0)

    def close(self):
        self.run(lambda: self.kit.check_laws(self.store))
        self.run(self.store.close)
        self.reactor.wait(self.writer.stop())
        self.journal.close()


@pytest.fixture
def world(reactor, kit, tmp_path):
    made = World(reactor, kit, tmp_path)
    yield made
    made.close()


def test_a_few_outcomes_wait_a_quarter_of_a_second(world, reactor, kit):
    done = [world.outcomes.add((kit.outcome(row),)) for row in world.rows[:3]]
    assert len(world.outcomes) == 3
    reactor.advance(FLUSH_AFTER - 0.01)
    assert world.pending() == 1200
    reactor.advance(0.01)
    for deferred in done:
        assert reactor.wait(deferred) is None
    assert (world.pending(), len(world.outcomes)) == (1197, 0)


def test_five_hundred_do_not_wait(world, reactor, kit):
    done = [world.outcomes.add((kit.outcome(row),)) for row in world.rows[:FLUSH_ROWS]]
    reactor.wait(done[-1])
    assert world.pending() == 1200 - FLUSH_ROWS
    assert reactor.seconds() == 0


def test_what_comes_while_a_batch_is_written_is_the_next_batch(world, reactor, kit):
    for row in world.rows[:FLUSH_ROWS]:
        world.outcomes.add((kit.outcome(row),))
    for row in world.rows[FLUSH_ROWS:1100]:
        world.outcomes.add((kit.outcome(row),))
    last = world.outcomes.add((kit.outcome(world.rows[1100]),))
    assert len(world.outcomes) == 1101
    reactor.wait(last)
    assert world.pending() == 99
    assert reactor.seconds() == 0


def test_the_journal_lets_go_of_what_is_durable(world, reactor, kit):
    for row in world.rows[:2]:
        world.journal.dot(row.id, 1)
    world.outcomes.add((kit.outcome(world.rows[0]),))
    assert "unsettled=2" in repr(world.journal)
    reactor.wait(world.outcomes.flushed())
    assert "unsettled=1" in repr(world.journal)
    reactor.wait(world.outcomes.add([(world.rows[1].id, 0.0)]) and world.outcomes.flushed())
    assert "unsettled=0" in repr(world.journal)


def test_a_full_disk_keeps_everything_and_goes_on_alone(world, reactor, kit):
    world.run(lambda: kit.fill_disk(world.store))
    done = [world.outcomes.add((kit.outcome(row, "deferred"),)) for row in world.rows[:FLUSH_ROWS]]
    while not world.faults:
        reactor.pump()
    assert isinstance(world.outcomes.fault, OwnFault)
    later = world.outcomes.add([(world.rows[700].id, 0.0)])
    assert len(world.outcomes) == FLUSH_ROWS + 1
    reactor.advance(RETRY_AFTER)
    reactor.pump()
    assert len(world.faults) == 1, "said once"
    assert not any(deferred.called for deferred in done)
    world.run(lambda: kit.free_disk(world.store))
    reactor.advance(RETRY_AFTER)
    reactor.wait(later)
    assert all(deferred.called for deferred in done)
    assert world.faults[1:] == [None]
    assert world.outcomes.fault is None
    assert world.pending() == 1200 - FLUSH_ROWS


def test_one_wrong_settlement_does_not_keep_the_others(world, reactor, kit):
    wrong = kit.outcome(world.rows[1])._replace(status="sent")
    done = [world.outcomes.add((item,)) for item in (kit.outcome(world.rows[0]), wrong, kit.outcome(world.rows[2]))]
    flushed = world.outcomes.flushed()
    with pytest.raises(ValueError, match="'sent' is not a status"):
        reactor.wait(done[1])
    reactor.wait(flushed)
    reactor.wait(done[2])
    assert world.pending() == 1198
    assert world.outcomes.fault is None


def test_a_wrong_one_for_which_nobody_waits_is_logged(world, reactor, kit):
    wrong = kit.outcome(world.rows[1])._replace(status="sent")
    with capturedLogs() as logs:
        for item in (kit.outcome(world.rows[0]), wrong, kit.outcome(world.rows[2])):
            world.outcomes.note(item)
        reactor.wait(world.outcomes.flushed())
    assert world.pending() == 1198
    assert [log["item"] for log in logs] == [wrong]


def test_nothing_to_do_is_done_at_once(world, reactor):
    assert reactor.wait(world.outcomes.add(())) is None
    assert reactor.wait(world.outcomes.flushed()) is None


def test_the_last_try_at_the_close(world, reactor, kit):
    done = [world.outcomes.add((kit.outcome(row),)) for row in world.rows]
    reactor.wait(ensureDeferred(world.outcomes.close()))
    assert all(deferred.called for deferred in done)
    assert world.pending() == 0
    assert not reactor.getDelayedCalls()


def test_a_fault_while_sorting_out_the_wrong_ones_is_a_fault():
    class Store:
        def settle(self, settlements, given_back=()):
            if len(settlements) > 1:
                raise ValueError("one of them")
            raise OwnFault("disk full")

    with pytest.raises(OwnFault):
        settle_all(Store(), [Settlement(1, 1, "delivered"), Settlement(2, 1, "delivered")])
