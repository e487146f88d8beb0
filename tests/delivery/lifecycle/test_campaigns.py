from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from bulkmail.campaign import sender_domain
from bulkmail.content import Composer
from bulkmail.delivery.lifecycle import list_reading as module
from bulkmail.delivery.lifecycle.accepting import Accepting
from bulkmail.delivery.lifecycle.campaigns import Campaigns
from bulkmail.delivery.lifecycle.cancelling import AtRest
from bulkmail.delivery.lifecycle.each_second import EachSecond
from bulkmail.delivery.lifecycle.ending import Ending
from bulkmail.delivery.lifecycle.first_round import FirstRound
from bulkmail.delivery.lifecycle.list_reading import ListReading
from bulkmail.delivery.lifecycle.opening import Report
from bulkmail.delivery.lifecycle.own_stops import OwnStops
from bulkmail.delivery.lifecycle.preparing import prepare
from bulkmail.delivery.lifecycle.progress import Progress
from bulkmail.delivery.lifecycle.refusals import Refusals
from bulkmail.delivery.lifecycle.scheduling import Scheduling
from bulkmail.delivery.lifecycle.steering import Steering
from bulkmail.delivery.lifecycle.stopping import Stopping
from bulkmail.delivery.lifecycle.taking_up import TakingUp
from bulkmail.mail import OwnFault, Problem, Refused, message_id
from bulkmail.report import Place
from bulkmail.settings import Settings


class FakeReporting:
    """Writes nothing; remembers what it was told."""

    def __init__(self):
        self.opened, self.finished, self.left = {}, [], []
        self.writes = True

    def report_of(self, campaign):
        return Report(Place(campaign.folder, "report", campaign.opened.id))

    def open(self, run, place, files, domain, position):
        self.opened[run.id] = (place.path, files, domain, position)

    def changed(self, run):
        pass

    async def finish(self, run, state, exit_status, ended_at):
        self.finished.append((run.name, state, exit_status, dict(run.by_status)))
        return self.writes

    async def leave(self, run):
        self.left.append(run.name)


class FakeNotifying:
    """What a scene is told of campaigns: their starts, stops and ends."""

    def __init__(self):
        self.noticed = []

    def begun(self, run, campaign, *, first):
        self.noticed.append((run.name, "start" if first else "again"))

    def stopped(self, run, why):
        self.noticed.append((run.name, why))

    def ended(self, run, state):
        self.noticed.append((run.name, state))


class FakeImporting:
    """Stores the scene's rows, half of them at a time."""

    def __init__(self, scene, *, run, job, stored, **_):
        self.scene, self.run, self.job, self.stored = scene, run, job, stored
        self.stopped = self.closed = False
        scene.imports.append(self)

    async def _wait(self, seconds):
        waited = Deferred()
        self.scene.one.clock.callLater(seconds, waited.callback, None)
        await waited

    async def open(self):
        await self._wait(self.scene.open_takes)
        if self.scene.refuse:
            raise Refused([Problem("r.csv", 2, 0, "the part already read has changed")])
        return []

    async def import_all(self):
        rows, run = self.scene.rows, self.run
        half = len(rows) // 2
        for start, part in ((0, rows[:half]), (half, rows[half:])):
            await self._wait(0.1)
            if self.stopped:
                return
            if self.scene.broken and start:
                raise self.scene.broken
            self.scene.one.add(run.id, part, first=start + 1)
            run.input_rows += len(part)
            self.stored(run)
        run.import_done = True
        self.stored(run)

    def stop(self):
        self.stopped = True

    def close(self):
        self.closed = True


