from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import Category, LateEvent, LateResult
from bulkmail.shaping import AutoSuppression, Suppress, bounce_of, is_hard, is_soft, to_suppress

RULES = AutoSuppression()
HARD = LateEvent(LateResult.RETURNED, 1.0, "bounced", "bad-mailbox")
FULL = LateEvent(LateResult.RETURNED, 1.0, "blocked", "quota", soft=True)
POLICY = LateEvent(LateResult.RETURNED, 1.0, "blocked", "policy")
DELAYED = LateEvent(LateResult.RETURNED, 1.0, "", "connection", soft=True)


def test_a_complaint_is_for_all_and_an_unsubscribe_for_the_list() -> None:
    complained, unsubscribed = (LateEvent(LateResult(text), 1.0) for text in ("complained", "unsubscribed"))
    assert to_suppress(RULES, complained, hard=0, soft=0) == Suppress(Category.COMPLAINED, "all")
    assert to_suppress(RULES, unsubscribed, hard=0, soft=0) == Suppress(Category.UNSUBSCRIBED, "list")
    assert to_suppress(RULES._replace(complained="none"), complained, hard=0, soft=0) is None
    wide = RULES._replace(unsubscribed="all")
    assert to_suppress(wide, unsubscribed, hard=0, soft=0) == Suppress(Category.UNSUBSCRIBED, "all")


@pytest.mark.parametrize(("after", "suppressed"), [(1, True), (2, True), (3, False), (0, False)])
def test_hard_bounces_suppress_from_so_many_on(after: int, suppressed: bool) -> None:
    found = to_suppress(RULES._replace(hard_after=after), HARD, hard=2, soft=0)
    assert (found == Suppress(Category.BOUNCED_BEFORE, "all")) is suppressed


@pytest.mark.parametrize(("soft", "suppressed"), [(4, False), (5, True), (6, True)])
def test_soft_bounces_suppress_from_so_many_on(soft: int, suppressed: bool) -> None:
    assert (to_suppress(RULES, FULL, hard=0, soft=soft) is not None) is suppressed
    assert to_suppress(RULES._replace(soft_after=0), FULL, hard=0, soft=soft) is None


def test_a_hard_bounce_is_not_counted_by_soft_ones_nor_the_reverse() -> None:
    assert to_suppress(RULES, FULL, hard=9, soft=1) is None
    assert to_suppress(RULES._replace(hard_after=2), HARD, hard=1, soft=9) is None


@given(st.integers(0, 100), st.integers(0, 100), st.sampled_from([POLICY, DELAYED]), st.integers(0, 3))
def test_a_block_by_policy_and_a_delay_never_suppress(hard: int, soft: int, event: LateEvent, after: int) -> None:
    rules = RULES._replace(hard_after=after, soft_after=after)
    assert to_suppress(rules, event, hard=hard, soft=soft) is None
    assert not is_hard(event)
    assert not is_soft(event)


@given(st.sampled_from([LateResult.ANSWERED, LateResult.RESUBSCRIBED]))
def test_answers_suppress_nobody(result: LateResult) -> None:
    assert to_suppress(RULES, LateEvent(result, 1.0, "bounced"), hard=9, soft=9) is None


@pytest.mark.parametrize(
    ("status", "category", "kind"),
    [
        ("bounced", "bad-mailbox", "hard"),
        ("bounced", "bad-domain", "hard"),
        ("blocked", "quota", "soft"),
        ("expired", "quota", "soft"),
        ("expired", "connection", "soft"),
        ("expired", "rate-limited", ""),
        ("expired", "schedule", ""),
        ("blocked", "policy", ""),
        ("blocked", "spam-reputation", ""),
        ("unknown", "no-answer", ""),
        ("deferred", "quota", ""),
        ("delivered", "", ""),
    ],
)
def test_what_an_attempt_says_of_its_address(status: str, category: str, kind: str) -> None:
    event = bounce_of(status, category, 5.0)
    assert (event is not None and is_hard(event)) is (kind == "hard")
    assert (event is not None and is_soft(event)) is (kind == "soft")
    assert event is None or event.at == 5.0
