from __future__ import annotations

import pytest
from twisted.internet.defer import ensureDeferred
from twisted.logger import capturedLogs

from bulkmail.mail import OwnFault
from bulkmail.spool import Reader, SiteFact, open_spool
from tests.retrying import RetryPlan


class World:
    def __init__(self, reactor, kit, directory):
        self.reactor = reactor
        self.kit = kit
        self.directory = str(directory)
        self.faults = []
        self.open()

    def open(self):
        opening = open_spool(
            self.directory,
            self.reactor,
            clock=lambda: 5000.0 + self.reactor.seconds(),
            retry=RetryPlan(),
            on_fault=self.faults.append,
        )
        self.spool = self.wait(opening)

    def wait(self, awaitable):
        return self.reactor.wait(ensureDeferred(awaitable))

    def campaign(self, rows):
        spool, wait = self.spool, self.reactor.wait
        made = wait(
            spool.create_campaign("spring", "/c", key=b"k" * 32, content={}, digests={}, files=[("r.csv", [])], now=1.0)
        )
        wait(spool.add_rows(made.id, rows, None, done=True, now=1.0))
        wait(spool.set_state(made.id, "running", 2.0))
        return made.id

    def in_thread(self, work):
        return self.reactor.wait(self.spool._writer.call(work))


@pytest.fixture
def world(reactor, kit, tmp_path):
    made = World(reactor, kit, tmp_path / "spool")
    yield made
    if not made.spool._closed:
        made.wait(made.spool.close())


def test_a_recipients_whole_way(world, reactor, kit):
    identity = world.campaign([kit.row(1)])
    [(queue, _, _)] = reactor.wait(world.spool.backlog(0, 10))
    [claimed] = reactor.wait(world.spool.claim(queue, 5))
    assert claimed.date == 5000.0
    world.spool.journal.dot(claimed.id, 1)
    done = world.spool.settle(kit.outcome(claimed))
    assert world.spool.unsettled == 1
    reactor.advance(0.25)
    reactor.wait(done)
    assert world.spool.unsettled == 0
    assert reactor.wait(world.spool.totals(identity)) == {("", "delivered", ""): 1}
    reader = Reader(world.directory)
    assert [row[4] for row in reader.recipients(identity, 0, 9)] == ["delivered"]
    reader.close()
    assert "unsettled=0" in repr(world.spool)


def test_claims_that_come_together_are_one_transaction(world, reactor, kit, monkeypatch):
    world.campaign([kit.row(n, f"d{n % 3}.example") for n in range(1, 31)])
    queues = [queue for queue, _, _ in reactor.wait(world.spool.backlog(0, 10))]
    asked = []
    claim = world.spool._store.claim
    monkeypatch.setattr(world.spool._store, "claim", lambda wanted, now: asked.append(wanted) or claim(wanted, now))
    a, b, c = queues
    answers = [world.spool.claim(queue, limit) for queue, limit in ((a, 2), (b, 3), (a, 1))]
    reactor.advance(0)
    answers += [world.spool.claim(queue, 4) for queue in (c, a)]
    got = [[row.number for row in reactor.wait(answer)] for answer in answers]
    assert asked == [[(a, 3), (b, 3)], [(c, 4), (a, 4)]]
    assert got == [[1, 4], [2, 5, 8], [7], [3, 6, 9, 12], [10, 13, 16, 19]]


def test_a_claim_that_finds_less_gives_less(world, reactor, kit):
    world.campaign([kit.row(1), kit.row(2), kit.row(3)])
    [(queue, _, _)] = reactor.wait(world.spool.backlog(0, 10))
    answers = [world.spool.claim(queue, 2) for _ in range(3)]
    assert [len(reactor.wait(answer)) for answer in answers] == [2, 1, 0]


def test_rows_given_back_can_be_claimed_again(world, reactor, kit):
    world.campaign([kit.row(1), kit.row(2)])
    [(queue, _, _)] = reactor.wait(world.spool.backlog(0, 10))
    first, second = reactor.wait(world.spool.claim(queue, 2))
    back = world.spool.release([first, second.id])
    reactor.wait(world.spool.flushed())
    assert back.called
    reactor.advance(10)
    assert reactor.wait(world.spool.claim(queue, 2)) == [first, second]