class Scene:
    def __init__(self, world, monkeypatch, folder, *, once=False, rehearsal=False, **options):
        self.one = one = world(**options)
        self.rows = ["a.example"] * 20
        self.open_takes, self.refuse, self.broken = 0.01, False, None
        self.imports = []
        self.notifying = FakeNotifying()
        monkeypatch.setattr(module, "changed_lists", self.changed_lists)
        monkeypatch.setattr(module, "Importing", lambda **given: FakeImporting(self, **given))
        self.reporting = FakeReporting()
        one.pool.set_up = lambda key, job: self.setups.append(("set", key, job[0]))
        one.pool.tear_down = lambda key, job: self.setups.append(("tear", key, job[0]))

        async def close():
            self.setups.append("closed")

        one.pool.close = close
        self.setups = []
        self.steering = Steering(
            spool=one.spool,
            feeder=one.feeder,
            clocks=one.clocks,
            providers={"google"},
            changed=lambda run: self.ending.changed(run),  # noqa: PLW0108 - it is made below
        )
        self.at_rest = AtRest(
            reactor=one.clock,
            spool=one.spool,
            clocks=one.clocks,
            reporting=self.reporting,
            suppress=["all.csv"],
            scratch="/scratch",
            stopping=lambda: one.feeder.stopping,
            check=self.check,
        )
        lists = ListReading(
            reactor=one.clock,
            spool=one.spool,
            wall=one.wall,
            suppress=["all.csv"],
            scratch="/scratch",
            stored=self.stored,
        )
        progress = Progress(one.pause, one.feeder, one.clocks)
        self.ending = Ending(
            spool=one.spool,
            clocks=one.clocks,
            feeder=one.feeder,
            compose=one.pool,
            lists=lists,
            at_rest=self.at_rest,
            reporting=self.reporting,
            progress=progress,
            ended=self.notifying.ended,
        )
        self.stopping = Stopping(
            clocks=one.clocks, feeder=one.feeder, lists=lists, ending=self.ending, at_rest=self.at_rest, within=5.0
        )
        accepting = Accepting(one.spool, one.feeder, one.pool, self.reporting.changed, self.check)
        refusals = Refusals(one.spool, self.steering)
        self.taking_up = TakingUp(one.spool, one.wall, one.feeder, lists, self.reporting, accepting, refusals)
        self.sending = Campaigns(
            spool=one.spool,
            feeder=one.feeder,
            compose=one.pool,
            taking_up=self.taking_up,
            lists=lists,
            scheduling=Scheduling(
                reactor=one.clock,
                spool=one.spool,
                feeder=one.feeder,
                clocks=one.clocks,
                steering=self.steering,
                changed=self.ending.changed,
            ),
            at_rest=self.at_rest,
            notifying=self.notifying,
            ending=self.ending,
        )
        one.feeder.withholding.on_paused(lambda run, _: lists.stop(run))
        self.steering.tell(self.ending.cancel, self.at_rest.asked, self.notifying.stopped)
        one.ledger._changed = self.ending.changed
        first_round = FirstRound(feeder=one.feeder, clocks=one.clocks, pause=one.pause, leases=None)
        own_stops = OwnStops(
            one.feeder, first_round, progress, self.ending, self.stopping, once=once, rehearsal=rehearsal
        )
        self.looks = [one.feeder.tidy, own_stops.look]
        EachSecond(one.clock, self.looks).start()
        self.prepared = prepare(folder(), Settings())
        self.results = []

    def stored(self, run):
        self.one.feeder.rescan(run)
        self.ending.changed(run)

    def send(self, *, accept_changes=False):
        done = Deferred.fromCoroutine(self.sending.send(self.prepared, accept_changes=accept_changes))
        self.results = []
        done.addBoth(self.results.append)

    def until_over(self, limit=60.0):
        self.one.until(lambda: self.results, limit)
        if isinstance(self.results[0], Failure):
            self.results[0].raiseException()
        return self.results[0]

    async def check(self, _):
        return self.prepared

    async def changed_lists(self, *_):
        return []

    def stop(self):
        done = Deferred.fromCoroutine(self.stopping.stop())
        self.stopped = []
        done.addBoth(self.stopped.append)

    def row(self):
        return self.one.store.campaigns()[0]


@pytest.fixture
def scene(world, monkeypatch, folder):
    return lambda **options: Scene(world, monkeypatch, folder, **options)


