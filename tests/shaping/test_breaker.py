from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkmail.shaping import LEAST_COMPLAINTS, OTHER, PARTS, Back, Breaker, StopRules, Trip

RULES = StopRules()
outcomes = st.lists(st.sampled_from(["delivered"] * 6 + ["bounced", "blocked"]), max_size=400)


def fed(breaker, provider, statuses):
    return [trip for status in statuses if (trip := breaker.settled(provider, status)) is not None]


def test_a_tenth_bounced_is_tolerated_and_one_more_is_not():
    breaker = Breaker(RULES)
    assert fed(breaker, "google", ["delivered"] * 180 + ["bounced"] * 20) == []
    (trip,) = fed(breaker, "google", ["bounced"])
    assert trip == Trip("google", "bounced", 21, 201, 201, 10_000)
    assert trip.words == "21 of the last 201 messages to google bounced, and the limit is 10 % of 201, that is 20"
    assert breaker.stopped == {"google"}


def test_it_stops_as_soon_as_the_first_messages_cannot_become_good_any_more():
    (trip,) = fed(Breaker(RULES), "yahoo", ["blocked"] * 11)
    assert trip == Trip("yahoo", "blocked", 11, 11, 200, 5_000)
    assert fed(Breaker(RULES), "yahoo", ["blocked"] * 10) == []


def test_only_the_last_outcomes_count():
    breaker = Breaker(StopRules(first=10, of=20))
    assert fed(breaker, "google", ["bounced", "delivered"] + ["delivered"] * 19) == []
    assert fed(breaker, "google", ["bounced"]) == []  # the first one has left the window
    assert fed(breaker, "google", ["delivered"] * 20 + ["bounced"] * 2) == []
    assert len(fed(breaker, "google", ["bounced"])) == 1


def test_sites_of_no_known_provider_count_together():
    (trip,) = fed(Breaker(RULES), "", ["bounced"] * 21)
    assert trip.provider == OTHER
    assert "messages to other receivers bounced" in trip.words


def test_the_whole_campaign_stops_where_no_single_provider_does():
    breaker = Breaker(StopRules(first=10, of=50))
    trips = [breaker.settled(f"p{n}", "blocked") for n in range(3)]
    assert [trip and trip.provider for trip in trips] == ["p0", "p1", "p2"]  # each alone: more than 5 % of 10
    breaker = Breaker(StopRules(first=40, of=50))
    trips = [breaker.settled(f"p{n}", "blocked") for n in range(3)]
    assert trips[:2] == [None, None]
    assert trips[2].words == "3 of the last 3 messages were blocked, and the limit is 5 % of 40, that is 2"
    assert breaker.stopped == {""}
    assert fed(breaker, "p9", ["blocked"] * 50) == []  # it is stopped already


def test_a_provider_that_has_stopped_does_not_stop_the_others():
    breaker = Breaker(RULES)
    fed(breaker, "google", ["delivered"] * 300)
    assert [trip.provider for trip in fed(breaker, "yahoo", ["bounced"] * 300)] == ["yahoo"]
    assert [trip.provider for trip in fed(breaker, "google", ["bounced"] * 30)] == []


def test_a_limit_can_be_left_out_and_a_small_campaign_is_not_judged():
    assert fed(Breaker(StopRules(bounced=None, blocked=None)), "google", ["bounced", "blocked"] * 500) == []
    breaker = Breaker(RULES)
    assert [breaker.settled("google", "bounced", judge=False) for _ in range(100)] == [None] * 100
    assert breaker.settled("google", "bounced") is not None


@pytest.mark.parametrize("status", ["deferred", "expired", "unknown", "suppressed", "invalid"])
def test_what_no_receiver_has_said_for_good_does_not_count(status):
    breaker = Breaker(RULES)
    assert fed(breaker, "google", [status] * 1000) == []
    assert "stopped at none" in repr(breaker)


def test_a_full_mailbox_is_its_owners_matter():
    breaker = Breaker(RULES)
    assert [breaker.settled("google", "blocked", "quota") for _ in range(300)] == [None] * 300


