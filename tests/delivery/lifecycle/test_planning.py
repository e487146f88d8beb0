"""The plan of a campaign whose rows are in a store, over sites that are made up."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from bulkmail.delivery.lifecycle.planning import Planning
from bulkmail.mail import OwnFault, Rate
from bulkmail.routing import RouteFailure
from bulkmail.settings import Settings
from bulkmail.spool import Reading, StoredPlan

EPOCH = 1_700_000_000.0


class Scene:
    """A campaign whose list was read: 20 rows at a domain of Google's, 10 at one of its own."""

    def __init__(self, one):
        self.one = one
        self.reads = 0
        one.routes = {
            "a.example": one.site("a.example", provider="google"),
            "gone.example": RouteFailure(True, "bad-domain", "NXDOMAIN"),
        }
        settings = Settings()
        default = settings.shaping.default.model_copy(update={"rate": Rate(2, 1.0, 1)})
        shaping = settings.shaping.model_copy(update={"default": default})
        self.planning = Planning(
            spool=one.spool,
            clocks=one.clocks,
            read=self.read,
            route=one.route,
            settings=lambda: settings.model_copy(update={"shaping": shaping}),
            processes=2,
        )
        self.run = one.campaign({"a.example": 20, "b.example": 10, "gone.example": 3})

    async def read(self, work):
        self.reads += 1
        reader = Reading()
        reader._db = self.one.store._db
        return work(reader)

    def plan(self, wait=5.0):
        self.planning.look(self.run)
        self.one.run(wait)
        return self.run.plan


@pytest.fixture
def scene(world):
    return Scene(world())


def test_the_plan_begins_at_the_start_and_goes_by_the_limits_of_each_destination(scene):
    plan = scene.plan()
    assert plan.begins_at == EPOCH
    assert plan.rows == 33
    assert plan.ends_at == pytest.approx(EPOCH + 20 / 2.0, abs=0.5)  # 2/s for each, 20 rows at the larger one
    assert plan.per_second == pytest.approx(30 / 10.0, rel=0.01)  # those of gone.example are not sent
    assert scene.one.store.plan(scene.run.id) == plan


def test_a_plan_that_the_spool_has_is_taken(scene):
    kept = StoredPlan(33, EPOCH - 500, EPOCH + 500, 0.033)
    scene.one.store.save_plan(scene.run.id, kept)
    assert scene.plan() == kept
    assert scene.reads == 0


def test_where_rows_were_added_to_a_finished_campaign_the_rest_is_planned_from_now_on(scene):
    scene.one.store.save_plan(scene.run.id, StoredPlan(30, EPOCH - 500, EPOCH - 400, 1.0))
    scene.one.clock.advance(100.0)
    plan = scene.plan()
    assert plan.rows == 33
    assert plan.begins_at == pytest.approx(EPOCH + 100, abs=1)
    assert scene.one.store.plan(scene.run.id) == plan


def test_a_machine_that_helps_makes_no_plan_and_finds_that_of_the_other_later(scene):
    scene.run.helped = True
    assert scene.plan(1.0) is None
    kept = StoredPlan(33, EPOCH, EPOCH + 500, 0.033)
    scene.one.store.save_plan(scene.run.id, kept)
    assert scene.plan(1.0) is None, "it is not looked for at each change"
    scene.one.run(10.0)
    assert scene.plan() == kept


def test_nothing_is_planned_before_the_list_was_read(scene):
    scene.run.import_done = False
    assert scene.plan() is None
    assert scene.reads == 0


def test_a_domain_that_cannot_be_looked_up_counts_as_a_site(scene):
    scene.one.routes["a.example"] = OwnFault("no resolver answers")
    plan = scene.plan()
    assert plan.ends_at == pytest.approx(EPOCH + 20 / 2.0, abs=0.5)


def test_a_spool_that_cannot_be_read_is_asked_again(scene):
    scene.one.disk.fault = OwnFault("disk full")
    assert scene.plan() is None
    scene.one.disk.fault = None
    scene.one.run(10.0)
    assert scene.plan() is not None


def test_while_a_plan_is_being_made_no_other_one_is_begun(scene):
    """Counting the rows of a very long list takes longer than the time until it is tried again."""
    counted = Deferred()
    read = scene.read

    async def slowly(work):
        await counted
        return await read(work)

    scene.planning._read = slowly
    for _ in range(10):
        scene.plan(30.0)
    counted.callback(None)
    assert scene.plan().rows == 33
    assert scene.reads == 1
