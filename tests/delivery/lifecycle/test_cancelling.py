"""Every row of a cancelled campaign has one final status; the spool is real, in memory."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred

from bulkmail.delivery.lifecycle import cancelling as module
from bulkmail.delivery.lifecycle.cancelling import AtRest, settle_rest
from bulkmail.mail import OwnFault, Problem, Refused
from bulkmail.spool import CancelRequest


def cancel(one, run):
    one.store.request_cancel(CancelRequest(run.id, "", "ann", one.wall()))
    one.feeder.take_back(run)


def settling(one, run, stopping=lambda: False):
    got = []
    work = settle_rest(run, spool=one.spool, clocks=one.clocks, stopping=stopping, changed=lambda _: None)
    Deferred.fromCoroutine(work).addBoth(got.append)
    return got


def test_what_is_on_the_wire_ends_and_all_others_are_cancelled(world, fast, monkeypatch):
    monkeypatch.setattr(module, "_ROWS", 50)
    one = world(settings=fast())
    run = one.campaign({"a.example": 300, "b.example": 300, "c.example": 20})
    one.farm.obliging()
    one.routes["c.example"] = OwnFault("no answer")
    one.start()
    one.until(lambda: len(one.farm.sent) > 100)
    cancel(one, run)
    got = settling(one, run)
    one.until(lambda: got, 60)
    assert got == [True]
    sent = len({identity for identity, *_ in one.farm.sent})
    assert one.statuses(run) == {"delivered": sent, "cancelled": 620 - sent}
    assert run.by_status["cancelled"] == 620 - sent
    assert run.complete
    assert one.feeder.held == 0


def test_rows_that_come_back_deferred_or_in_doubt_meanwhile_are_ended_too(world, fast):
    one = world(settings=fast())
    run = one.campaign({"a.example": 40})
    one.farm.connects, one.farm.answers = True, lambda connection: connection.dot()
    one.farm.follows = False
    one.start()
    one.until(lambda: one.farm.sent, 10)
    one.farm.open[0].lose()
    one.until(lambda: one.farm.sent[1:], 10)
    cancel(one, run)
    got = settling(one, run)
    one.run(5.0)
    assert not got, "it waits for what is on a connection"
    busy = [connection for connection in one.farm.open if connection.busy]
    assert busy
    for connection in busy:
        connection.settle(*one_deferred())
        connection.close(None, None, "bye")
    one.until(lambda: got, 30)
    statuses = one.statuses(run)
    assert statuses["unknown"] == 1, "a copy of it may have arrived"
    assert statuses == {"unknown": 1, "cancelled": 39}
    assert one.store.attempts_after(run.id, 0) == 1 + len(busy)


def one_deferred():
    from bulkmail.mail import Fate, Reply, Stage

    return Fate.REFUSED, Stage.DOT, Reply(451, ("4.3.0 later",))


def test_a_fault_of_the_disk_is_waited_for_and_an_end_of_the_process_is_not(world):
    one = world()
    run = one.campaign({"a.example": 30})
    cancel(one, run)
    one.disk.fault = OwnFault("the disk is full")
    stopping = []
    got = settling(one, run, lambda: bool(stopping))
    one.run(20.0)
    assert not got
    stopping.append(True)
    one.run(6.0)
    assert got == [False]
    one.disk.fault = None
    stopping.clear()
    got = settling(one, run)
    one.run(2.0)
    assert got == [True]
    assert one.statuses(run) == {"cancelled": 30}


class Reporting:
    def __init__(self):
        self.opened, self.finished, self.writes = [], [], True

    def open(self, run, place, files, domain, position):
        self.opened.append((run.name, place.path, files, domain, position))

    def changed(self, run):
        pass

    async def finish(self, run, state, exit_status, _):
        self.finished.append((run.name, state, exit_status, {k: n for k, n in run.by_status.items() if n}))
        return self.writes


class Importing:
    """Reads ten more rows."""

    refuses = False

    def __init__(self, *, spool, run, stored, **_):
        self.spool, self.run, self.stored = spool, run, stored

    async def open(self):
        if self.refuses:
            raise Refused([Problem("r.csv", 0, 0, "the part already read has changed")])

    async def import_all(self):
        rows = [(n, 0, n, f"u{n}@b.example", "b.example", "[]", "ok", "") for n in range(31, 41)]
        await self.spool.add_rows(self.run.id, rows, {}, True, 5.0)
        self.run.input_rows += 10
        self.run.import_done = True
        self.stored(self.run)

    def close(self):
        pass

    def stop(self):
        pass


@pytest.fixture
def rest(world, monkeypatch):
    one = world()
    made = SimpleNamespace(one=one, reporting=Reporting(), importing=type("Reads", (Importing,), {}))
    monkeypatch.setattr(module, "Importing", lambda **given: made.importing(**given))  # noqa: PLW0108 - it is exchanged
    monkeypatch.setattr(module, "reading_job", lambda *_: {})
    made.run = one.campaign({"a.example": 30}, run=False)
    content = {**one.store.content(made.run.id), "from": "Shop <s@me.example>"}
    one.store.update_content(made.run.id, content, {}, [("r.csv", ["email"])])
    one.store.request_cancel(CancelRequest(made.run.id, "", "", one.wall()))
    made.at_rest = AtRest(
        reactor=one.clock,
        spool=one.spool,
        clocks=one.clocks,
        reporting=made.reporting,
        suppress=[],
        scratch="/scratch",
    )

    def end(prepared):
        got = []
        Deferred.fromCoroutine(made.at_rest.end(one.store.campaign("spring"), prepared)).addBoth(got.append)
        one.until(lambda: got, 30)
        return got[0]

    made.end = end
    return made


PREPARED = SimpleNamespace(campaign=SimpleNamespace(opened=SimpleNamespace(id=None)))


def test_a_campaign_that_is_not_sent_is_read_to_its_end_settled_and_reported(rest):
    assert rest.end(PREPARED) is True
    assert rest.reporting.opened == [("spring", "/campaigns/spring/report", [("r.csv", ["email"])], "me.example", None)]
    assert rest.reporting.finished == [("spring", "cancelled", 3, {"cancelled": 40})]
    row = rest.one.store.campaign("spring")
    assert (row.state, row.exit_status) == ("cancelled", 3)
    assert rest.one.store.has_whole_report(row.id)


@pytest.mark.parametrize("prepared", [None, PREPARED], ids=["the folder is gone", "the list has changed"])
def test_where_the_list_cannot_be_read_any_more_what_is_known_is_settled(rest, prepared):
    rest.importing.refuses = True
    assert rest.end(prepared) is True
    assert rest.reporting.finished == [("spring", "cancelled", 3, {"cancelled": 30})]


def test_a_report_that_cannot_be_written_is_not_whole(rest):
    rest.reporting.writes = False
    assert rest.end(None) is False
    row = rest.one.store.campaign("spring")
    assert row.state == "cancelled"
    assert not rest.one.store.has_whole_report(row.id)
