from __future__ import annotations

from types import SimpleNamespace

import pytest

from bulkmail.delivery.habits import Habits
from bulkmail.mail import Category, Fate, Outcome, Stage
from bulkmail.settings import Settings
from bulkmail.shaping import Habit

A = "192.0.2.1"


@pytest.fixture
def one(world):
    return world()


def connected(one, *, in_clear=False, patient=False, provider="", ip=A):
    site = one.site("s.example", ip, provider=provider)
    lane = SimpleNamespace(site=site, limits=one.street.limits_of(site), habits=Habits(site, 100, one.street))
    one.street.connect(lane, "mx.example", ip, in_clear=in_clear, patient=patient, listener=None)
    return one.farm.made[-1].options


def test_how_a_connection_is_asked_for(one):
    options = connected(one)
    assert options["port"] == 25
    session = options["session_options"]
    assert (session.hostname, session.tls) == ("me.example", "opportunistic")
    assert (session.pipelining, session.chunking) == (True, True)
    assert options["timeouts"].connect == 5.0
    assert connected(one, patient=True)["timeouts"].connect == 30.0
    assert connected(one, in_clear=True)["session_options"].tls == "off"


def test_forbidden_addresses_are_asked_about_at_the_last_moment(one, world, monkeypatch):
    forbidden = connected(one)["forbidden"]
    assert forbidden("127.0.0.1")
    assert forbidden("93.184.215.14") is None
    monkeypatch.setattr("bulkmail.delivery.street.own_address", "93.184.215.14".__eq__)
    assert forbidden("93.184.215.14") == "an address of this machine"
    settings = Settings()
    from ipaddress import ip_network

    routing = settings.routing.model_copy(update={"allow_networks": (ip_network("127.0.0.0/8"),)})
    two = world(settings=settings.model_copy(update={"routing": routing}))
    assert connected(two)["forbidden"]("127.0.0.1") is None
    assert connected(two)["forbidden"]("10.0.0.1")


def test_an_address_that_answers_small_hellos_only_is_remembered(one):
    assert not connected(one)["session_options"].small_hello
    one.street.hello_unanswered(A)
    assert connected(one)["session_options"].small_hello
    assert not connected(one, ip="192.0.2.2")["session_options"].small_hello
    one.clock.advance(7 * 86400.0)
    assert not connected(one)["session_options"].small_hello
    one.street.hello_unanswered(A)
    one.street.tls_failed(A)
    assert not connected(one)["session_options"].small_hello


def test_a_broken_tls_is_remembered_for_the_address(one):
    one.street.tls_broken(A)
    assert connected(one)["session_options"].tls == "off"
    assert connected(one, ip="192.0.2.2")["session_options"].tls == "opportunistic"
    one.clock.advance(3 * 86400.0)
    assert connected(one)["session_options"].tls == "opportunistic"


def test_what_an_earlier_process_was_taught_is_known_to_this_one(world):
    one = world()
    one.street.tls_broken(A)
    assert connected(world(sites=one.street.sites))["session_options"].tls == "off"


def test_the_pace_that_complaints_brought_about_is_remembered_for_an_hour(world):
    one, now = world(), 0.0
    gate = one.street.gates.of_site("provider big", "", now).gate
    gate.slow_down(now, "rate")
    one.feeder.tidy()
    again = world(sites=one.street.sites)
    assert again.street.gates.of_site("provider big", "", now).gate.pace == (0.5, 0.5)
    assert again.street.gates.of_site("site", "", now).gate.pace == (1.0, 1.0)
    later = world(sites=one.street.sites)
    later.clock.advance(3600.0)
    assert later.street.gates.of_site("provider big", "", now).gate.pace == (1.0, 1.0)


def test_a_pace_that_is_whole_again_is_not_remembered(one):
    gate = one.street.gates.of_site("site", "", 0.0).gate
    gate.slow_down(0.0, "connections")
    one.feeder.tidy()
    assert [habit for _, habit in one.street.sites.take_changes()] == [Habit.WIDTH]
    while gate.pace < (1.0, 1.0):
        one.clock.advance(30.0)
        gate.speed_up(one.street.now())
    one.feeder.tidy()
    assert set(one.street.sites.take_changes().values()) == {None}


