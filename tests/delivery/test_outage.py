from __future__ import annotations

import pytest

from bulkmail.delivery.message import Message, Queue
from bulkmail.delivery.outage import Outage, unroutable
from bulkmail.mail import Category, Fate, Outcome, Stage
from bulkmail.routing import RouteFailure

DOWN = Outcome(Fate.LOST, Stage.CONNECT, None, "connection refused", category=Category.CONNECTION)
DAY = 86400.0


class Scene:
    def __init__(self, world):
        self.one = world()
        self.run = self.one.campaign({"a.example": 20})
        self.outage = Outage(self.one.street, "a.example")

    def message(self):
        got = []
        self.one.spool.claim(1, 1).addCallback(got.extend)
        self.one.run(0.1)
        queue = Queue(1, self.run, "a.example")
        return Message(got[0], queue, self.run, None)


@pytest.fixture
def scene(world):
    return Scene(world)


def test_well_at_first(scene):
    assert scene.outage.since is None
    assert not scene.outage.outlasts(scene.run, 1e9)


def test_one_is_charged_and_the_site_rests_longer_each_time(scene):
    rests = []
    for message in [scene.message() for _ in range(4)]:
        now = scene.one.street.now()
        rests.append(scene.outage.charge(message, DOWN, "", 0.25) - now)
        scene.one.clock.advance(rests[-1] + 1)
    for rest, planned in zip(rests, [600, 600, 1800, 3600], strict=True):
        assert planned <= rest <= planned * 1.11
    assert [attempt[1:] for attempt in scene.one.attempts()] == [(1, "deferred", "connection")] * 4
    assert len({attempt[0] for attempt in scene.one.attempts()}) == 4, "a fresh recipient does not begin the wait anew"


def test_it_began_with_its_first_failure_and_ends_with_a_success(scene):
    began = scene.one.wall()
    scene.outage.charge(scene.message(), DOWN, "", 0.25)
    scene.one.clock.advance(5000)
    scene.outage.charge(scene.message(), DOWN, "", 0.25)
    assert scene.outage.since == pytest.approx(began, abs=1)
    scene.outage.over()
    assert scene.outage.since is None


def test_since_when_is_known_after_a_restart_and_the_wait_is_not_begun_anew(scene, world):
    began = scene.one.wall()
    rest = scene.outage.charge(scene.message(), DOWN, "", 0.25)
    two = world(sites=scene.one.street.sites)
    two.clock.advance(rest + 1)
    again = Outage(two.street, "a.example")
    assert again.since == pytest.approx(began, abs=1)
    run = two.campaign({"a.example": 1})
    assert not again.outlasts(run, two.street.now())
    assert again.outlasts(run, 3 * DAY + 1)
    assert Outage(two.street, "b.example").since is None


def test_an_outage_that_is_over_is_not_remembered(scene, world):
    scene.outage.charge(scene.message(), DOWN, "", 0.25)
    assert scene.one.street.sites.changed
    scene.outage.over()
    assert Outage(world(sites=scene.one.street.sites).street, "a.example").since is None


def test_an_outage_is_remembered_for_twice_the_time_that_anybody_may_wait(scene, world):
    rest = scene.outage.charge(scene.message(), DOWN, "", 0.25)
    two = world(sites=scene.one.street.sites)
    two.clock.advance(rest + 6 * DAY - 1)
    assert Outage(two.street, "a.example").since is not None
    two.clock.advance(2)
    assert Outage(two.street, "a.example").since is None


def test_it_outlasts_a_campaign_only_after_the_campaigns_own_time(scene):
    rest = scene.outage.charge(scene.message(), DOWN, "", 0.25)
    assert not scene.outage.outlasts(scene.run, rest)
    scene.one.clock.advance(3 * DAY + 1)
    assert scene.outage.outlasts(scene.run, scene.one.street.now())
    fresh = scene.one.campaign({"a.example": 1}, "fresh")
    fresh.started_at = scene.one.wall()
    assert not scene.outage.outlasts(fresh, scene.one.street.now())


def test_who_expires_shows_what_the_site_was_last_seen_to_say(scene):
    charged = scene.message()
    scene.outage.charge(charged, DOWN, "", 0.25)
    scene.outage.over()  # somebody may still be busy giving up the site's recipients
    other = scene.message()
    scene.outage.expire(other, "google")
    settlement = scene.one.spool.settlements[-1]
    assert (settlement.status, settlement.category, settlement.provider) == ("expired", "connection", "google")
    assert (settlement.note, settlement.reply_of) == ("connection refused", charged.claimed.id)


def test_who_may_have_a_copy_does_not_expire_with_the_site(scene):
    message = scene.message()
    message.claimed = message.claimed._replace(doubt=1)
    scene.outage.charge(scene.message(), DOWN, "", 0.25)
    scene.outage.expire(message, "")
    assert scene.one.spool.settlements[-1].status == "unknown"


@pytest.mark.parametrize("permanent", [True, False])
def test_a_domain_without_a_route(permanent):
    outcome = unroutable(RouteFailure(permanent, "bad-domain", "gone.example does not exist"))
    assert (outcome.fate, outcome.stage, outcome.permanent) == (Fate.LOST, Stage.DNS, permanent)
    assert (outcome.category, outcome.note) == (Category.BAD_DOMAIN, "gone.example does not exist")


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
    assert w.street.held == 0


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
