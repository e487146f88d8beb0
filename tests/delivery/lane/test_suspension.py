from __future__ import annotations

from random import Random

import pytest

from bulkmail.delivery.lane.suspension import SiteState, Suspension
from bulkmail.delivery.message import Message
from bulkmail.mail import Category, Fate, Outcome, Reply, Stage

DOWN = Outcome(Fate.LOST, Stage.CONNECT, None, "connection refused", category=Category.CONNECTION)
DAY = 86400.0
EPOCH = 1_700_000_000.0


def suspension(one, key="a.example"):
    settings = one.settings
    return Suspension(key, "", clocks=one.clocks, facts=one.facts, pause=one.pause, retry=settings.retry, rng=Random(0))


class Scene:
    def __init__(self, world):
        self.one = world()
        self.run = self.one.campaign({"a.example": 20})
        self.outage = suspension(self.one)

    def charge(self, message, outcome, provider, took):
        """Charge a message; until when the site is suspended."""
        self.outage.failed(outcome, self.one.wall() - took)
        charged, began, since = self.outage.charge(message)
        self.one.ledger.record(message, charged, provider, began, since)
        return self.outage.until

    def message(self):
        got = []
        self.one.spool.claim(1, 1).addCallback(got.extend)
        self.one.run(0.1)
        return Message(got[0], "a.example", self.run, None)


@pytest.fixture
def scene(world):
    return Scene(world)


def test_well_at_first(scene):
    assert scene.outage.since is None
    assert not scene.outage.outlasts(scene.run, 1e9)


def test_one_is_charged_and_the_site_rests_longer_each_time(scene):
    rests = []
    for message in [scene.message() for _ in range(4)]:
        now = scene.one.clocks.now()
        rests.append(scene.charge(message, DOWN, "", 0.25) - now)
        scene.one.clock.advance(rests[-1] + 1)
    for rest, planned in zip(rests, [600, 600, 1800, 3600], strict=True):
        assert planned <= rest <= planned * 1.11
    assert [attempt[1:] for attempt in scene.one.attempts()] == [(1, "deferred", "connection")] * 4
    assert len({attempt[0] for attempt in scene.one.attempts()}) == 4, "a fresh recipient does not begin the wait anew"


def test_it_began_with_its_first_failure_and_ends_with_a_success(scene):
    began = scene.one.wall()
    scene.charge(scene.message(), DOWN, "", 0.25)
    scene.one.clock.advance(5000)
    scene.charge(scene.message(), DOWN, "", 0.25)
    assert scene.outage.since == pytest.approx(began, abs=1)
    scene.outage.recovered()
    assert scene.outage.since is None


def test_since_when_is_known_after_a_restart_and_the_wait_is_not_begun_anew(scene, world):
    began = scene.one.wall()
    rest = scene.charge(scene.message(), DOWN, "", 0.25)
    two = world(facts=scene.one.facts)
    two.clock.advance(rest + 1)
    again = suspension(two, "a.example")
    assert again.since == pytest.approx(began, abs=1)
    run = two.campaign({"a.example": 1})
    assert not again.outlasts(run, two.clocks.now())
    assert again.outlasts(run, 3 * DAY + 1)
    assert suspension(two, "b.example").since is None


def test_an_outage_that_is_over_is_not_remembered(scene, world):
    scene.charge(scene.message(), DOWN, "", 0.25)
    assert scene.one.facts.changed
    scene.outage.recovered()
    assert suspension(world(facts=scene.one.facts), "a.example").since is None


def test_an_outage_is_remembered_for_twice_the_time_that_anybody_may_wait(scene, world):
    rest = scene.charge(scene.message(), DOWN, "", 0.25)
    two = world(facts=scene.one.facts)
    two.clock.advance(rest + 6 * DAY - 1)
    assert suspension(two, "a.example").since is not None
    two.clock.advance(2)
    assert suspension(two, "a.example").since is None


def test_it_outlasts_a_campaign_only_after_the_campaigns_own_time(scene):
    rest = scene.charge(scene.message(), DOWN, "", 0.25)
    assert not scene.outage.outlasts(scene.run, rest)
    scene.one.clock.advance(3 * DAY + 1)
    assert scene.outage.outlasts(scene.run, scene.one.clocks.now())
    fresh = scene.one.campaign({"a.example": 1}, "fresh")
    fresh.started_at = scene.one.wall()
    assert not scene.outage.outlasts(fresh, scene.one.clocks.now())


def test_who_expires_shows_what_the_site_was_last_seen_to_say(scene):
    charged = scene.message()
    scene.charge(charged, DOWN, "", 0.25)
    scene.outage.recovered()  # somebody may still be busy giving up the site's recipients
    assert scene.outage.expiry == (Category.CONNECTION, "connection refused", charged.claimed.id)


REFUSED = "5.7.1 our block list has your address"


def refusing(world, kit, rows=200, **shaping):
    """A campaign to one site that refuses everything for our address' sake."""
    w = world(settings=kit.retry())
    w.farm.connects = True
    w.farm.answers = lambda connection: w.clock.callLater(0.05, connection.answer, 550, REFUSED)
    return w, w.campaign({"a.example": rows})


def test_a_site_that_refuses_us_is_left_alone_and_the_others_wait(world, kit):
    w, run = refusing(world, kit)
    w.start()
    w.run(300)
    refused = w.statuses(run)["blocked"]
    assert 20 <= refused <= 40  # those that were under way beside the twentieth
    w.run(500)  # the first rest is over: one message finds out
    assert w.statuses(run)["blocked"] == refused + 1
    assert w.feeder.held == 0


