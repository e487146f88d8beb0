from __future__ import annotations

import os
import types

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from bulkmail.delivery.lifecycle import drop_folder as module
from bulkmail.delivery.lifecycle.accepting import SentBefore
from bulkmail.delivery.lifecycle.approving import WithdrawnError
from bulkmail.delivery.lifecycle.drop_folder import DropFolderWatch
from bulkmail.delivery.lifecycle.looking_over import RefusedByDns
from bulkmail.delivery.lifecycle.preparing import prepare
from bulkmail.delivery.lifecycle.progress import about_lists
from bulkmail.delivery.run import Run
from bulkmail.mail import OwnFault, Problem, Refused
from bulkmail.settings import Settings
from bulkmail.workers import CommandFailedError, WorkerFailedError


class FakeSending:
    def __init__(self, clock):
        self.clock, self.sent, self.status, self.takes = clock, [], 0, 5.0
        self.cancelled = False
        self.runs, self.pauses = {}, {}
        self.withholding = types.SimpleNamespace(reason=lambda name: self.pauses.get(name, ""))
        self.noticed = []
        self.before = None  # how much was sent before a refusal
        self.noted = []  # folders of which a change was told
        self.held = []
        self.accepting = types.SimpleNamespace(notes={}, sent_from=self.sent_from, note=self.note)
        self.told_refused = []
        self.steering = types.SimpleNamespace(hold=self.hold, release=self.release, is_cancelled=self.is_cancelled)
        self.refusals = types.SimpleNamespace(tell=self.refused)

    async def refused(self, name, error):
        self.told_refused.append((name, str(error)))

    async def sent_from(self, folder):
        return self.before

    async def note(self, folder):
        self.noted.append(os.path.basename(folder))

    async def hold(self, name, kind, *, reason):
        self.held.append(("hold", name, kind, os.path.basename(reason.split(" ")[2])))

    async def release(self, name, kind):
        self.held.append(("release", name, kind))

    async def send(self, prepared, *, accept_changes, before):
        assert accept_changes is False
        await before(types.SimpleNamespace(name=prepared.campaign.name))
        folder = prepared.campaign.folder
        self.sent.append(os.path.basename(folder))
        self.runs[folder] = Run(1, "x", folder, {}, "retry", 0.0)
        waited = Deferred()
        self.clock.callLater(self.takes, waited.callback, None)
        await waited
        del self.runs[folder]
        if isinstance(self.status, Exception):
            raise self.status
        return self.status

    def running(self):
        return list(self.runs.items())

    async def is_cancelled(self, _):
        return self.cancelled

    @property
    def progress(self):
        return self

    def in_words(self, run):
        return "sending\n\nThis campaign is being sent.\n"

    def last_words(self, folder):
        return ["", "1 of 1 were delivered.", *about_lists(self.noticed)]


class FakeChecking:
    """Checks at once, in this process."""

    def __init__(self):
        self.stopped, self.trouble = False, None

    async def prepare(self, path):
        if self.trouble is not None:
            raise self.trouble
        return prepare(path, Settings(), follow=False)

    def stop(self):
        self.stopped = True


class FakeApproving:
    """Approves at once, unless there is trouble."""

    def __init__(self):
        self.trouble = None

    async def passed(self, prepared, row, say):
        if self.trouble is not None:
            say("waiting for approval", ["look at preview/"])
            raise self.trouble


class FakeMarks:
    """Remembers what it was told."""

    def __init__(self):
        self.told = []
        self.cancels = False  # the file CANCEL is there

    async def refused(self, folder, name):
        self.told.append(("refused", name))
        return self.cancels

    def started(self, folder):
        self.told.append(("started", os.path.basename(folder)))

    def ended(self, folder):
        self.told.append(("ended", os.path.basename(folder)))

    def saw(self, action):
        self.told.append((action.kind, action.reason))

    async def before(self, folder, row):
        self.told.append(("before", row.name))