def test_limits_are_the_providers_or_the_default(world):
    one = world(providers={"big": {"mx": [".big.example"], "connections": 3}})
    assert one.street.limits_of(one.site("s", provider="big")).connections == 3
    assert one.street.limits_of(one.site("s")).connections == 10


def test_waits_of_our_own_are_shorter_in_a_rehearsal(world):
    assert world().street.scaled(60.0) == 60.0
    assert world(speed=600.0).street.scaled(60.0) == pytest.approx(0.1)


# the pause


def test_a_fault_pauses_for_five_seconds_and_is_told_once(one, monkeypatch):
    told = []
    monkeypatch.setattr("bulkmail.delivery.street._log.error", lambda _, **facts: told.append(facts["text"]))
    one.street.own_fault("disk full")
    one.street.own_fault("disk full")
    assert one.street.paused
    one.run(4.9)
    assert one.street.paused
    one.run(0.2)
    assert not one.street.paused
    one.street.own_fault("disk full")
    assert told == ["disk full"]
    one.run(6)
    one.street.own_fault("no route out")
    assert told == ["disk full", "no route out"]


def test_the_time_of_a_pause_is_charged_to_nobody(one):
    one.street.own_fault("disk full")
    one.run(3)
    one.street.own_fault("another")
    one.run(7)
    assert one.ledger.pauses.since(0) == pytest.approx(5.0)
    one.street.own_fault("again")
    one.run(7)
    assert one.ledger.pauses.since(0) == pytest.approx(10.0)


def test_nothing_is_sent_in_a_pause_and_all_of_it_after(one):
    one.farm.obliging()
    run = one.campaign({"a.example": 50})
    one.start()
    one.until(lambda: one.farm.sent, 5)
    one.street.own_fault("no route out")
    sent = len(one.farm.sent)
    one.run(4.5)
    assert len(one.farm.sent) == sent
    one.until(lambda: run.complete, 60)
    assert {attempt[1] for attempt in one.attempts()} == {1}


def test_all_is_well_again_once_a_receiver_answered(one):
    one.farm.obliging()
    one.street.own_fault("no route out")
    run = one.campaign({"a.example": 1})
    one.run(4.9)
    assert one.street.fault == "no route out"
    one.send(30)
    assert run.complete
    assert one.street.fault == ""


# messages


def message(one, run):
    from bulkmail.delivery.message import Message, Queue

    got = []
    one.spool.claim(1, 1).addCallback(got.extend)
    one.run(0.1)
    return Message(got[0], Queue(1, run, "a.example"), run, SimpleNamespace(hold=lambda _: None))


def test_the_next_try_of_a_campaign_is_its_earliest(one):
    run = one.campaign({"a.example": 2}, run=False)
    lost = Outcome(Fate.LOST, Stage.MAIL, None, "gone", category=Category.CONNECTION)
    _, first = one.street.record(message(one, run), lost, "", one.wall())
    assert run.next_try_at == first.next_at
    one.clock.advance(100)
    one.street.record(message(one, run), lost, "", one.wall())
    assert run.next_try_at == first.next_at


def test_an_outage_expires_who_waits_longer_than_a_recipient_may(one):
    day = 86400.0
    wall, now = one.wall(), one.street.now()
    assert not one.street.expires(wall - 2 * day, now)
    assert one.street.expires(wall - 4 * day, now)
    assert one.street.expires(wall - 2 * day, now + 2 * day), "counted at the end of the rest"
    one.ledger.pauses.add(wall, 2 * day)
    assert not one.street.expires(wall - 4 * day, now)


def test_what_is_held_is_counted_and_what_comes_free_is_told(one, monkeypatch):
    told = []
    monkeypatch.setattr(one.feeder, "freed", lambda: told.append(one.street.held))
    one.street.hold(3)
    one.street.hold(-1)
    assert (one.street.held, told) == (2, [2])
