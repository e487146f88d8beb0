"""Steering over a world in memory: a spool that is real, connections that are the test's."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from bulkmail.delivery.lifecycle.steering import Steering
from bulkmail.mail import OwnFault, UnknownName, WrongState
from bulkmail.spool import CancelRequest, Hold


class Scene:
    """``domains``: how many rows at each. Those that begin with g are Google's."""

    def __init__(self, world, domains, **options):
        self.one = one = world(**options)
        one.farm.obliging()
        for domain in domains:
            if domain.startswith("g"):
                one.routes[domain] = one.site(domain, provider="google")
        self.run = one.campaign(domains)
        self.told = []
        self.steering = Steering(
            spool=one.spool,
            feeder=one.feeder,
            clocks=one.clocks,
            providers={"google", "yahoo"},
            changed=self.told.append,
        )

    def ask(self, work):
        done = Deferred.fromCoroutine(work)
        got = []
        done.addBoth(got.append)
        self.one.until(lambda: got, 10)
        if hasattr(got[0], "raiseException"):
            got[0].raiseException()
        return got[0]

    def left(self):
        return {connection.peer.ip: connection.messages for connection in self.one.farm.made}


@pytest.fixture
def scene(world, fast):
    return lambda domains, **options: Scene(world, domains, **{"settings": fast(), **options})


def test_after_a_pause_nothing_new_leaves_and_all_goes_back_without_an_attempt(scene):
    it = scene({"a.example": 3000, "b.example": 3000})
    one = it.one
    one.start()
    one.until(lambda: len(one.farm.sent) > 500)
    Deferred.fromCoroutine(it.steering.pause("spring", reason="the list is wrong", who="ann"))
    sent = len(one.farm.sent)
    one.run(5.0)
    on_the_wire = one.farm.sent[sent:]
    assert len(on_the_wire) <= len(one.farm.made), "only what was announced behind a message that was on its way"
    assert one.feeder.held == 0
    assert one.feeder.open_queues.queues == {}
    statuses = one.statuses(it.run)
    assert statuses == {"delivered": len(one.farm.sent), "pending": 6000 - len(one.farm.sent)}
    assert it.run.paused == "paused by ann: the list is wrong"
    assert it.told

    assert it.ask(it.steering.resume("spring", who="bob"))[0].kind == "paused"
    one.send()
    assert one.statuses(it.run) == {"delivered": 6000}
    assert len(one.attempts()) == 6000
    one.settle_down()
    one.check_empty()


def test_a_pause_at_a_provider_stops_that_one_only(scene):
    it = scene({"google.example": 300, "g2.example": 10, "b.example": 300})
    one = it.one
    it.ask(it.steering.pause("spring", provider="google"))
    one.start()
    one.until(lambda: one.statuses(it.run).get("delivered") == 300, 60)
    one.run(30.0)
    assert one.statuses(it.run) == {"delivered": 300, "pending": 310}
    assert one.routed.count("g2.example") == 1, "it is not routed again and again"
    assert one.feeder.held == 0
    assert it.run.paused == ""
    it.ask(it.steering.resume("spring"))
    one.send()
    assert one.statuses(it.run) == {"delivered": 610}


@pytest.mark.parametrize("provider", ["google", "partner at google"])
def test_a_pause_at_a_provider_takes_what_is_ready_there(scene, provider):
    """Also of those that a route has made a group there."""
    it = scene({"google.example": 2000, "b.example": 2000})
    one = it.one
    one.routes["google.example"] = one.site("google.example", provider=provider)
    one.start()
    one.until(lambda: len(one.farm.sent) > 300)
    it.ask(it.steering.pause("spring", provider="google"))
    one.run(2.0)
    ip = one.site("google.example").hosts[0].addresses[0]
    sent = sum(where == ip for _, _, where in one.farm.sent)
    assert 0 < sent < 2000
    one.run(60.0)
    assert one.statuses(it.run)["delivered"] == sent + 2000
    assert one.feeder.held == 0


def test_what_comes_back_untried_after_the_pause_is_not_sent_again(scene):
    it = scene({"a.example": 50})
    one = it.one
    one.farm.connects, one.farm.answers = True, lambda _: None
    one.start()
    one.until(lambda: one.farm.sent)
    it.ask(it.steering.pause("spring"))
    sent = len(one.farm.sent)
    for connection in one.farm.open:
        connection.abort("421")
    one.run(60.0)
    assert len(one.farm.sent) == sent
    assert one.statuses(it.run) == {"pending": 50}
    assert one.attempts() == []
    assert one.feeder.held == 0


