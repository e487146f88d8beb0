"""What comes back, through the one place for it; the spool is real, in memory."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from bulkmail.delivery.lifecycle.late import LateOutcomes, rules_of
from bulkmail.mail import LateEvent, LateResult, OwnFault, campaign_key, envelope_id, token
from bulkmail.settings import Settings, Suppression
from bulkmail.shaping import AutoSuppression, Judgements
from bulkmail.spool import LateCounts

BOUNCED = LateEvent(LateResult.RETURNED, 0.0, "bounced", "bad-mailbox", 550, "5.1.1", "no such user", key="k1")


class FakeReports:
    def __init__(self):
        self.asked, self.looks, self.looked_back, self.closed = [], 0, 0, False

    def ask(self, campaign_id):
        self.asked.append(campaign_id)

    def look(self):
        self.looks += 1

    async def look_back(self):
        self.looked_back += 1

    async def close(self):
        self.closed = True


class Scene:
    def __init__(self, world, run):
        self.world, self.run = world, run
        self.changed, self.reports = [], FakeReports()
        self.late = LateOutcomes(
            world.clocks, world.spool, AutoSuppression(), world.feeder.runs, self.changed.append, self.reports
        )
        self.late.start()

    def wait(self, work):
        got = []
        Deferred.fromCoroutine(work).addBoth(got.append)
        self.world.until(lambda: got, 10)
        if isinstance(got[0], Failure):
            got[0].raiseException()
        return got[0]

    def token(self, number):
        return token(self.run.content["key"], number)

    def agree(self):
        """The figures of the campaign that is being sent are those of the spool."""
        stored = {key: count for key, count in self.world.store.totals(self.run.id).items() if key[1] != "pending"}
        assert {key: count for key, count in self.run.totals.items() if count} == stored
        assert self.run.delivered == sum(count for key, count in stored.items() if key[1] == "delivered")


@pytest.fixture
def scene(world, fast):
    one = world(settings=fast())
    return Scene(one, one.campaign({"a.example": 6}, key=b""))


def sent(scene):
    scene.world.farm.obliging()
    scene.world.send()
    scene.world.run(1.0)
    return scene


def test_a_late_bounce_moves_the_figures_of_a_campaign_that_is_being_sent(scene):
    sent(scene)
    found = scene.wait(scene.late.returned(scene.token(2), BOUNCED))
    assert (found.campaign, found.address) == ("spring", "u2@a.example")
    assert (scene.run.by_status["bounced"], scene.run.delivered, scene.run.final) == (1, 5, 6)
    assert scene.run.complete
    scene.agree()
    scene.world.run(2.0)
    assert scene.changed == [scene.run]
    assert scene.run.late == LateCounts(returned=1)
    assert scene.reports.asked == []
    assert scene.late.counts == {"returned": 1}
    scene.wait(scene.late.returned(scene.token(2), BOUNCED))
    assert scene.late.counts == {"returned": 1}
    scene.world.run(2.0)
    assert scene.changed == [scene.run], "the same report is no news"
    assert repr(scene.late) == "<LateOutcomes {'returned': 1}>"


def test_a_report_is_judged_by_the_words_that_the_operator_has_at_that_time(scene):
    sent(scene)
    rules = [{"match": "no such user", "category": "policy"}]
    scene.late.apply(Judgements(Settings.model_validate({"classification": rules}).classification))
    scene.wait(scene.late.returned(scene.token(1), BOUNCED))
    scene.late.apply(None)
    scene.wait(scene.late.returned(scene.token(2), BOUNCED))
    assert (scene.run.by_status["blocked"], scene.run.by_status["bounced"], scene.run.delivered) == (1, 1, 4)
    scene.agree()


def test_the_members_of_a_transaction_have_their_tokens(scene):
    sent(scene)
    key = scene.run.content["key"]
    rows = envelope_id(key, 2, 4)
    asked = ["u3@a.example", "U5@a.example", "u9@a.example"]
    assert scene.wait(scene.late.members(rows, asked)) == {"u3@a.example": scene.token(3)}
    assert scene.wait(scene.late.members(envelope_id(campaign_key(bytes(32), 1), 1, 9), asked)) == {}
    assert scene.wait(scene.late.members(scene.token(3), asked)) == {}


def test_what_is_recorded_has_the_time_of_its_recording(scene):
    sent(scene)
    scene.wait(scene.late.complained(scene.token(1), LateEvent(LateResult.COMPLAINED, 5.0)))
    [(at,)] = scene.world.store.database.connection.execute("SELECT complained_at FROM late").fetchall()
    assert scene.world.wall() - 2.0 <= at <= scene.world.wall()


def test_a_failure_waits_for_the_end_of_its_row_and_is_judged_then(scene):
    farm = scene.world.farm
    farm.connects, farm.answers = True, lambda _: None
    scene.world.start()
    scene.world.until(lambda: farm.sent, 10)
    number = farm.sent[0][0] & 0xFFFF
    assert scene.wait(scene.late.returned(scene.token(number), BOUNCED)) is not None
    scene.world.run(3.0)
    assert scene.run.by_status["bounced"] == 0
    farm.obliging()
    for connection in farm.open:
        connection.answer()
    scene.world.send()
    scene.world.run(3.0)
    assert (scene.run.by_status["bounced"], scene.run.delivered) == (1, 5)
    assert scene.run.late == LateCounts(returned=1)
    scene.agree()
    assert not scene.late._waiting


def test_the_report_of_a_campaign_that_is_not_being_sent_is_asked_for(scene):
    sent(scene)
    scene.world.feeder.runs.clear()
    scene.wait(scene.late.unsubscribe(scene.token(3), "page"))
    assert scene.reports.asked == [scene.run.id]
    scene.wait(scene.late.unsubscribe(scene.token(3), "page"))
    assert scene.reports.asked == [scene.run.id]


def test_a_campaign_that_ends_before_its_counts_are_read_is_not_forgotten(scene):
    sent(scene)
    scene.wait(scene.late.unsubscribe(scene.token(3), "one-click"))
    scene.world.feeder.runs.clear()
    scene.world.run(2.0)
    assert scene.reports.asked == [scene.run.id]
    assert scene.changed == []


def test_who_unsubscribes_can_come_back(scene):
    sent(scene)
    assert not scene.wait(scene.late.find(scene.token(1))).unsubscribed
    assert scene.wait(scene.late.unsubscribe(scene.token(1), "one-click")).unsubscribed
    assert scene.wait(scene.late.find(scene.token(1))).unsubscribed
    assert not scene.wait(scene.late.resubscribe(scene.token(1), "page")).unsubscribed
    assert not scene.wait(scene.late.find(scene.token(1))).unsubscribed
    assert scene.late.counts == {"unsubscribed": 1, "resubscribed": 1}


def test_a_token_that_is_not_ours_costs_no_look_into_the_spool(scene):
    sent(scene)
    scene.wait(scene.late.find(scene.token(1)))
    scene.world.disk.fault = OwnFault("nobody may ask")
    assert scene.wait(scene.late.find("a" * 26)) is None
    assert scene.wait(scene.late.returned("", BOUNCED)) is None
    assert scene.wait(scene.late.unsubscribe("x" * 500, "page")) is None
    scene.late.unattributed("report")
    assert scene.late.strays == {"returned": 1, "unsubscribed": 1, "report": 1}
    assert not scene.late.counts


def test_before_the_first_campaign_no_token_is_ours(world):
    one = world()
    late = LateOutcomes(one.clocks, one.spool, AutoSuppression(), {}, [].append, FakeReports())
    got = []
    Deferred.fromCoroutine(late.find("a" * 26)).addBoth(got.append)
    one.until(lambda: got, 10)
    assert got == [None]


def test_what_cannot_be_written_is_not_said_to_be(scene):
    sent(scene)
    scene.wait(scene.late.find(scene.token(1)))
    scene.world.disk.fault = OwnFault("the disk is full")
    with pytest.raises(OwnFault, match="full"):
        scene.wait(scene.late.unsubscribe(scene.token(1), "page"))
    assert not scene.late.counts
    scene.world.disk.fault = None
    assert scene.wait(scene.late.unsubscribe(scene.token(1), "page")).unsubscribed


def test_a_fault_while_looking_after_is_told_and_tried_again(scene):
    from twisted.logger import capturedLogs

    sent(scene)
    scene.wait(scene.late.unsubscribe(scene.token(1), "page"))
    scene.late._waiting = True
    scene.world.disk.fault = OwnFault("the disk is full")
    with capturedLogs() as told:
        scene.world.run(2.0)
    assert any("full" in str(event.get("fault")) for event in told)
    scene.world.disk.fault = None
    scene.world.run(2.0)
    assert scene.run.late == LateCounts(unsubscribed=1)


def test_it_looks_each_second_until_it_is_closed(scene):
    scene.world.run(3.5)
    assert (scene.reports.looks, scene.reports.looked_back) == (3, 1)
    scene.wait(scene.late.close())
    scene.world.run(3.0)
    assert scene.reports.looks == 3
    assert scene.reports.closed


def test_the_rules_are_those_of_the_settings():
    assert rules_of(Suppression()) == AutoSuppression()
    given = {
        "auto": {
            "complained": "list",
            "unsubscribed": "all",
            "hard_bounce": {"after": 2},
            "soft_bounce": {"after": 0, "within": "7d"},
        },
        "hashed": True,
    }
    rules = rules_of(Suppression.model_validate(given))
    assert rules == AutoSuppression("list", "all", 2, 0, 7 * 86400.0, hashed=True)