class FakeEvents:
    """Tells what the test tells it."""

    def __init__(self, _reactor, root, heard):
        self.root, self.heard, self.there, self.followed = root, heard, False, []

    def follow(self, folders):
        self.followed = [os.path.basename(folder) for folder in folders]

    def close(self):
        self.there = False


class Scene:
    def __init__(self, root):
        self.root = root
        self.clock = Clock()
        self.sending = FakeSending(self.clock)
        self.checking = FakeChecking()
        self.approving, self.marks = FakeApproving(), FakeMarks()
        self.watching = DropFolderWatch(
            reactor=self.clock,
            campaigns=self.sending,
            checking=self.checking,
            root=str(root),
            approving=self.approving,
            marks=self.marks,
            events=FakeEvents,
        )
        self.ended = []
        Deferred.fromCoroutine(self.watching.watch()).addBoth(self.ended.append)

    def run(self, seconds):
        self.clock.pump([0.5] * round(seconds * 2))

    def said(self, name="spring"):
        path = self.root / name / "STATUS.txt"
        return path.read_text() if path.exists() else ""


@pytest.fixture
def scene(tmp_path, folder):
    folder()
    return Scene(tmp_path)


def test_a_folder_that_has_stood_still_is_sent_once(scene):
    scene.run(1)
    assert scene.sending.sent == []
    scene.run(5)
    assert scene.sending.sent == ["spring"]
    assert scene.said() == "sending\n\nThis campaign is being sent.\n"
    scene.run(60)
    assert scene.sending.sent == ["spring"]
    assert scene.said().startswith("finished\n\nThis campaign is finished.")


def test_what_was_noticed_about_its_lists_stays_behind_the_end(scene):
    scene.sending.noticed = ["r.csv:1:7: 2 of 3 rows say no"]
    scene.run(60)
    state, empty, first, *rest = scene.said().splitlines()
    assert (state, empty) == ("finished", "")
    assert first.startswith("This campaign is finished.")
    assert rest == ["", "1 of 1 were delivered.", "", "Please look at this:", "r.csv:1:7: 2 of 3 rows say no"]


def test_a_campaign_that_is_wrong_is_told_what_is_wrong_and_tried_again_when_it_has_changed(scene, folder):
    folder(text="Hello {{ nick_name }}\n")
    scene.run(10)
    assert scene.sending.sent == []
    said = scene.said()
    assert said.startswith("refused\n\nThis campaign was not sent: one thing is wrong with it.")
    assert "nick_name" in said
    assert "body.txt.j2" in said
    folder()
    scene.run(10)
    assert scene.sending.sent == ["spring"]


def test_a_campaign_refused_at_its_opening_is_told_so(scene):
    scene.sending.status = Refused([Problem("a", 1, 0, "one"), Problem("b", 2, 0, "two")])
    scene.run(15)
    assert scene.said().startswith("refused\n\nThis campaign was not sent: 2 things are wrong with it")
    assert "b:2: two" in scene.said()


def test_a_campaign_stopped_before_its_end_says_so(scene):
    scene.sending.status = 3
    scene.run(4)
    scene.watching.stop()
    scene.run(15)
    assert scene.said().startswith("stopped\n\nThe service was stopped before the end")


def test_a_fault_of_ours_is_told_and_the_others_go_on(scene, folder):
    scene.sending.status = OwnFault("the disk is full")
    scene.run(15)
    assert scene.said() == "stopped\n\nThis campaign could not be sent: the disk is full\n"
    scene.sending.status = 0
    folder(name="summer")
    scene.run(15)
    assert scene.sending.sent == ["spring", "summer"]


def test_several_are_sent_at_once(scene, folder):
    scene.sending.takes = 100.0
    folder(name="summer")
    scene.run(10)
    assert sorted(scene.sending.sent) == ["spring", "summer"]


def test_what_is_no_campaign_is_told_why(scene):
    (scene.root / "yml").mkdir()
    (scene.root / "yml" / "campaign.yml").write_text("")
    scene.run(10)
    assert scene.said("yml").startswith("refused\n\nThis folder is left alone: ")
    assert "campaign.yaml" in scene.said("yml")