def test_a_pause_for_some_time_ends_by_itself(scene):
    it = scene({"a.example": 10})
    one = it.one
    it.ask(it.steering.pause("spring", until=one.wall() + 7200.0))
    one.start()
    one.run(7000.0)
    assert one.statuses(it.run) == {"pending": 10}
    one.run(300.0)
    assert one.statuses(it.run) == {"delivered": 10}
    assert one.store.holds() == []


def test_each_kind_of_hold_is_released_by_itself(scene):
    it = scene({"a.example": 10})
    one = it.one
    it.ask(it.steering.hold("spring", "schedule", reason="not before 9"))
    it.ask(it.steering.pause("spring"))
    one.start()
    it.ask(it.steering.resume("spring"))
    one.run(5.0)
    assert it.run.paused == "waiting for its schedule: not before 9"
    assert one.statuses(it.run) == {"pending": 10}
    with pytest.raises(WrongState, match="spring is not paused; what holds it is all of it: its schedule lets"):
        it.ask(it.steering.resume("spring"))
    it.ask(it.steering.release("spring", "schedule"))
    one.run(5.0)
    assert one.statuses(it.run) == {"delivered": 10}


def test_a_stop_by_a_rule_is_resumed_like_a_pause(scene):
    it = scene({"a.example": 10})
    it.ask(it.steering.hold("spring", "rule", provider="google", reason="too many complaints"))
    with pytest.raises(WrongState, match="not paused at yahoo; what holds it is google: a rule has stopped it"):
        it.ask(it.steering.resume("spring", provider="yahoo"))
    assert [hold.kind for hold in it.ask(it.steering.resume("spring"))] == ["rule"]


def test_errors_are_told_in_a_sentence(scene):
    it = scene({"a.example": 1})
    one = it.one
    with pytest.raises(UnknownName, match="no campaign 'sprin'; the nearest is 'spring'"):
        it.ask(it.steering.pause("sprin"))
    with pytest.raises(UnknownName, match="no provider 'gogle'; the nearest is 'google'"):
        it.ask(it.steering.pause("spring", provider="gogle"))
    with pytest.raises(WrongState, match="until a time that has passed"):
        it.ask(it.steering.pause("spring", until=one.wall() - 1.0))
    with pytest.raises(WrongState, match="spring is not paused"):
        it.ask(it.steering.resume("spring"))
    one.store.set_state(it.run.id, "finished", one.wall())
    it.run.over = True
    for work in (it.steering.pause, it.steering.resume, it.steering.cancel):
        with pytest.raises(WrongState, match="spring is finished already, and cannot be"):
            it.ask(work("spring"))


def test_what_cannot_be_written_does_not_hold(scene):
    it = scene({"a.example": 100})
    one = it.one
    one.spool._writer.fault = OwnFault("the disk is full")
    with pytest.raises(OwnFault, match="the disk is full"):
        it.ask(it.steering.pause("spring"))
    assert not it.run.withheld
    one.spool._writer.fault = None
    one.send()
    assert one.statuses(it.run) == {"delivered": 100}


def test_a_campaign_that_is_not_sent_here_is_held_in_the_spool(scene):
    it = scene({"a.example": 10})
    one = it.one
    del one.feeder.runs[it.run.id]
    held = it.ask(it.steering.pause("spring", who="ann", provider="google"))
    assert held == Hold(it.run.id, "paused", "", held.since, "google", "ann", None)
    assert one.store.holds() == [held]
    it.ask(it.steering.begin(it.run))
    assert it.run.holds.active == (held,)


def test_what_another_process_has_written_is_obeyed(scene):
    it = scene({"a.example": 3000})
    one = it.one
    one.start()
    one.until(lambda: len(one.farm.sent) > 300)
    one.store.hold(Hold(it.run.id, "paused", "", one.wall()))
    it.steering.look()
    it.steering.look()
    one.run(1.0)
    sent = len(one.farm.sent)
    one.run(10.0)
    assert len(one.farm.sent) == sent < 3000
    one.store.lift(it.run.id, "paused", "", one.wall())
    it.steering.look()
    one.send()
    assert one.statuses(it.run) == {"delivered": 3000}


