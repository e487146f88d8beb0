from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import FAILURES, MOST_LINES, Late, LateEvent, LateResult, Status, overwrites, tidied, weigh

EVENTS = st.builds(
    LateEvent,
    result=st.sampled_from(LateResult),
    at=st.floats(1.0, 1e9),
    status=st.sampled_from(["", "bounced", "blocked"]),
    key=st.sampled_from(["", "a", "b", "c"]),
)
STATUSES = st.sampled_from([str(status) for status in Status])


def failure(status: str = "bounced", *, key: str = "k", at: float = 9.0) -> LateEvent:
    return LateEvent(LateResult.RETURNED, at, status, "bad-mailbox", 550, "5.1.1", "no such user", "mx.test", key=key)


@pytest.mark.parametrize("status", ["delivered", "unknown"])
def test_a_late_failure_overwrites_what_does_not_know_better(status: str) -> None:
    weighed = weigh(Late(), failure("blocked"), status, 1)
    assert (weighed.status, weighed.line, weighed.late.late_at) == ("blocked", True, 9.0)


@pytest.mark.parametrize("status", ["bounced", "blocked", "expired", "duplicate", "invalid", "cancelled"])
def test_a_verdict_stands(status: str) -> None:
    weighed = weigh(Late(), failure(), status, 1)
    assert (weighed.status, weighed.line, weighed.late.late_at) == ("", True, None)


def test_a_suppressed_row_is_overwritten_where_a_copy_had_left() -> None:
    assert weigh(Late(), failure(), "suppressed", 0).status == ""
    assert weigh(Late(), failure(), "suppressed", 1).status == "bounced"


@pytest.mark.parametrize("status", ["pending", "deferred"])
def test_a_failure_waits_for_the_end_of_a_row(status: str) -> None:
    weighed = weigh(Late(), failure(), status, 1)
    assert weighed.waits
    assert weighed.line
    assert not weighed.status
    assert weighed.late.late_at is None
    assert overwrites(weighed.late, "delivered", 2)


def test_the_first_failure_stands() -> None:
    first = weigh(Late(), failure("blocked"), "delivered", 1)
    second = weigh(first.late, failure("bounced", key="other", at=10.0), first.status, 1)
    assert (second.status, second.line, second.late.late_at) == ("", True, 9.0)


@given(EVENTS, st.sampled_from(["complained", "unsubscribed"]), STATUSES)
def test_nothing_overwrites_a_complaint_or_an_unsubscribe(event: LateEvent, result: str, status: str) -> None:
    known = weigh(Late(), LateEvent(LateResult(result), 5.0), status, 1).late
    weighed = weigh(known, event, status, 1)
    assert not weighed.status
    if result == "complained":
        assert weighed.late.complained_at == 5.0
    elif event.result is not LateResult.RESUBSCRIBED:
        assert weighed.late.unsubscribed_at == 5.0


def test_a_resubscribe_takes_the_unsubscribe_back_and_nothing_else() -> None:
    known = Late(complained_at=3.0, unsubscribed_at=4.0)
    weighed = weigh(known, LateEvent(LateResult.RESUBSCRIBED, 5.0), "delivered", 1)
    assert (weighed.late.unsubscribed_at, weighed.late.complained_at, weighed.line) == (None, 3.0, True)
    assert not weigh(weighed.late, LateEvent(LateResult.RESUBSCRIBED, 6.0), "delivered", 1).line


@given(STATUSES, st.sampled_from([LateResult.ANSWERED, LateResult.RETURNED]))
def test_an_answer_and_a_delay_change_no_status(status: str, result: LateResult) -> None:
    weighed = weigh(Late(), LateEvent(result, 2.0, key="k"), status, 1)
    assert weighed.line
    assert not weighed.status
    assert not weighed.waits
    assert weighed.late == Late(lines=1, seen=weighed.late.seen)


@given(st.lists(EVENTS, max_size=12), EVENTS.filter(lambda event: bool(event.key)), STATUSES)
def test_the_same_event_twice_is_once(events: list[LateEvent], event: LateEvent, status: str) -> None:
    late = Late()
    for one in events:
        late = weigh(late, one, status, 1).late
    once = weigh(late, event, status, 1)
    again = weigh(once.late, event, once.status or status, 1)
    assert not again.line
    assert not again.status
    assert not again.waits
    assert again.late == once.late


@given(st.lists(EVENTS, max_size=60), STATUSES)
def test_a_row_changes_its_status_once_at_most_and_only_to_a_failure(events: list[LateEvent], status: str) -> None:
    late, changes = Late(), []
    for event in events:
        weighed = weigh(late, event, changes[-1] if changes else status, 2)
        assert weighed.late.lines == late.lines + weighed.line
        assert (weighed.late.late_at is not None) == (late.late_at is not None or bool(weighed.status))
        late = weighed.late
        if weighed.status:
            assert weighed.line
            changes.append(weighed.status)
    assert len(changes) <= 1
    assert FAILURES.issuperset(changes)


@given(st.sampled_from([LateResult.ANSWERED, LateResult.RETURNED]))
def test_what_changes_nothing_fills_no_spool(result: LateResult) -> None:
    late = Late()
    for number in range(10 * MOST_LINES):
        late = weigh(late, LateEvent(result, 1.0, key=str(number)), "bounced", 1).late
    assert late.lines == MOST_LINES
    assert weigh(late, failure(), "delivered", 1).status == "bounced"


def test_an_unsubscribe_counts_however_often_it_was_taken_back() -> None:
    late = Late()
    for _ in range(10 * MOST_LINES):
        for result in (LateResult.UNSUBSCRIBED, LateResult.RESUBSCRIBED):
            late = weigh(late, LateEvent(result, 1.0), "delivered", 1).late
    assert late.lines == 2 * MOST_LINES
    assert weigh(late, LateEvent(LateResult.UNSUBSCRIBED, 2.0), "delivered", 1).late.unsubscribed_at == 2.0


@given(st.builds(LateEvent, result=st.sampled_from(LateResult), at=st.just(1.0), status=st.just("")), st.text())
def test_whatever_was_read_can_be_kept(event: LateEvent, text: str) -> None:
    kept = tidied(event._replace(reply=text, key=text, host=text))
    assert kept.smtp_code == 0 or 200 <= kept.smtp_code <= 599
    for value, longest in ((kept.reply, 512), (kept.key, 64), (kept.host, 255), (kept.enhanced, 20)):
        assert len(value) <= longest
        value.encode("utf-8")
        assert value.isprintable()
    assert " " not in kept.key
    assert tidied(kept) == kept


def test_what_is_fine_stays_as_it_is() -> None:
    assert tidied(failure()) == failure()
    assert tidied(failure()._replace(reply="a\r\n b\0\ud800 c", key="<a b@c>", smtp_code=10**20)) == failure()._replace(
        reply="a b c", key="<ab@c>", smtp_code=0
    )