def test_when_it_takes_a_message_again_the_others_follow(world, kit):
    w, run = refusing(world, kit)
    w.start()
    w.run(300)
    refused = w.statuses(run)["blocked"]
    w.farm.answers = 250
    w.until(lambda: run.complete, 3600)
    assert w.statuses(run) == {"blocked": refused, "delivered": 200 - refused}
    w.settle_down()
    w.check_empty()


def test_who_has_waited_for_too_long_expires_with_its_last_words(world, kit):
    w, run = refusing(world, kit, rows=60)
    w.start()
    w.until(lambda: run.complete, 5 * DAY)
    found = w.statuses(run)
    assert found["blocked"] + found["expired"] == 60
    assert found["expired"] > 10
    w.settle_down()
    w.check_empty()


def test_recipients_that_do_not_exist_are_no_refusal_of_us(world, kit):
    w = world(settings=kit.retry())
    w.farm.connects = True
    w.farm.answers = lambda connection: w.clock.callLater(0.05, connection.answer, 550, "5.1.1 no such user")
    run = w.campaign({"a.example": 100})
    w.start()
    w.until(lambda: run.complete, 300)
    assert w.statuses(run) == {"bounced": 100}


def test_an_outage_outlasts_what_a_recipient_may_wait_pauses_left_out(scene):
    one = scene.one
    scene.charge(scene.message(), DOWN, "", 0.0)
    assert not scene.outage.outlasts(scene.run, one.clocks.now() + 2 * DAY)
    assert scene.outage.outlasts(scene.run, one.clocks.now() + 4 * DAY), "counted at the end of the suspension"
    one.clock.advance(1.0)
    one.pause.uncharged.add(one.wall(), 2 * DAY)
    assert not scene.outage.outlasts(scene.run, one.clocks.now() + 4 * DAY)


REFUSED_US = Outcome(Fate.REFUSED, Stage.DOT, Reply(554, ("5.7.1 Go away",)))


def test_the_states_of_a_site_that_cannot_be_reached(scene):
    outage, clock = scene.outage, scene.one.clock
    assert (outage.state, outage.standstill) == (SiteState.READY, (SiteState.READY, "", None, None))
    outage.failed(DOWN, scene.one.wall())
    assert outage.state is SiteState.CHARGING
    assert outage.charging
    outage.unburden()
    assert outage.state is SiteState.READY
    until = scene.charge(scene.message(), DOWN, "", 0.0)
    assert outage.standstill == (SiteState.SUSPENDED, DOWN.note, scene.one.wall(), pytest.approx(EPOCH + until))
    assert outage.suspended
    clock.advance(until - clock.seconds())
    assert (outage.state, outage.suspended) == (SiteState.READY, False)


def test_a_site_that_refuses_us_is_probed_after_its_suspension(scene):
    outage, clock = scene.outage, scene.one.clock
    outage.suspend(scene.message(), REFUSED_US, refuses_us=True)
    assert (outage.state, outage.probing) == (SiteState.SUSPENDED, True)
    outage.reached()
    assert outage.since is not None, "a host that answers to refuse us is no recovery"
    clock.advance(outage.until - clock.seconds())
    assert outage.state is SiteState.PROBING
    assert "554 5.7.1 Go away" in repr(outage)
    outage.suspend(scene.message(), REFUSED_US, refuses_us=True)
    assert outage.state is SiteState.SUSPENDED
    clock.advance(outage.until - clock.seconds())
    outage.recovered()
    assert (outage.state, outage.since, outage.probing) == (SiteState.READY, None, False)


def test_a_site_that_another_machine_gets_is_not_suspended_here(scene):
    scene.charge(scene.message(), DOWN, "", 0.0)
    scene.outage.lift()
    assert (scene.outage.suspended, scene.outage.state) == (False, SiteState.READY)


def test_looking_at_the_state_changes_nothing(scene):
    """Since when a site refuses us is the same, whether or not its state was looked at between two suspensions."""
    began = scene.one.wall()
    looked_at, left_alone = scene.outage, suspension(scene.one, "b.example")
    for message in [scene.message(), scene.message()]:
        for outage in (looked_at, left_alone):
            outage.suspend(message, REFUSED_US, refuses_us=True)
        scene.one.clock.advance(max(looked_at.until, left_alone.until) + 1 - scene.one.clock.seconds())
        assert looked_at.state is SiteState.PROBING
    assert looked_at.standstill == left_alone.standstill
    assert looked_at.standstill == (SiteState.PROBING, "554 5.7.1 Go away", pytest.approx(began, abs=0.5), None)


def test_what_people_read_of_a_suspension(scene):
    assert str(scene.outage.standstill) == "ready"
    scene.outage.failed(DOWN, scene.one.wall())
    assert str(scene.outage.standstill) == "charging since 2023-11-14T22:13:20Z: connection refused"
    scene.outage.suspend(scene.message(), DOWN)
    scene.outage.until = 60.5
    words = "suspended since 2023-11-14T22:13:20Z until 2023-11-14T22:14:20Z: connection refused"
    assert (str(scene.outage.standstill), repr(scene.outage)) == (words, f"<Suspension {words}>")


def test_a_site_that_no_recipient_waits_for_still_refuses_us(scene):
    """What ends is the outage, and with it the time that new recipients are said to have waited."""
    scene.outage.suspend(scene.message(), REFUSED_US, refuses_us=True)
    scene.outage.end_outage()
    assert (scene.outage.since, scene.outage.probing) == (None, True)