def test_a_campaign_from_its_opening_to_its_end(scene):
    one = scene()
    one.one.farm.obliging()
    one.send()
    assert one.until_over() == 0
    assert (one.row().state, one.row().exit_status) == ("finished", 0)
    assert one.reporting.finished == [("spring", "finished", 0, one.reporting.finished[0][3])]
    assert one.reporting.finished[0][3]["delivered"] == 20
    place, files, domain, position = one.reporting.opened[1]
    assert place.endswith("/spring/report")
    assert (files, domain, position) == ([("recipients.csv", ["email", "first_name"])], "me.example", None)
    assert one.setups == [("set", 1, "load"), ("tear", 1, "forget")]
    assert one.imports[0].job["suppress"] == ["all.csv"]
    assert one.imports[0].job["scratch"] == "/scratch"
    assert one.sending.running() == []


def test_a_campaign_without_rows_ends_at_once(scene):
    one = scene()
    one.rows = []
    one.send()
    assert one.until_over() == 0


def test_a_last_report_that_could_not_be_written_is_no_success(scene):
    one = scene()
    one.one.farm.obliging()
    one.reporting.writes = False
    for _ in range(2):  # the second start finds every row final, and still there is no report
        one.send()
        assert one.until_over() == 3
        assert one.row().state == "finished"
    one.reporting.writes = True
    one.send()
    assert one.until_over() == 0


def test_a_finished_campaign_sends_nothing_and_writes_its_report_again(scene):
    one = scene()
    one.one.farm.obliging()
    one.send()
    one.until_over()
    sent = len(one.one.farm.sent)
    one.send()
    assert one.until_over() == 0
    assert len(one.one.farm.sent) == sent
    assert [state for _, state, *_ in one.reporting.finished] == ["finished", "finished"]
    assert len(one.imports) == 1


def test_a_list_that_is_refused_ends_it_before_anything_is_sent(scene):
    one = scene()
    one.refuse = True
    one.send()
    with pytest.raises(Refused, match="already read has changed"):
        one.until_over()
    assert one.imports[0].closed
    assert one.row().state != "running"
    assert one.one.feeder.runs == {}


def test_who_is_being_sent_and_how_far(scene):
    one = scene()
    one.send()
    one.one.run(1)
    ((folder, run),) = one.sending.running()
    assert folder.endswith("/spring")
    assert "0 of 20 were delivered." in one.sending.progress.in_words(run)


# stopping


def test_a_disk_that_fills_up_at_the_very_end_does_not_end_it_wrongly(scene):
    one = scene()
    one.one.farm.obliging()
    one.send()
    one.one.until(lambda: len(one.one.farm.sent) == 20, 60)
    one.one.disk.fault = OwnFault("the disk is full")
    one.one.run(20)
    assert one.results == []
    one.one.disk.fault = None
    assert one.until_over() == 0
    assert one.row().state == "finished"


def test_it_resumes_where_it_was_stopped(scene):
    one = scene()
    one.one.farm.connects = True
    one.one.farm.answers = lambda _: None
    one.send()
    one.one.run(1.5)
    one.stop()
    assert one.until_over() == 3
    assert one.one.spool.out == set()
    assert one.row().input_rows == 20


# ends that are no success


@pytest.mark.parametrize(
    ("sender", "domain"),
    [
        ("s@me.example", "me.example"),
        ("Shop <s@me.example>", "me.example"),
        ('"a@b" <s@Me.example>', "me.example"),
        ("Shop <s@bücher.example>", "xn--bcher-kva.example"),
    ],
)
def test_the_report_names_the_message_id_that_was_sent(sender, domain):
    assert sender_domain(sender) == domain
    content = {
        "name": "n", "from": sender, "subject": "Hi", "html": None, "text": "Hello", "html_name": "", "text_name": "t",
        "includes": {}, "reply_to": None, "envelope_from": None, "headers": {}, "unsubscribe": None, "attachments": [],
        "defaults": {}, "columns": [["email"]], "list_id": "", "key": b"k" * 32, "dkim": [],
    }  # fmt: skip
    composer = Composer()
    composer.handle(("load", 1, content))
    ((_, wire, _, error),) = composer.handle(("compose", 1, [(7, 3, "a@b.example", 0.0, 0, '["a@b.example"]')]))
    assert error is None
    assert f"Message-ID: {message_id(b'k' * 32, 3, domain)}\r\n".encode() in wire.replace(b"\r\n ", b" ")


