from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import Category, Fate, Outcome, Reply, Stage
from bulkmail.shaping import (
    Fact,
    FactKind,
    Hint,
    Suspicion,
    describe_fact,
    hint,
    judge,
    learn,
    messages_now,
    outage,
    suspended_until,
    takes,
)

DAY = 86400.0
NOW = 1_700_000_000.0
WALL = st.floats(0, 4e9)
LOST = Outcome(Fate.LOST, Stage.CONNECT, note="the server closed the connection", category=Category.CONNECTION)


def said(text, stage=Stage.MAIL, code=421):
    return Outcome(Fate.LOST, stage, Reply(code, (text,)))


@pytest.mark.parametrize(
    ("kind", "days"),
    [
        ("follow", 7),
        ("pipelining", 7),
        ("chunking", 7),
        ("tls", 3),
        ("hello", 7),
        ("recipients", 1),
        ("rate", 7),
        ("width", 7),
    ],
)
def test_each_lesson_has_its_time(kind, days):
    fact = learn(FactKind(kind), NOW, 0.5)
    assert (fact.value, fact.since) == (0.5, NOW)
    assert fact.holds(NOW)
    assert fact.holds(NOW + days * DAY - 1)
    assert not fact.holds(NOW + days * DAY)


def test_a_fact_from_a_clock_that_was_ahead_is_not_believed():
    fact = learn(FactKind.TLS, NOW)
    assert fact.holds(NOW - 60), "clocks are set back by a little all the time"
    assert not fact.holds(NOW - 2 * DAY)


def test_every_habit_has_words_and_a_later_versions_its_name():
    said_of = {kind: describe_fact(kind, 20.0) for kind in FactKind}
    assert len(set(said_of.values())) == len(FactKind)
    assert said_of[FactKind.MESSAGES] == "takes 20 messages on a connection"
    assert describe_fact("rate", 0.5) == "complained: 50.0% of the rate is used"
    assert describe_fact("colour", 3.0) == "colour"


def test_an_outage_is_known_long_after_its_suspension():
    fact = outage(NOW, 3, NOW + 600, 3 * DAY)
    assert fact == Fact(FactKind.OUTAGE, 3, NOW, NOW + 600 + 6 * DAY)
    assert suspended_until("outage", fact.until, 3 * DAY) == NOW + 600
    assert suspended_until("tls", fact.until, 3 * DAY) is None


def test_the_number_doubles_each_day_up_to_the_setting():
    fact = takes(20, 100, NOW)
    assert [messages_now(fact, 100, NOW + days * DAY) for days in (0, 0.99, 1, 2, 2.99, 3)] == [20, 20, 40, 80, 80, 100]
    assert fact.until == NOW + 3 * DAY
    assert messages_now(None, 100, NOW) == 100
    assert messages_now(fact, 10, NOW) == 10, "the settings may have been lowered since"


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.just(n), st.integers(n + 1, 10_000))), WALL, WALL, WALL)
def test_from_1_to_the_setting_and_never_less_with_time(pair, now, first, second):
    learnt, most = pair
    fact = takes(learnt, most, now)
    early, late = (messages_now(fact, most, now + after) for after in sorted((first, second)))
    assert 1 <= early <= late <= most
    assert messages_now(fact, most, now) == learnt
    assert messages_now(fact, most, fact.until + 1) == most
    assert fact.until - now <= 14 * DAY, "not for ever"