def test_a_root_that_is_gone_is_waited_for(scene, tmp_path):
    scene.run(1)
    os.rename(tmp_path, f"{tmp_path}.away")
    scene.run(10)
    os.rename(f"{tmp_path}.away", tmp_path)
    scene.run(10)
    assert scene.sending.sent == ["spring"]


def test_watching_goes_on_after_an_error_and_can_still_be_stopped(scene, monkeypatch):
    monkeypatch.setattr(module, "scan", lambda *_: 1 / 0)
    scene.run(6)
    monkeypatch.undo()
    scene.run(10)
    assert scene.sending.sent == ["spring"]
    scene.watching.stop()
    assert scene.ended == [None]


def test_stopped_it_starts_nothing_more(scene, folder):
    scene.run(0.5)
    scene.watching.stop()
    scene.watching.stop()
    assert scene.ended == [None]
    scene.run(20)
    assert scene.sending.sent == []


def test_a_status_that_cannot_be_written_stops_nothing(scene, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_status", full)
    scene.run(20)
    assert scene.sending.sent == ["spring"]


def test_a_campaign_that_has_paused_itself_says_why_and_what_to_do(scene):
    scene.sending.status = 3
    scene.sending.pauses = {"spring": "the template does not come to an end: 3 rows in a row"}
    scene.run(20)
    said = scene.said()
    assert said.startswith(
        "stopped\n\nThis campaign has paused itself: the template does not come to an end: 3 rows in a row."
    )
    assert "bulkmail accept" in said


@pytest.mark.parametrize(
    "trouble", [ZeroDivisionError(), RecursionError(), OSError(40, "x"), WorkerFailedError("trace")]
)
def test_a_surprise_is_told_as_a_fault_of_bulkmail(scene, trouble):
    scene.checking.trouble = trouble
    scene.run(10)
    assert scene.said().startswith(
        "stopped\n\nThis campaign was not sent, or not to its end: bulkmail has an error in itself."
    )
    assert "log" in scene.said()


def test_a_campaign_that_ends_early_by_itself_is_not_told_that_the_service_was_stopped(scene):
    scene.sending.status = 3
    scene.run(15)
    assert scene.said().startswith(
        "stopped\n\nThis campaign stopped before its end, or its last report could not be written."
    )


def test_a_link_in_the_watched_folder_is_told_in_the_log_alone(scene, tmp_path_factory):
    victim = tmp_path_factory.mktemp("victim")
    (victim / "STATUS.txt").write_text("precious")
    (scene.root / "c").symlink_to(victim)
    scene.run(10)
    assert (victim / "STATUS.txt").read_text() == "precious"


def test_a_campaign_that_is_replaced_by_a_link_while_it_is_sent_is_not_written_through(scene, tmp_path_factory):
    victim = tmp_path_factory.mktemp("victim")
    (victim / "STATUS.txt").write_text("precious")
    scene.sending.takes = 20.0
    scene.run(6)
    os.rename(scene.root / "spring", tmp_path_factory.mktemp("moved") / "spring")
    (scene.root / "spring").symlink_to(victim)
    scene.run(30)
    assert (victim / "STATUS.txt").read_text() == "precious"
    assert sorted(os.listdir(victim)) == ["STATUS.txt"]


def test_looking_takes_a_twentieth_of_the_time_at_most(scene, monkeypatch):
    looks = []

    def slow(root, now):
        looks.append(now)
        scene.clock.rightNow += 1.0
        return []

    scene.run(1)
    monkeypatch.setattr(module, "scan", slow)
    scene.run(100)
    assert 3 <= len(looks) <= 6


def test_what_is_being_checked_ends_with_the_watching(scene):
    scene.watching.stop()
    assert scene.checking.stopped


def test_a_campaign_that_is_refused_after_some_rows_were_sent_says_how_many(scene):
    scene.sending.status = Refused([Problem("body.txt.j2", 0, 0, "changed since it was started")])
    scene.sending.before = SentBefore("spring", 243, 400, "")
    scene.run(10)
    assert scene.said().startswith(
        "stopped\n\n"
        "This campaign has stopped, and does not go on: one thing is wrong with it. Sent so far: 243 of 400.\n"
    )


def test_a_change_after_the_end_does_not_make_the_end_a_refusal(scene):
    scene.sending.status = Refused([Problem("recipients.csv", 0, 0, "changed in the part already read")])
    scene.sending.before = SentBefore("spring", 400, 400, "finished")
    scene.run(10)
    assert scene.said().startswith(
        "finished\n\nThis campaign is finished; what was changed since then is not sent: one thing is"
    )


def test_one_that_was_cancelled_before_anything_was_sent_is_not_called_refused(scene):
    scene.sending.status = Refused([Problem("body.txt.j2", 1, 0, "unknown variable 'nick_name'")])
    scene.sending.before = SentBefore("spring", 0, 0, "cancelled")
    scene.run(10)
    assert scene.said().startswith("cancelled\n\nThis campaign is cancelled; what was changed since then is not sent")
    assert ("refused", "") in scene.marks.told


@pytest.mark.parametrize(("before", "name"), [(None, ""), (SentBefore("spring", 0, 0, ""), "spring")])
def test_the_file_cancel_counts_also_where_the_files_are_wrong(scene, before, name):
    scene.sending.status = Refused([Problem("body.txt.j2", 1, 0, "unknown variable 'nick_name'")])
    scene.sending.before, scene.marks.cancels = before, True
    scene.run(10)
    assert scene.said().startswith("cancelled\n\nThis campaign is cancelled by the file CANCEL; one thing is wrong")
    assert ("refused", name) in scene.marks.told


def test_a_change_while_it_is_sent_is_told(scene):
    scene.sending.takes = 60.0
    scene.run(5)
    (scene.root / "spring" / "body.txt.j2").write_text("Hello again {{ first_name }}\n")
    scene.run(8)
    assert scene.sending.noted == ["spring"]
    scene.sending.accepting.notes[str(scene.root / "spring")] = "Changed since the start, and not used."
    scene.run(2)
    assert scene.said() == "sending\n\nThis campaign is being sent.\n\nChanged since the start, and not used.\n"


def test_a_folder_that_is_moved_away_is_held_and_told_where_it_is_now(scene):
    scene.sending.takes = 60.0
    scene.run(5)
    (scene.root / "spring").rename(scene.root.parent / "elsewhere")
    scene.run(4)
    assert scene.sending.held == [("hold", "x", "folder", "spring")]
    moved = scene.root.parent / "elsewhere"
    told = (moved / "STATUS.txt").read_text()
    assert told.startswith("paused\n\nThis campaign is paused: this folder was moved away")
    assert told.endswith("\n\nThis campaign is being sent.\n")
    assert "sending" not in told.splitlines(), "one state"
    assert not (scene.root / "spring").exists()
    moved.rename(scene.root / "spring")
    scene.run(4)
    assert scene.sending.held[1:] == [("release", "x", "folder")]
    assert scene.said() == "sending\n\nThis campaign is being sent.\n"


def test_marks_are_told_between_the_start_and_the_end(scene, tmp_path):
    (tmp_path / "spring" / "PAUSE").touch()
    scene.sending.takes = 20.0
    scene.run(8)
    (tmp_path / "spring" / "PAUSE").unlink()
    os.rename(tmp_path / "spring", tmp_path / ".away")
    scene.run(3)
    os.rename(tmp_path / ".away", tmp_path / "spring")
    scene.run(30)
    assert scene.marks.told == [
        ("started", "spring"),
        ("appeared", "PAUSE"),
        ("before", "spring"),
        ("gone", ""),
        ("back", ""),
        ("removed", "PAUSE"),
        ("ended", "spring"),
    ]


def test_what_is_being_checked_says_so(scene):
    checked = Deferred()
    scene.checking.prepare = lambda _: checked
    scene.run(10)
    assert scene.said() == "checking\n\nThe campaign is being checked.\n"
    checked.errback(Refused([Problem("a", 1, 0, "one")]))
    assert scene.said().startswith("refused\n\n")


def test_what_waits_for_its_approval_says_so_and_is_looked_at_again_when_it_changes(scene, folder):
    scene.approving.trouble = WithdrawnError("its files have changed")
    scene.run(10)
    assert scene.sending.sent == []
    assert scene.said() == "waiting for approval\n\nlook at preview/\n"
    scene.approving.trouble = None
    scene.run(10)
    assert scene.sending.sent == [], "nothing has changed"
    folder(text="Bye {{ first_name }}\n")
    scene.run(10)
    assert scene.sending.sent == ["spring"]


def test_where_the_kernel_tells_of_changes_it_is_looked_at_when_it_does_and_rarely(scene, monkeypatch):
    looks = []
    scan = module.scan
    monkeypatch.setattr(module, "scan", lambda root, now: looks.append(now) or scan(root, now))
    events = scene.watching._events
    events.there = True
    scene.run(30)
    assert scene.sending.sent == ["spring"]
    assert events.followed == ["spring"]
    del looks[:]
    scene.run(60)
    assert len(looks) in (5, 6), "every ten seconds, at the next of the looks two seconds apart"
    del looks[:]
    events.heard()
    events.heard()
    scene.run(0.5)
    assert len(looks) == 1


def test_a_cancelled_campaign_says_that_it_was(scene):
    scene.sending.cancelled, scene.sending.status = True, 3
    scene.run(60)
    assert scene.said().startswith("cancelled\n\nThis campaign was cancelled, which cannot be undone.")
    assert scene.sending.sent == ["spring"]


def test_a_refusal_of_what_the_spool_knows_stands_there_too(scene):
    scene.sending.status = Refused([Problem("body.txt.j2", 0, 0, "it is wrong")])
    scene.sending.before = SentBefore("spring", 0, 0, "", begun=False)
    scene.run(10)
    assert scene.said().startswith("refused\n\nThis campaign was not sent: one thing is wrong with it.")
    assert scene.sending.told_refused == [("spring", "body.txt.j2: it is wrong")]


def test_records_that_are_wrong_are_looked_up_again_by_themselves(scene):
    scene.approving.trouble = RefusedByDns([Problem("192.0.2.1", 0, 0, "it has no name")])
    scene.run(20)
    assert "looked up again by themselves every 5 minutes" in scene.said()
    assert scene.sending.sent == []
    scene.approving.trouble = None
    scene.run(250)
    assert scene.sending.sent == []
    scene.run(60)
    assert scene.sending.sent == ["spring"]


def test_a_check_that_passes_has_the_service_look_again_at_once(scene):
    scene.approving.trouble = Refused([Problem("192.0.2.1", 0, 0, "it has no name")])
    problems = scene.root / "spring" / "PROBLEMS.txt"
    problems.write_text("192.0.2.1: it has no name\n")  # by the check that the service makes
    scene.run(30)
    scene.approving.trouble = None
    assert scene.sending.sent == []
    problems.unlink()
    scene.run(5)
    assert scene.sending.sent == ["spring"]


def test_a_check_that_fails_by_itself_is_no_mistake_of_the_files(scene):
    scene.approving.trouble = CommandFailedError("bulkmail check: no module named x")
    scene.run(10)
    assert scene.said().startswith("refused\n\nThis campaign could not be checked: bulkmail check: no module named x\n")
    assert "This is no mistake of the campaign" in scene.said()


def test_the_file_accept_that_did_not_help_is_put_aside(scene):
    """It is tried once more first: it may have been put behind the check."""
    scene.sending.status = Refused([Problem("body.txt.j2", 0, 0, "changed since it was started")])
    scene.sending.takes = 1.0
    scene.run(4)
    mark = scene.root / "spring" / "ACCEPT"
    mark.write_text("")
    scene.run(30)
    assert scene.sending.sent == ["spring", "spring"]
    assert not mark.exists()
    assert "The file ACCEPT counts for what stood here when it was put." in scene.said()
    scene.run(30)
    assert scene.sending.sent == ["spring", "spring"]
