from __future__ import annotations

from types import SimpleNamespace
from typing import ClassVar

from pydantic import TypeAdapter

from bulkmail.control.campaign_models import RecentAnswer
from bulkmail.control.recent import ATTEMPTS, LAST, is_told, light, recent
from bulkmail.report import wording_key
from bulkmail.spool import RecentAttempt


class Reader:
    tries: ClassVar = {}

    def __init__(self, attempts):
        self.attempts = attempts

    def campaign(self, name):
        return SimpleNamespace(id=7) if name == "spring" else None

    def recent(self, campaign, limit):
        assert (campaign, limit) == (7, ATTEMPTS)
        return self.attempts[:limit]

    def next_tries(self, campaign):
        assert campaign == 7
        return self.tries


def told(*attempts):
    found = recent(Reader(list(attempts)), "spring")
    TypeAdapter(RecentAnswer).validate_python(found)
    return found


GOOD = RecentAttempt("google", "delivered", "", 250, "2.0.0 OK", 1000.0, 40)
SLOW = RecentAttempt("yahoo", "deferred", "rate-limited", 421, "4.7.0 [TSS04] Messages from 192.0.2.1 deferred", 1e3, 9)


def test_a_campaign_that_is_not_there():
    assert recent(Reader([]), "sprin") is None


def test_nothing_was_said_yet():
    assert told() == {
        "campaign": "spring",
        "attempts": 0,
        "whole": True,
        "accepted_ms": None,
        "providers": [],
        "replies": [],
    }


def test_only_the_last_attempts_of_each_provider_say_how_it_stands():
    found = told(*[SLOW] * 3, *[GOOD] * 100, *[SLOW] * 100)
    assert found["providers"] == [
        {"provider": "google", "last": LAST, "delivered": LAST, "accepted_ms": (40, 40), "next_try_at": None},
        {"provider": "yahoo", "last": LAST, "delivered": 0, "accepted_ms": None, "next_try_at": None},
    ]
    assert found["attempts"] == 203


def test_replies_are_counted_by_their_words_and_good_ones_are_none():
    other = SLOW._replace(reply="4.7.0 [TSS04] Messages from 198.51.100.9 deferred", at=900.0)
    gone = RecentAttempt("", "failed", "bad-mailbox", 550, "5.1.1 <ann@a.example> unknown", 950.0, 5)
    found = told(SLOW, other, gone, GOOD)
    assert [(one["provider"], one["category"], one["count"]) for one in found["replies"]] == [
        ("yahoo", "rate-limited", 2),
        ("other", "bad-mailbox", 1),
    ]
    assert [one["last_at"][14:19] for one in found["replies"]] == ["16:40", "15:50"]
    assert "ann@" not in found["replies"][1]["reply"]


def test_a_reply_names_its_wording_by_which_those_behind_it_are_found():
    (one,) = told(SLOW)["replies"]
    assert one["wording"] == wording_key(SLOW.category, SLOW.code, SLOW.reply)
    assert is_told(SLOW)
    assert not any(map(is_told, (GOOD, SLOW._replace(reply=""), SLOW._replace(result="returned"))))


def test_what_came_back_later_is_no_attempt_of_ours():
    assert told(RecentAttempt("google", "returned", "bad-mailbox", None, "gone", 1.0, 0))["providers"] == []


def test_a_long_campaign_is_looked_at_in_part():
    assert told(*[GOOD] * (ATTEMPTS + 1))["whole"] is False


def test_when_those_who_wait_at_a_provider_are_tried_again():
    reader = Reader([SLOW])
    reader.tries = {"yahoo": 2000.0, "": 3000.5}  # the second has none of the last attempts
    found = recent(reader, "spring")["providers"]
    assert [(one["provider"], one["last"], one["next_try_at"]) for one in found] == [
        ("other", 0, "1970-01-01T00:50:00.500Z"),
        ("yahoo", 1, "1970-01-01T00:33:20.000Z"),
    ]


def test_a_light_for_a_provider():
    assert [light(0, 0), light(9, 0), light(10, 9), light(10, 8), light(50, 45), light(50, 44)] == [
        "over", "over", "good", "wrong", "good", "wrong"
    ]  # fmt: skip


def test_how_long_receivers_take_to_accept():
    found = told(*[GOOD._replace(duration_ms=one) for one in range(1, 101)], SLOW)
    assert [one["accepted_ms"] for one in found["providers"]] == [(50, 95), None]
    assert found["accepted_ms"] == (50, 95)
    assert told(GOOD._replace(duration_ms=1), GOOD._replace(provider="yahoo", duration_ms=9))["accepted_ms"] == (1, 9)
    assert told(GOOD._replace(duration_ms=7))["providers"][0]["accepted_ms"] == (7, 7)