@pytest.mark.parametrize(
    ("outcome", "quiet", "expected"),
    [
        (said("4.7.0 Too many messages in this connection"), 0.1, Hint.SAID),
        (said("too many  MESSAGES per session, see you", Stage.DOT), 900.0, Hint.SAID),
        (said("4.3.2 closing"), 0.1, Hint.PERHAPS),
        (said("4.3.2 closing", Stage.RCPT), 0.1, Hint.PERHAPS),
        (said("4.3.2 closing"), 30.0, Hint.NOTHING),  # an idle time-out that MAIL crossed on its way
        (said("4.3.2 closing", Stage.CONNECT), 0.1, Hint.PERHAPS),
        (said("4.4.2 timeout exceeded", Stage.CONNECT), 30.0, Hint.NOTHING),
        (said("4.3.2 closing", Stage.DOT), 0.1, Hint.NOTHING),
        (said("4.7.28 rate limit exceeded"), 0.1, Hint.NOTHING),
        (said("too many concurrent connections"), 0.1, Hint.NOTHING),
        (said("2.0.0 bye", Stage.CONNECT, 221), 0.1, Hint.NOTHING),
        (said("5.7.0 too many messages per connection", code=550), 0.1, Hint.NOTHING),
        (LOST, 0.1, Hint.PERHAPS),
        (LOST, 30.0, Hint.NOTHING),
        (Outcome(Fate.LOST, Stage.MAIL, category=Category.CONNECTION), 0.1, Hint.PERHAPS),
        (Outcome(Fate.LOST, Stage.RCPT, category=Category.CONNECTION), 0.1, Hint.NOTHING),
        (Outcome(Fate.LOST, Stage.MAIL, category=Category.NO_ANSWER), 0.1, Hint.NOTHING),
        (Outcome(Fate.LOST, Stage.CONNECT, note="given up"), 0.1, Hint.NOTHING),
    ],
)
def test_what_an_end_says(outcome, quiet, expected):
    assert hint(outcome, 20, quiet) is expected
    assert hint(outcome, 0, quiet) is Hint.NOTHING, "a connection that carried nothing says nothing of how many"


def test_one_close_is_a_suspicion_and_the_same_again_a_lesson():
    first = judge(Hint.PERHAPS, 20, 0.0, 10.0, None, None)
    assert first == Suspicion(20, 10.0)
    assert judge(Hint.PERHAPS, 20, 9.0, 11.0, None, first) == first, "opened before: the same occasion"
    assert judge(Hint.PERHAPS, 20, 10.0, 20.0, None, first) == 20
    assert judge(Hint.PERHAPS, 7, 10.0, 20.0, None, first) == Suspicion(7, 20.0)
    assert judge(Hint.NOTHING, 20, 10.0, 20.0, None, first) == first


def test_what_is_said_or_known_is_believed_at_once():
    assert judge(Hint.SAID, 20, 0.0, 10.0, None, None) == 20
    assert judge(Hint.PERHAPS, 20, 0.0, 10.0, 20, None) == 20
    assert judge(Hint.PERHAPS, 40, 0.0, 10.0, 20, None) == Suspicion(40, 10.0)


CLOSES = st.lists(st.tuples(st.sampled_from(Hint), st.integers(0, 60), st.floats(0, 100)), max_size=30)


@given(CLOSES)
def test_whatever_happens_only_a_number_that_was_carried_is_learnt(closes):
    known, suspicion, at = None, None, 0.0
    seen = set()
    for told, carried, after in closes:
        seen.add(carried)
        judged = judge(told, carried, at, at + after, known, suspicion)
        if isinstance(judged, int):
            assert judged >= 1
            assert judged in seen
            known, suspicion = judged, None
        else:
            suspicion = judged
        at += after


@given(st.lists(st.integers(1, 60), min_size=1, max_size=40))
def test_a_restart_that_ends_all_connections_teaches_nothing(carried):
    suspicion = None
    for count in carried:
        suspicion = judge(Hint.PERHAPS, count, 0.0, 100.0, None, suspicion)
        assert isinstance(suspicion, Suspicion)


@given(st.integers(1, 99))
def test_a_server_that_closes_without_a_word_does_so_twice_and_then_once_a_day(limit):
    most, known, suspicion, now = 100, None, None, NOW
    early = []
    for _ in range(4 * 24):  # a connection an hour, for four days
        may = messages_now(known, most, now)
        if may > limit:
            early.append(now)
            end = now + 60.0
            number = None if known is None else int(known.value)
            judged = judge(Hint.PERHAPS, limit, now, end, number, suspicion)
            if isinstance(judged, int):
                known, suspicion = takes(judged, most, end), None
            else:
                suspicion = judged
        now += 3600.0
    assert len(early) <= 2 + 4
    assert messages_now(known, most, now + 14 * DAY) == most, "a limit that was lifted is found"
