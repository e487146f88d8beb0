from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import Category, Fate, Outcome, Reply, Stage, Status
from bulkmail.shaping import Decision, Verdict, after_unknown, classify, decide, interval, longest_wait
from tests.retrying import RetryPlan

RETRY = RetryPlan()


class Loaded:
    """Dice that always fall the same way."""

    def __init__(self, value=0.0):
        self.value = value

    def random(self):
        return self.value


def after(outcome, verdict=None, paused=0.0, **given):
    arguments = {
        "attempts": 1,
        "copies": int(outcome.fate is Fate.UNKNOWN),
        "waiting_since": 1000.0 + paused,
        "now": 1000.0,
        "retry": RETRY,
        "on_unknown": "retry",
        "rng": Loaded(),
    }
    return decide(outcome, verdict or classify(outcome), **{**arguments, **given})


LOST = Outcome(Fate.LOST, Stage.CONNECT)
UNKNOWN = Outcome(Fate.UNKNOWN, Stage.DOT)
GREYLISTED = Outcome(Fate.REFUSED, Stage.RCPT, Reply(450, ("4.7.1 greylisted",)))


def test_delivered():
    assert after(Outcome(Fate.ACCEPTED, Stage.DOT, Reply(250, ("ok",)))) == Decision(Status.DELIVERED)


def test_an_untried_recipient_is_nothing_to_decide_about():
    with pytest.raises(AssertionError):
        after(Outcome(Fate.UNTRIED, Stage.MAIL))


def test_permanent_is_bounced_or_blocked():
    gone = Outcome(Fate.REFUSED, Stage.RCPT, Reply(550, ("5.1.1 no such user",)))
    listed = Outcome(Fate.REFUSED, Stage.RCPT, Reply(554, ("5.7.1 spamhaus",)))
    assert after(gone) == Decision(Status.BOUNCED, Category.BAD_MAILBOX)
    assert after(listed) == Decision(Status.BLOCKED, Category.SPAM_REPUTATION)


def test_the_nth_failure_waits_the_nth_interval_and_the_last_repeats():
    waits = [after(LOST, attempts=n).next_at - 1000.0 for n in range(1, 9)]
    assert waits == [600, 600, 1800, 3600, 7200, 14400, 14400, 14400]
    with pytest.raises(AssertionError):
        interval(RETRY, 0, Loaded())


def test_jitter_adds_a_tenth_at_most():
    assert after(LOST, rng=Loaded(0.5)).next_at == 1000.0 + 630.0
    assert after(LOST, rng=random.Random(3)).next_at < 1000.0 + 660.0


def test_an_ambiguous_attempt_is_repeated_late_or_kept():
    assert after(UNKNOWN) == Decision(Status.DEFERRED, Category.NO_ANSWER, 1900.0)
    assert after(UNKNOWN, attempts=9).next_at == 1900.0
    assert after(UNKNOWN, rng=Loaded(0.5)).next_at == 1000.0 + 945.0
    assert after(UNKNOWN, on_unknown="keep") == Decision(Status.UNKNOWN, Category.NO_ANSWER)


def test_a_second_copy_waits_for_the_schedule_and_after_the_last_it_is_given_up():
    assert after(UNKNOWN, attempts=2, copies=2).next_at == 1900.0, "never sooner than the first one"
    assert after(UNKNOWN, attempts=5, copies=2).next_at == 1000.0 + 7200.0
    assert after(UNKNOWN, attempts=5, copies=3) == Decision(Status.UNKNOWN, Category.NO_ANSWER)
    once = RetryPlan(unknown_attempts=1)
    assert after(UNKNOWN, retry=once) == Decision(Status.UNKNOWN, Category.NO_ANSWER)
    assert after(LOST, attempts=5, copies=2).next_at == 1000.0 + 7200.0, "what was not handed over is no copy"


def test_who_may_have_a_copy_does_not_expire():
    late = 1000.0 + 259200.0
    assert after(UNKNOWN, now=late) == Decision(Status.UNKNOWN, Category.NO_ANSWER)
    assert after(LOST, now=late, copies=1) == Decision(Status.UNKNOWN, Category.CONNECTION)
    assert after(LOST, now=late) == Decision(Status.EXPIRED, Category.CONNECTION)


def test_after_a_restart_there_are_no_dice():
    assert after_unknown(RETRY, attempts=1, copies=1) == 900.0
    assert after_unknown(RETRY, attempts=4, copies=2) == 3600.0
    assert after_unknown(RETRY, attempts=4, copies=3) is None


def test_greylisting_waits_its_own_time():
    assert after(GREYLISTED) == Decision(Status.DEFERRED, Category.GREYLISTED, 1300.0)
    named = Outcome(Fate.REFUSED, Stage.RCPT, Reply(450, ("4.7.1 greylisted for 60 seconds",)))
    assert after(named).next_at == 1060.0
    assert after(named, speed=60.0).next_at == 1001.0


def test_endless_greylisting_gets_ordinary_patience():
    assert after(GREYLISTED, attempts=3).next_at == 1300.0
    assert after(GREYLISTED, attempts=4).next_at == 1000.0 + 3600.0
    patient = Verdict(Category.GREYLISTED, permanent=False, signal="greylist", wait=14400.0)
    assert after(GREYLISTED, patient, attempts=4).next_at == 1000.0 + 14400.0


def test_it_expires_when_the_next_attempt_would_come_too_late():
    last = 1000.0 + RETRY.expire_after - 600.0
    assert after(LOST, now=last).status is Status.DEFERRED
    assert after(LOST, now=last + 1) == Decision(Status.EXPIRED, Category.CONNECTION)


def test_a_pause_stops_the_clock():
    late = 1000.0 + RETRY.expire_after
    assert after(LOST, now=late, paused=600.0).status is Status.DEFERRED
    assert after(LOST, now=late, paused=599.0).status is Status.EXPIRED


@given(
    st.sampled_from([LOST, UNKNOWN, GREYLISTED]),
    st.integers(1, 1000),
    st.floats(0, 4e5),
    st.floats(0, 1e5),
    st.floats(0, 1, exclude_max=True),
)
def test_it_is_either_final_or_has_a_time_before_the_end(outcome, attempts, age, paused, dice):
    decision = after(outcome, attempts=attempts, now=1000.0 + age, paused=paused, rng=Loaded(dice))
    assert decision.status.final == (decision.next_at is None)
    if decision.next_at is not None:
        assert 1000.0 + age < decision.next_at <= 1000.0 + paused + RETRY.expire_after
    assert decision.category is not None


@given(
    st.sampled_from([LOST, UNKNOWN, GREYLISTED]),
    st.integers(1, 100),
    st.floats(1, 14400),
    st.floats(0, 1, exclude_max=True),
)
def test_nobody_waits_for_longer_than_the_longest_wait(outcome, attempts, named, dice):
    verdict = Verdict(Category.GREYLISTED, permanent=False, signal="greylist", wait=named)
    for given_verdict in (verdict, classify(outcome)):
        decision = after(outcome, given_verdict, attempts=attempts, rng=Loaded(dice))
        assert decision.next_at is None or decision.next_at <= 1000.0 + longest_wait(RETRY)