class Joined:
    """What the sending asks of `Joining`, where other machines share the spool: here nobody else does."""

    def __init__(self, scene):
        self.scene, self.holder, self.given_up = scene, "", []

    async def take_over(self, name):
        return self.holder

    async def give_up(self, name):
        self.given_up.append(name)

    def each_second(self):
        for run in list(self.scene.one.feeder.runs.values()):
            totals = self.scene.one.store.totals(run.id)
            run.counted(Counter({key: count for key, count in totals.items() if key[1] != "pending"}))
            self.scene.ending.changed(run)


def shared(one):
    one.sending.joining = joined = Joined(one)
    one.looks.append(joined.each_second)
    one.one.spool.leases = SimpleNamespace(over=False, unsure="", valid=True, members=["me"], stop=lambda: None)
    return joined


def test_on_a_shared_spool_the_end_is_told_until_the_database_takes_it(scene, monkeypatch):
    one = scene()
    one.one.farm.obliging()
    joining = shared(one)
    set_state, faults = one.one.spool.set_state, [OwnFault("gone"), OwnFault("still gone")]

    def failing(identity, state, now, **more):
        if state == "finished" and faults:
            return fail(faults.pop())
        return set_state(identity, state, now, **more)

    monkeypatch.setattr(one.one.spool, "set_state", failing)
    one.send()
    assert one.until_over() == 0
    assert (faults, one.row().state, joining.given_up) == ([], "finished", ["spring"])


def test_a_campaign_that_another_machine_has_is_refused(scene):
    one = scene()
    shared(one).holder = "mta7"
    one.send()
    with pytest.raises(Refused, match="'spring' is being sent from machine mta7; stop it there first"):
        one.until_over()
    assert one.one.store.campaigns() == []


def test_who_was_declared_gone_says_nothing_of_the_campaign_any_more(scene):
    """Another machine may have it by now, and its report too."""
    one = scene()
    shared(one)
    one.send()
    one.one.until(lambda: one.one.feeder.runs, 5)
    one.one.spool.leases = SimpleNamespace(over=True, unsure="", valid=False, stop=lambda: None)
    one.stop()
    assert one.until_over() == 3
    assert (one.reporting.finished, one.reporting.left, one.row().state) == ([], ["spring"], "running")


def cancel(one):
    Deferred.fromCoroutine(one.steering.cancel("spring", who="ann")).addErrback(
        lambda failure: failure.printTraceback()
    )


def test_a_campaign_that_is_cancelled_while_its_list_is_read_has_every_row_in_its_report(scene):
    one = scene()
    one.rows = ["a.example"] * 200
    one.one.farm.obliging()
    one.send()
    one.one.until(lambda: one.one.farm.sent, 10)
    assert one.one.store.campaign("spring").input_rows == 100, "half of the list"
    cancel(one)
    assert one.until_over() == 3
    ((name, state, status, counts),) = one.reporting.finished
    assert (name, state, status) == ("spring", "cancelled", 3)
    assert counts["delivered"] + counts["cancelled"] == 200
    assert counts["delivered"] == len(one.one.farm.sent)
    assert one.row().state == "cancelled"
    assert one.one.feeder.runs == {}


def test_a_paused_campaign_is_cancelled(scene):
    one = scene()
    one.send()
    one.one.until(lambda: one.one.feeder.runs, 10)
    Deferred.fromCoroutine(one.steering.pause("spring"))
    one.one.run(5.0)
    cancel(one)
    assert one.until_over() == 3
    assert one.one.store.totals(1) == {("", "cancelled", ""): 20}


