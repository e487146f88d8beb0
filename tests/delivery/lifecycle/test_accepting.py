"""Changes of a campaign's files, over a world in memory: a spool that is real, connections that are the test's."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred

from bulkmail.delivery.lifecycle.accepting import MARK, Accepting, SentBefore, marked_at
from bulkmail.delivery.lifecycle.opening import open_campaign
from bulkmail.delivery.lifecycle.preparing import prepare
from bulkmail.delivery.run import Run
from bulkmail.mail import Refused, WrongState
from bulkmail.settings import Settings
from bulkmail.spool import AcceptRequest, Attempt, Settlement

NOW = 1_700_000_500.0


class Scene:
    """A campaign of three rows in its folder, one of them delivered."""

    def __init__(self, one, folder):
        self.one, self.folder = one, folder
        self.told = []
        self.checked = []
        self.path = folder(["a@a.example"] * 3)
        self.place = os.path.dirname(self.path)
        self.row = self.ask(open_campaign(one.spool, self.prepared(), now=NOW, accept_changes=False)).row
        one.add(self.row.id, ["a.example"] * 3)
        one.store.set_state(self.row.id, "running", NOW)
        (queue, _, _) = one.store.backlog(0, 1)[0]
        (claimed,) = one.store.claim([(queue, 1)], NOW)[queue]
        settled = Settlement(claimed.id, queue, "delivered", attempt=Attempt(NOW, 1, "delivered"), completed_at=NOW)
        one.store.settle([settled])
        self.accepting = Accepting(
            spool=one.spool, feeder=one.feeder, compose=one.pool, changed=self.told.append, check=self.check
        )

    def prepared(self):
        return prepare(self.path, Settings())

    async def check(self, folder):
        self.checked.append(folder)
        return prepare(os.path.join(folder, "campaign.yaml"), Settings())

    def ask(self, work):
        got = []
        Deferred.fromCoroutine(work).addBoth(got.append)
        self.one.run(1)
        if hasattr(got[0], "raiseException"):
            got[0].raiseException()
        return got[0]

    def write(self, text):
        self.folder(["a@a.example"] * 3, text=text)


@pytest.fixture
def scene(world, folder):
    return Scene(world(), folder)


def test_nothing_was_changed(scene):
    changed = scene.ask(scene.accepting.compare(scene.prepared()))
    assert changed == ("spring", [], 1, 3)
    with pytest.raises(WrongState, match="spring: nothing that enters its messages was changed since it was started"):
        scene.ask(scene.accepting.accept(scene.prepared()))


def test_a_change_is_told_with_what_it_means(scene):
    scene.write("Bye {{ first_name }}\n")
    scene.ask(scene.accepting.note(scene.place))
    note = scene.accepting.notes[scene.place]
    assert note.startswith(
        "Changed since the start, and not used: body.txt.j2 changed. 1 of 3 rows were sent as it was"
    )
    assert "`bulkmail accept spring`" in note
    assert "ACCEPT" in note
    scene.write("Hello {{ first_name }}\n")
    scene.ask(scene.accepting.note(scene.place))
    assert scene.accepting.notes == {}


def test_a_change_with_mistakes_is_told_with_them(scene):
    scene.write("Bye {{ nick_name }}\n")
    scene.ask(scene.accepting.note(scene.place))
    assert "has no effect, and has mistakes:\n" in scene.accepting.notes[scene.place]
    assert "nick_name" in scene.accepting.notes[scene.place]


def test_what_is_accepted_is_what_the_rest_gets(scene):
    scene.write("Bye {{ first_name }}\n")
    assert scene.ask(scene.accepting.accept(scene.prepared())).changes == ["body.txt.j2 changed"]
    content = scene.one.store.content(scene.row.id)
    assert (content["text"], content["key"]) == ("Bye {{ first_name }}\n", scene.row.key)
    assert scene.ask(scene.accepting.compare(scene.prepared())).changes == []


def test_what_has_ended_cannot_be_changed(scene):
    scene.write("Bye {{ first_name }}\n")
    scene.one.store.set_state(scene.row.id, "cancelled", NOW)
    with pytest.raises(WrongState, match="spring is cancelled already, and cannot be changed"):
        scene.ask(scene.accepting.accept(scene.prepared()))


def test_one_message_for_all_cannot_be_accepted(scene):
    scene.folder(["a@a.example"] * 3, text="Hello\n", subject="Hi", more='to: "All <all@a.example>"')
    with pytest.raises(Refused, match="that cannot be changed any more"):
        scene.ask(scene.accepting.accept(scene.prepared()))


def test_the_mark_takes_the_change_once_and_goes(scene):
    scene.write("Bye {{ first_name }}\n")
    mark = os.path.join(scene.place, MARK)
    with open(mark, "w", encoding="utf-8") as file:
        file.write("Ann\n")
    assert marked_at(scene.place) is not None

    run = run_here(scene, helped=True)
    scene.accepting.look()  # it is another machine's
    run.helped = False
    scene.accepting.look()
    scene.accepting.look()
    scene.one.run(1)
    assert scene.checked == [scene.place, (run.id, "load")]
    assert not os.path.exists(mark)
    assert scene.accepting.notes[scene.place] == (
        "Taken for the rows still to be sent: body.txt.j2 changed. 1 of 3 rows were sent as it was before."
    )


def test_how_far_the_campaign_of_a_folder_is(scene):
    assert scene.ask(scene.accepting.sent_from(scene.place)) == SentBefore("spring", 1, 3, "")
    scene.one.store.set_state(scene.row.id, "finished", NOW)
    assert scene.ask(scene.accepting.sent_from(scene.place + "/")) == SentBefore("spring", 1, 3, "finished")
    assert scene.ask(scene.accepting.sent_from("/nowhere")) is None


def run_here(scene, **more):
    """The campaign as it is while this process has it in hand."""
    run = Run(scene.row.id, "spring", scene.place, scene.one.store.content(scene.row.id), "retry", NOW, **more)
    run.input_rows, run.import_done = 3, True
    scene.one.feeder.runs[run.id] = run
    scene.one.pool.set_up = lambda key, job: scene.checked.append((key, job[0]))
    return run


def test_a_request_is_obeyed_at_once_where_the_campaign_is_sent(scene):
    run = run_here(scene)
    scene.write("Bye {{ first_name }}\n")
    asked = scene.ask(scene.accepting.ask("spring", who="ann", now=NOW))
    assert (asked.taken, asked.changed.changes, asked.changed.so_far) == (
        True,
        ["body.txt.j2 changed"],
        "1 of 3 rows were sent as it was before",
    )
    assert run.content["text"] == "Bye {{ first_name }}\n"
    assert scene.accepting.notes[scene.place].startswith("Taken for the rows still to be sent: body.txt.j2 changed.")
    with pytest.raises(WrongState, match="nothing that enters its messages was changed"):
        scene.ask(scene.accepting.ask("spring", now=NOW))


def test_of_a_campaign_that_is_not_being_sent_the_next_start_takes_it(scene):
    scene.write("Bye {{ first_name }}\n")
    asked = scene.ask(scene.accepting.ask("spring", who="ann", now=NOW))
    assert (asked.taken, asked.changed.changes) == (False, ["body.txt.j2 changed"])
    with open(os.path.join(scene.place, MARK), encoding="utf-8") as file:
        assert file.read() == "by ann\n"
    assert scene.ask(scene.accepting.wanted(scene.prepared()))
    scene.ask(scene.accepting.opened(scene.row))
    assert not scene.ask(scene.accepting.wanted(scene.prepared()))


def test_a_machine_without_the_folder_asks_the_one_that_has_it(scene):
    """On a shared spool the request is a row that every machine sees; only the one that has the campaign obeys."""
    run = run_here(scene, helped=True)
    scene.one.spool.leases = SimpleNamespace(unsure="")
    scene.write("Bye {{ first_name }}\n")
    asked = scene.ask(scene.accepting.ask("spring", who="ann", now=NOW))
    assert (asked.taken, asked.changed) == (False, ("spring", [], 1, 3))
    assert scene.checked == []
    assert scene.one.store.accept_requests() == [AcceptRequest(scene.row.id, "ann", NOW)]
    scene.accepting.look_for_requests()
    scene.one.run(1)
    assert scene.one.store.accept_requests(), "a machine that helps cannot obey"

    run.helped = False
    scene.accepting.look_for_requests()
    scene.one.run(1)
    assert run.content["text"] == "Bye {{ first_name }}\n"
    assert scene.one.store.accept_requests() == []


def test_a_request_holds_for_the_next_start_too(scene):
    scene.one.store.request_accept(AcceptRequest(scene.row.id, "ann", NOW))
    assert scene.ask(scene.accepting.wanted(scene.prepared()))
    scene.ask(scene.accepting.opened(scene.row))
    assert scene.one.store.accept_requests() == []


def test_a_rehearsal_takes_no_changes(scene):
    rehearsed = Accepting(scene.one.spool, scene.one.feeder, scene.one.pool, scene.told.append)
    with pytest.raises(WrongState, match="a rehearsal takes no changes"):
        scene.ask(rehearsed.ask("spring", now=NOW))