def test_complaints_are_compared_with_all_that_was_taken_and_few_of_them_stop_nothing():
    breaker = Breaker(RULES)
    assert breaker.came_back({"google": Back(complained=LEAST_COMPLAINTS - 1)}, {"google": 200}) == []
    assert breaker.came_back({"google": Back(complained=6)}, {"google": 2000}) == []
    (trip,) = breaker.came_back({"google": Back(complained=7)}, {"google": 2000})
    assert trip.words == "7 of the 2,000 messages to google were complained about, and the limit is 0.3 % of 2,000"
    assert breaker.came_back({"google": Back(complained=9)}, {"google": 2000}) == []


def test_returned_messages_count_as_bounced_or_blocked():
    breaker = Breaker(RULES)
    assert breaker.came_back({"": Back(bounced=100)}, {"": 1000}) == []
    (trip,) = breaker.came_back({"": Back(bounced=101)}, {"": 1000})
    assert (trip.provider, trip.what, trip.bad) == (OTHER, "bounced", 101)


def test_what_came_back_of_all_providers_stops_all():
    breaker = Breaker(RULES)
    few = {f"p{n}": Back(complained=3) for n in range(3)}
    (trip,) = breaker.came_back(few, {f"p{n}": 900 for n in range(3)})
    assert (trip.provider, trip.bad) == ("", 9)


def test_a_release_forgives_what_was():
    breaker = Breaker(RULES)
    fed(breaker, "google", ["bounced"] * 21)
    breaker.came_back({"google": Back(complained=8)}, {"google": 1000})
    breaker.release("google")
    assert breaker.stopped == set()
    assert fed(breaker, "google", ["bounced"] * 20) == []
    assert breaker.came_back({"google": Back(complained=11)}, {"google": 1000}) == []
    assert len(breaker.came_back({"google": Back(complained=14)}, {"google": 1000})) == 1
    assert breaker.stopped == {"google"}
    breaker.release("google")
    breaker.hold("")
    assert fed(breaker, "google", ["bounced"] * 50) == []
    breaker.release("")
    assert len(fed(breaker, "google", ["bounced"] * 21)) == 1


def test_a_start_goes_on_with_the_window_of_the_last_process():
    breaker = Breaker(RULES)
    breaker.begin(
        [("google", "bounced", "")] * 20 + [("", "delivered", "")] * 9, {"yahoo": Back(complained=4)}, ["apple"]
    )
    assert breaker.stopped == {"apple"}
    assert len(fed(breaker, "google", ["bounced"])) == 1
    assert breaker.came_back({"yahoo": Back(complained=8)}, {"yahoo": 1000}) == []


@given(statuses=outcomes, first=st.integers(1, 60), more=st.integers(0, 60), limit=st.integers(1, PARTS))
@settings(max_examples=150)
def test_it_stops_exactly_when_its_last_outcomes_have_more_than_the_limit(statuses, first, more, limit):
    rules = StopRules(first=first, of=first + more, bounced=limit, blocked=limit)
    breaker, seen = Breaker(rules), []
    for status in statuses:
        seen = [*seen, status][-rules.of :]
        found = Counter(seen)
        worst = max(found["bounced"], found["blocked"]) * PARTS > limit * max(len(seen), first)
        trip = breaker.settled("google", status)
        assert (trip is not None) == worst
        if trip is not None:
            assert trip.bad * PARTS > trip.limit * trip.of
            return


@given(statuses=outcomes, limit=st.integers(1000, PARTS))
@settings(max_examples=50)
def test_after_a_release_old_outcomes_never_stop_it(statuses, limit):
    rules = StopRules(first=20, of=40, bounced=limit, blocked=limit)
    fresh, again = Breaker(rules), Breaker(rules)
    fed(again, "google", statuses)
    again.release("google")
    again.release("")
    assert fed(again, "google", statuses) == fed(fresh, "google", statuses)