def test_on_a_full_disk_claims_fail_and_outcomes_wait(world, reactor, kit):
    identity = world.campaign([kit.row(n, f"d{n}.example") for n in range(1, 801)])
    queues = [queue for queue, _, _ in reactor.wait(world.spool.backlog(0, 400))]
    answers = [world.spool.claim(queue, 1) for queue in queues]
    rows = [row for answer in answers for row in reactor.wait(answer)]
    world.in_thread(lambda: kit.fill_disk(world.spool._store))
    more = [world.spool.claim(queue, 1) for queue, _, _ in reactor.wait(world.spool.backlog(queues[-1], 400))]
    with pytest.raises(OwnFault, match="full"):
        [reactor.wait(answer) for answer in more]
    for answer in more:
        answer.addErrback(lambda failure: failure.trap(OwnFault))
    done = [world.spool.settle(kit.outcome(row, "deferred")) for row in rows]
    world.spool.flushed()
    while not world.faults:
        reactor.pump()
    assert world.spool.fault is world.faults[0]
    with pytest.raises(OwnFault, match="full"):
        reactor.wait(world.spool.claim(queues[0], 1))
    world.in_thread(lambda: kit.free_disk(world.spool._store))
    reactor.advance(5)
    reactor.wait(done[-1])
    assert world.faults[1:] == [None]
    assert reactor.wait(world.spool.totals(identity)) == {("", "pending", ""): 400, ("", "deferred", ""): 400}
    world.in_thread(lambda: kit.check_laws(world.spool._store))


def test_a_claim_writes_what_a_fault_has_kept_before_it_takes_anything(world, reactor, kit):
    identity = world.campaign([kit.row(n, f"d{n}.example") for n in range(1, 402)])
    *queues, last = [queue for queue, _, _ in reactor.wait(world.spool.backlog(0, 401))]
    answers = [world.spool.claim(queue, 1) for queue in queues]
    rows = [row for answer in answers for row in reactor.wait(answer)]
    world.in_thread(lambda: kit.fill_disk(world.spool._store))
    kept = [world.spool.settle(kit.outcome(row, "deferred")) for row in rows]
    world.spool.flushed()
    while not world.faults:
        reactor.pump()
    world.in_thread(lambda: kit.free_disk(world.spool._store))
    assert len(reactor.wait(world.spool.claim(last, 1))) == 1
    assert all(one.called for one in kept)
    assert world.faults[1:] == [None]
    assert reactor.wait(world.spool.totals(identity)) == {("", "pending", ""): 1, ("", "deferred", ""): 400}


def test_an_outcome_for_which_nobody_waits_is_stored_all_the_same(world, reactor, kit):
    identity = world.campaign([kit.row(1), kit.row(2)])
    [(queue, _, _)] = reactor.wait(world.spool.backlog(0, 10))
    first, second = reactor.wait(world.spool.claim(queue, 2))
    world.spool.note(kit.outcome(first))
    assert world.spool.unsettled == 1
    reactor.advance(0.25)
    while world.spool.unsettled:
        reactor.pump()
    assert reactor.wait(world.spool.totals(identity)) == {("", "delivered", ""): 1, ("", "pending", ""): 1}
    world.wait(world.spool.close())
    with capturedLogs() as logs:
        world.spool.note(kit.outcome(second))
    assert [log["item"].recipient_id for log in logs] == [second.id]
    world.open()


def test_closing_writes_what_is_left_and_answers_open_claims(world, reactor, kit):
    identity = world.campaign([kit.row(1), kit.row(2)])
    [(queue, _, _)] = reactor.wait(world.spool.backlog(0, 10))
    [row] = reactor.wait(world.spool.claim(queue, 1))
    done = world.spool.settle(kit.outcome(row))
    claim = world.spool.claim(queue, 1)
    spool = world.spool
    world.wait(spool.close())
    assert done.called
    assert len(reactor.wait(claim)) == 1
    for refused in (spool.claim(queue, 1), spool.settle(kit.outcome(row)), spool.release([row]), spool.backlog(0, 9)):
        with pytest.raises(OwnFault, match="closed"):
            reactor.wait(refused)
    world.open()
    assert world.spool.recovered.returned == 1, "claimed in the last moment and never sent"
    assert reactor.wait(world.spool.totals(identity)) == {("", "delivered", ""): 1, ("", "pending", ""): 1}


def test_what_could_not_be_written_at_the_close_is_found_in_the_journal(world, reactor, kit):
    identity = world.campaign([kit.row(n, f"d{n}.example") for n in range(1, 301)])
    rows = []
    for answer in [world.spool.claim(queue, 1) for queue, _, _ in reactor.wait(world.spool.backlog(0, 300))]:
        rows += reactor.wait(answer)
    world.in_thread(lambda: kit.fill_disk(world.spool._store))
    for row in rows:
        settlement = kit.outcome(row)
        world.spool.journal.dot(row.id, 1)
        world.spool.journal.reply(row.id, 1, settlement.packed())
        world.spool.note(settlement)
    with pytest.raises(OwnFault, match="full"):
        world.wait(world.spool.close())
    world.open()
    assert world.spool.recovered.replied == 300
    assert reactor.wait(world.spool.totals(identity)) == {("", "delivered", ""): 300}


def test_what_sites_taught_is_there_after_a_restart(world):
    fact = SiteFact("mx.a.example~1f", "messages", 20.0, 4000.0, 9000.0)
    world.wait(world.spool.remember([fact, fact._replace(site="b", expires_at=4999.0)], []))
    world.wait(world.spool.close())
    world.open()
    assert world.wait(world.spool.site_facts(5000.0)) == [fact]
