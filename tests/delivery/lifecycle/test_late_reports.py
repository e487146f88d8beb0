"""Reports that are written again: when, how often, and where not. The spool is real, in memory; the reports are not."""

from __future__ import annotations

import json

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from bulkmail.delivery.lifecycle.late_reports import KEPT_UP_FOR, LateReports
from bulkmail.mail import OwnFault
from bulkmail.spool import campaign_of


class FakeReporting:
    folder = "report"

    def __init__(self, clock):
        self.clock, self.opened, self.finished = clock, [], []
        self.takes, self.writes, self.busy = 0.1, True, False

    def reports_on(self, campaign_id):
        return self.busy

    def open(self, run, place, files, domain, position):
        self.opened.append((run.name, place.path, files, domain, position))

    async def finish(self, run, state, exit_status, ended_at):
        done = Deferred()
        self.clock.callLater(self.takes, done.callback, None)
        await done
        self.finished.append((run.name, state, exit_status, ended_at, run.by_status["delivered"]))
        return self.writes


class Scene:
    def __init__(self, world, folder):
        self.world, self.folder = world, folder
        self.run = world.campaign({"a.example": 3}, key=b"")
        world.store.database.connection.execute("UPDATE campaign SET folder = ?", (str(folder),))
        world.store.update_content(
            self.run.id, {"from": "News <s@me.example>", "subject": "hi", "key": b""}, {}, [("r.csv", ["email"])]
        )
        world.farm.obliging()
        world.send()
        world.run(1.0)
        self.ended_at = world.wall()
        self.state("finished")
        (folder / "report").mkdir()
        self.says("spring")
        self.reporting = FakeReporting(world.clock)
        self.reports = LateReports(world.clocks, world.spool, self.reporting)

    def state(self, state):
        self.world.store.set_state(self.run.id, state, self.ended_at, exit_status=0)

    def says(self, name):
        (self.folder / "report" / "summary.json").write_text(json.dumps({"campaign": name}))

    def seconds(self, count):
        for _ in range(count):
            self.reports.look()
            self.world.run(1.0)

    def look_back(self):
        got = []
        Deferred.fromCoroutine(self.reports.look_back()).addBoth(got.append)
        self.world.until(lambda: got, 10)
        assert got == [None]


@pytest.fixture
def scene(world, fast, tmp_path):
    return Scene(world(settings=fast()), tmp_path)


def test_the_report_of_a_finished_campaign_is_written_again(scene):
    scene.reports.ask(scene.run.id)
    scene.seconds(2)
    assert scene.reporting.opened == [
        ("spring", str(scene.folder / "report"), [("r.csv", ["email"])], "me.example", None)
    ]
    assert scene.reporting.finished == [("spring", "finished", 0, scene.ended_at, 3)]
    scene.seconds(10)
    assert len(scene.reporting.finished) == 1


def test_status_txt_tells_the_same_figures(scene):
    status = scene.folder / "STATUS.txt"
    above = "finished\n\nThis campaign is finished.\n\n"
    below = "\nPlease look at this:\nrecipients.csv: two rows are short\n"
    status.write_text(f"{above}99 of 99 were delivered.\n{below}")
    scene.reports.ask(scene.run.id)
    scene.seconds(2)
    assert status.read_text() == f"{above}3 of 3 were delivered.\n{below}"
    for text in ("checking\n\nThe campaign is being checked.\n", ""):  # it begins anew; a person has emptied it
        status.write_text(text)
        scene.reports.ask(scene.run.id)
        scene.seconds(5)
        assert status.read_text() == text
    status.unlink()
    scene.reports.ask(scene.run.id)
    scene.seconds(5)
    assert not status.exists(), "it was not watched"


def test_what_comes_meanwhile_goes_into_the_next_one(scene):
    for _ in range(20):
        scene.reports.ask(scene.run.id)
        scene.seconds(1)
    assert 4 <= len(scene.reporting.finished) <= 6


def test_a_long_report_is_written_rarely(scene):
    scene.world.store.database.connection.execute("UPDATE campaign SET input_rows = 1000000")
    scene.reporting.takes = 10.0
    for _ in range(300):
        scene.reports.ask(scene.run.id)
        scene.seconds(1)
    assert len(scene.reporting.finished) == 2


def test_where_the_folder_is_gone_only_the_spool_has_it(scene):
    (scene.folder / "report" / "summary.json").unlink()
    scene.reports.ask(scene.run.id)
    with capturedLogs() as told:
        scene.seconds(2)
    assert scene.reporting.opened == []
    assert any("only the spool has it" in event.get("log_format", "") for event in told)


def test_the_report_of_another_campaign_is_left_alone(scene):
    scene.says("autumn")
    scene.reports.ask(scene.run.id)
    scene.seconds(2)
    assert scene.reporting.opened == []


def test_thirty_days_after_its_end_a_report_is_left_alone(scene):
    scene.ended_at -= KEPT_UP_FOR + 60.0
    scene.state("finished")
    scene.reports.ask(scene.run.id)
    scene.seconds(2)
    assert scene.reporting.opened == []
    scene.look_back()
    assert not scene.reports._asked


@pytest.mark.parametrize(("state", "written"), [("stopped", True), ("running", False), ("removing", False)])
def test_only_those_are_written_that_nothing_else_writes(scene, state, written):
    scene.state(state)
    scene.reports.ask(scene.run.id)
    scene.seconds(2)
    assert bool(scene.reporting.finished) is written