def test_a_campaign_that_was_being_cancelled_when_the_process_stopped_is_not_sent_but_ended(scene, monkeypatch):
    one = scene()
    at_rest = []
    one.one.farm.connects, one.one.farm.answers = True, lambda connection: connection.dot()
    one.send()
    one.one.until(lambda: one.one.farm.sent, 10)
    cancel(one)
    one.one.run(1.0)
    assert not one.results
    one.stop()
    assert one.until_over() == 3
    assert one.row().state == "cancelling"
    assert one.reporting.finished[0][:2] == ("spring", "cancelling")

    again = scene()
    again.one.store, again.one.spool = one.one.store, one.one.spool
    one.one.feeder.stopping = False

    async def end(row, prepared):
        at_rest.append((row.name, row.state, prepared))

    monkeypatch.setattr(one.at_rest, "end", end)
    one.send()
    assert one.until_over() == 3
    assert at_rest == [("spring", "cancelling", one.prepared)]


def test_a_cancelled_campaign_that_is_started_again_sends_nothing(scene):
    one = scene()
    one.send()
    one.one.until(lambda: one.one.feeder.runs, 10)
    cancel(one)
    assert one.until_over() == 3
    sent = len(one.one.farm.sent)
    one.send()
    assert one.until_over() == 3
    assert len(one.one.farm.sent) == sent
    assert one.reporting.finished[-1][1:3] == ("cancelled", 3)


def test_a_campaign_of_the_spool_that_is_not_sent_here_is_ended_too(scene, monkeypatch):
    one = scene()
    at_rest = []

    async def end(row, prepared):
        await deferLater(one.one.clock, 1.0)
        at_rest.append((row.name, prepared))

    monkeypatch.setattr(one.at_rest, "end", end)
    one.one.campaign({"a.example": 5}, name="autumn", run=False)
    Deferred.fromCoroutine(one.steering.cancel("autumn"))
    one.one.run(0.5)
    one.steering.look()  # another process has changed something: it is not begun twice
    one.one.run(2.0)
    assert at_rest == [("autumn", one.prepared)]


def test_one_whose_folder_is_wrong_is_ended_without_the_rest_of_its_list(scene, monkeypatch):
    one = scene()
    at_rest = []

    async def end(_, prepared):
        at_rest.append(prepared)

    async def check(_):
        raise Refused([Problem("campaign.yaml", 1, 0, "is gone")])

    monkeypatch.setattr(one.at_rest, "_check", check)
    monkeypatch.setattr(one.at_rest, "end", end)
    one.one.campaign({"a.example": 5}, name="autumn", run=False)
    Deferred.fromCoroutine(one.steering.cancel("autumn"))
    one.one.run(2.0)
    assert at_rest == [None]


def test_a_campaign_that_is_cancelled_while_it_is_being_opened_is_ended_by_one_and_not_by_two(scene, monkeypatch):
    one = scene()
    at_rest = []

    async def end(row, _):
        at_rest.append(row.name)

    monkeypatch.setattr(one.at_rest, "end", end)
    one.open_takes = 5.0
    one.send()
    one.one.until(lambda: one.one.store.campaign("spring"), 10)
    cancel(one)
    one.one.run(1.0)
    assert one.row().state == "cancelling"
    one.steering.look()
    assert one.until_over() == 3
    assert at_rest == []
    assert one.one.store.totals(1) == {("", "cancelled", ""): 20}
    assert one.one.farm.sent == []


def test_what_is_about_to_end_is_not_cancelled(scene):
    one = scene()
    one.one.farm.obliging()
    one.send()
    one.one.until(lambda: one.one.feeder.runs, 10)
    (run,) = one.one.feeder.runs.values()
    run.over = True
    got = []
    Deferred.fromCoroutine(one.steering.cancel("spring")).addBoth(got.append)
    one.one.run(1.0)
    assert "is about to end" in str(got[0].value)
    run.over = False
    one.until_over()