def test_the_time_of_a_hold_is_charged_to_no_recipient(scene, kit):
    settings = kit.retry(schedule=(600.0,), expire_after=3000.0)
    it = scene({"a.example": 2}, settings=settings)
    one = it.one
    one.farm.answers = 451
    one.start()
    one.run(1500.0)
    before = len(one.attempts())
    assert before >= 4
    it.ask(it.steering.pause("spring"))
    one.run(50_000.0)
    assert len(one.attempts()) == before
    it.ask(it.steering.resume("spring"))
    one.run(900.0)
    assert len(one.attempts()) > before
    assert one.statuses(it.run) == {"deferred": 2}, "half of their time is left"
    one.run(3000.0)
    assert one.statuses(it.run) == {"expired": 2}


def test_nor_is_it_where_the_pause_spans_a_restart(scene, kit):
    """And so it is with the pause of a campaign that holds itself, which ends when it is started anew."""
    settings = kit.retry(schedule=(600.0,), expire_after=3000.0)
    it = scene({"a.example": 1}, settings=settings)
    one = it.one
    one.farm.answers = 451
    one.start()
    one.run(1500.0)
    one.feeder.withholding.pause(it.run, "endless", [])
    one.run(1.0)
    del one.feeder.runs[it.run.id]
    one.clock.advance(50_000.0)
    again = type(it.run)(it.run.id, "spring", "/c", it.run.content, "retry", it.run.started_at, 1, import_done=True)
    it.ask(it.steering.begin(again))
    assert again.paused == ""
    one.feeder.runs[again.id] = again
    one.start()
    one.run(700.0)
    assert one.statuses(again) == {"deferred": 1}


def test_the_end_of_a_campaign_is_asked_for(scene):
    it = scene({"a.example": 10})
    it.ask(it.steering.cancel("spring", reason="wrong list", who="ann"))
    one = it.one
    assert one.store.campaign("spring").state == "cancelling"
    (request,) = one.store.cancel_requests()
    assert request == CancelRequest(it.run.id, "wrong list", "ann", request.since)
    with pytest.raises(WrongState, match="is being cancelled, which cannot be undone"):
        it.ask(it.steering.cancel("spring"))


def test_nothing_new_leaves_while_the_request_is_being_written(scene):
    it = scene({"a.example": 3000})
    one = it.one
    one.start()
    one.until(lambda: len(one.farm.sent) > 300)
    one.disk.delay = 5.0  # as behind a long transaction
    Deferred.fromCoroutine(it.steering.cancel("spring"))
    one.run(0.5)
    sent = len(one.farm.sent)
    one.run(4.0)
    assert len(one.farm.sent) == sent < 3000


def test_a_cancel_that_cannot_be_written_is_none(scene):
    it = scene({"a.example": 100})
    one = it.one
    one.disk.fault = OwnFault("the disk is full")
    with pytest.raises(OwnFault, match="the disk is full"):
        it.ask(it.steering.cancel("spring"))
    one.disk.fault = None
    assert not it.run.withheld
    one.send()
    assert one.statuses(it.run) == {"delivered": 100}


def test_a_campaign_that_has_ended_is_removed(scene, monkeypatch):
    it = scene({"a.example": 10})
    one = it.one
    monkeypatch.setattr("bulkmail.delivery.lifecycle.steering.os.path.lexists", lambda path: path == it.run.folder)
    with pytest.raises(WrongState, match="spring is running, and rows of it are not settled"):
        it.ask(it.steering.remove("spring"))
    one.send()
    one.run(1.0)
    one.store.set_state(it.run.id, "finished", one.wall())
    with pytest.raises(WrongState, match="its last report was not written"):
        it.ask(it.steering.remove("spring"))
    one.store.report_is_whole(it.run.id)
    it.ask(it.steering.remove("spring"))
    assert one.store.campaigns() == []


@pytest.mark.parametrize("how", ["its folder is gone", "it is asked for"])
def test_one_without_a_whole_report_is_removed_where(scene, monkeypatch, how):
    it = scene({"a.example": 1})
    asked = how == "it is asked for"
    monkeypatch.setattr("bulkmail.delivery.lifecycle.steering.os.path.lexists", lambda _: asked)
    it.one.send()
    it.one.run(1.0)
    it.one.store.set_state(it.run.id, "cancelled", it.one.wall())
    it.ask(it.steering.remove("spring", without_report=asked))
    assert it.one.store.campaigns() == []


def test_once_closed_it_does_nothing(scene):
    it = scene({"a.example": 10})
    it.ask(it.steering.pause("spring", until=it.one.wall() + 10.0))
    it.steering.close()
    it.steering.look()
    it.one.run(60.0)
    assert it.run.paused