def test_a_campaign_that_is_unknown_by_now_is_passed_over(scene):
    scene.reports.ask(99)
    scene.seconds(2)
    assert scene.reporting.opened == []


def test_one_that_is_being_opened_is_waited_for(scene):
    scene.reporting.busy = True
    scene.reports.ask(scene.run.id)
    scene.seconds(2)
    assert scene.reporting.opened == []
    scene.reporting.busy = False
    scene.seconds(8)
    assert len(scene.reporting.finished) == 1


def test_what_could_not_be_written_is_tried_again(scene):
    scene.reporting.writes = False
    scene.reports.ask(scene.run.id)
    scene.seconds(8)
    assert len(scene.reporting.finished) == 2
    scene.reporting.writes = True
    scene.seconds(20)
    assert len(scene.reporting.finished) == 3


def test_a_fault_of_the_spool_is_told_and_it_is_tried_again(scene):
    scene.world.disk.fault = OwnFault("the disk is full")
    scene.reports.ask(scene.run.id)
    with capturedLogs() as told:
        scene.seconds(2)
        scene.look_back()
    assert sum("full" in str(event.get("fault")) for event in told) == 2
    scene.world.disk.fault = None
    scene.seconds(8)
    assert len(scene.reporting.finished) == 1


def test_a_start_finds_the_reports_that_tell_of_less_than_the_spool(scene):
    scene.look_back()
    assert scene.reports._asked == {scene.run.id}
    scene.reports._asked.clear()
    scene.world.store.report_is_whole(scene.run.id)
    last = scene.world.store.database.connection.execute("SELECT max(id) FROM attempt").fetchone()[0]
    assert campaign_of(last) == scene.run.id
    scene.world.store.save_report_position(scene.run.id, [1000, last])
    scene.look_back()
    assert not scene.reports._asked
    scene.world.store.report_is_not_whole(scene.run.id)
    scene.look_back()
    assert scene.reports._asked == {scene.run.id}, "a process ended in the middle of it"


def test_a_campaign_is_not_removed_while_its_report_is_written_again(scene):
    store = scene.world.store
    store.report_is_whole(scene.run.id)
    scene.reporting.takes = 5.0
    scene.reports.ask(scene.run.id)
    scene.seconds(2)
    assert not store.has_whole_report(scene.run.id)
    scene.seconds(6)
    assert scene.reporting.finished
    assert store.has_whole_report(scene.run.id)


def test_one_that_is_being_removed_is_left_alone(scene, monkeypatch):
    store, real = scene.world.store, scene.world.store.report_is_not_whole

    def removed_meanwhile(campaign_id):
        store.set_state(campaign_id, "removing", 0.0)
        real(campaign_id)

    monkeypatch.setattr(store, "report_is_not_whole", removed_meanwhile)
    scene.reports.ask(scene.run.id)
    scene.seconds(2)
    assert scene.reporting.opened == []


def test_the_end_waits_for_the_one_that_is_being_written_and_begins_no_other(scene):
    scene.reporting.takes = 5.0
    scene.reports.ask(scene.run.id)
    scene.seconds(1)
    got = []
    Deferred.fromCoroutine(scene.reports.close()).addBoth(got.append)
    assert got == []
    scene.reports.ask(scene.run.id)
    scene.world.until(lambda: got, 10)
    assert len(scene.reporting.finished) == 1
    scene.seconds(20)
    assert len(scene.reporting.finished) == 1


def test_all_that_are_asked_for_are_written_without_a_wait_before_the_end(scene):
    scene.reports.ask(scene.run.id)
    scene.seconds(1)
    scene.world.until(lambda: len(scene.reporting.finished) == 1, 10)
    scene.reports.ask(scene.run.id)
    got = []
    Deferred.fromCoroutine(scene.reports.written()).addBoth(got.append)
    scene.world.run(0.2)
    assert (len(scene.reporting.finished), got) == (2, [None])


class FakeJoining:
    def __init__(self, holder):
        self.holder, self.given_up = holder, []

    async def take_over(self, name):
        return self.holder

    async def give_up(self, name):
        self.given_up.append(name)


@pytest.mark.parametrize("holder", ["", "machine-2"])
def test_on_a_shared_spool_one_machine_writes_it(scene, holder):
    joining = FakeJoining(holder)
    scene.reports = LateReports(scene.world.clocks, scene.world.spool, scene.reporting, joining)
    scene.reports.ask(scene.run.id)
    scene.seconds(2)
    assert len(scene.reporting.finished) == (not holder)
    assert joining.given_up == ([] if holder else ["spring"])


def test_one_that_was_killed_and_is_refused_now_tells_of_all_that_the_spool_knows(scene):
    scene.state("running")
    scene.reports.refused(scene.run.id)
    scene.seconds(2)
    assert [(name, state) for name, state, *_ in scene.reporting.finished] == [("spring", "stopped")]
    scene.reports.ask(scene.run.id)
    scene.seconds(5)
    assert len(scene.reporting.finished) == 1, "once for a refusal"


def test_one_that_was_refused_and_is_sent_again_is_left_to_who_sends_it(scene):
    scene.state("running")
    scene.reporting.busy = True
    scene.reports.refused(scene.run.id)
    scene.seconds(5)
    scene.reporting.busy = False
    scene.seconds(5)
    assert scene.reporting.finished == []
