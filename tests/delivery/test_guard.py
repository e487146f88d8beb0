from __future__ import annotations

import pytest

from bulkmail.delivery.guard import Guard
from bulkmail.shaping import Back, StopRules

RULES = StopRules(first=10, of=20)
MANY = 1 << 20


def guarded(rows=1000, totals=None, rules=RULES):
    guard, told = Guard(rules, lambda: rows, totals, wait=60.0), []
    guard.on_trip(told.append)
    guard.on_room(lambda: told.append("room"))
    return guard, told


def settle(guard, canary, status, provider="google", **how):
    guard.settled(canary, provider, status, "", **{"attempted": True, "answered": True, **how})


def test_the_first_messages_at_a_provider_are_answered_before_the_rest():
    guard, told = guarded()
    canary = guard.take("google", 10)
    assert (guard.available("google", 0.0), guard.available("yahoo", 0.0)) == (0, 10)
    assert guard.waiting == ["google"]
    for _ in range(8):
        settle(guard, canary, "delivered")
    assert told == []
    settle(guard, canary, "delivered")
    assert told == ["room"]
    assert guard.available("google", 0.0) > MANY
    assert guard.take("google", 500) is None
    assert guard.waiting == []


def test_it_says_when_more_of_the_first_messages_are_sent():
    guard, _ = guarded()
    first = {provider: guard.take(provider, 10) for provider in ("google", "yahoo")}
    assert guard.again_at is None
    for provider, canary in first.items():
        for _ in range(10):
            settle(guard, canary, "deferred", provider)
    assert guard.again_at is None
    assert guard.available("yahoo", 30.0) == guard.available("google", 10.0) == 0
    assert guard.again_at == 70.0
    assert guard.available("google", 70.0) == 10
    assert guard.again_at == 90.0


def test_between_two_rounds_the_rest_waits_too():
    guard, _ = guarded()
    canary = guard.take("google", 10)
    for _ in range(10):
        settle(guard, canary, "deferred")
    assert (guard.waiting, canary.under_way) == (["google"], 0)
    assert guard.available("google", 0.0) == 0
    assert guard.available("google", 1000.0) == 10
    assert guard.waiting == []


def test_sites_of_no_known_provider_have_their_first_messages_together():
    guard, _ = guarded()
    guard.take("", 10)
    assert guard.available("", 0.0) == 0
    assert guard.waiting == ["other"]


def test_a_small_campaign_waits_for_nothing_and_stops_nowhere():
    guard, told = guarded(rows=10)
    canary = guard.take("google", 10)
    assert guard.available("google", 0.0) > MANY
    assert guard.waiting == []
    for _ in range(10):
        settle(guard, canary, "bounced")
    guard.came_back({"google": Back(complained=9)}, {"google": 10})
    assert told == ["room"]


@pytest.mark.parametrize("attempted", [True, False])
def test_a_message_without_an_attempt_gives_its_place_back(attempted):
    guard, told = guarded()
    canary = guard.take("google", 10)
    settle(guard, canary, "deferred" if attempted else "suppressed", attempted=attempted, answered=attempted)
    assert guard.available("google", 0.0) == (0 if attempted else 1)
    guard.give_back(canary, 3)
    assert guard.available("google", 0.0) == (3 if attempted else 4)
    assert told == ["room"] * (1 if attempted else 2)


def test_it_says_where_the_campaign_is_to_stop_and_a_release_begins_anew():
    guard, told = guarded(rules=StopRules(first=20, of=20))
    for status in ["delivered"] * 18 + ["bounced"] * 2:
        settle(guard, None, status)
    settle(guard, None, "bounced", answered=False)  # no server has said so
    assert told == []
    settle(guard, None, "bounced")
    assert [(trip.provider, trip.what) for trip in told] == [("google", "bounced")]
    guard.held([], ["google"])
    guard.held(["google"], [])
    settle(guard, None, "bounced")
    assert len(told) == 1
    assert "Guard" in repr(guard)


def test_another_machines_stop_counts_here_too():
    guard, told = guarded()
    guard.held([], [""])
    for _ in range(9):
        settle(guard, None, "bounced")
    assert told == []


def test_a_start_takes_what_was_sent_before_as_known():
    totals = {("google", "delivered", ""): 8, ("google", "deferred", "greylisted"): 1, ("", "suppressed", "listed"): 50}
    guard, _ = guarded(totals=totals)
    assert guard.available("google", 0.0) > MANY
    assert guard.available("", 0.0) == 10


def test_what_came_back_is_weighed():
    guard, told = guarded()
    guard.came_back({"google": Back(bounced=101)}, {"google": 1000})
    assert [trip.words for trip in told] == [
        "101 of the last 1,000 messages to google bounced, and the limit is 10 % of 1,000, that is 100"
    ]
