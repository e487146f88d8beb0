from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import Category, Fate, Outcome, Reply, Stage
from bulkmail.shaping import Consequences, Feedback, TransactionResult, Verdict, WindowChange
from bulkmail.shaping.feedback import COMPLAINT_SETTLE, MOST_REFUSALS

OK = Outcome(Fate.ACCEPTED, Stage.DOT, Reply(250, ("2.0.0 Ok",)))
NO = Outcome(Fate.REFUSED, Stage.DOT, Reply(554, ("5.7.1 no",)))
LOST = Outcome(Fate.LOST, Stage.MAIL, note="gone")
UNKNOWN = Outcome(Fate.UNKNOWN, Stage.DOT, note="gone")
OURS = Outcome(Fate.REFUSED, Stage.MAIL, note="larger than the server takes")
FINE = Verdict(None, permanent=False)
ABOUT_US = Verdict(Category.SPAM_REPUTATION, permanent=True)
NO_MAILBOX = Verdict(Category.BAD_MAILBOX, permanent=True)
TOO_FAST = Verdict(Category.RATE_LIMITED, permanent=False, signal="rate")
TOO_MANY = Verdict(Category.RATE_LIMITED, permanent=False, signal="connections")
LATER = Verdict(Category.SPAM_REPUTATION, permanent=False)


def over(feedback: Feedback, *recipients: tuple[Outcome, Verdict], now: float = 0.0) -> Consequences:
    """The consequences of a transaction with these recipients, as a lane gathers them."""
    accepted = any(outcome.fate is Fate.ACCEPTED for outcome, _ in recipients)
    result = TransactionResult()
    for outcome, verdict in recipients:
        if outcome.fate is not Fate.ACCEPTED:
            result.note(outcome, verdict)
    if all(outcome.fate is Fate.ACCEPTED for outcome, _ in recipients):
        feedback.accepted()
        return Consequences(accepted=True, proven=True)
    return feedback.transaction_over(result, now, accepted=accepted)


@pytest.mark.parametrize("recipients", [1, 8])
def test_one_complaint_is_one_however_many_recipients_hear_it(recipients: int) -> None:
    """The reply to a transaction of eight recipients, and the 421 that closes the connection behind it."""
    feedback = Feedback()
    told = over(feedback, *[(NO, TOO_FAST)] * recipients)
    assert (told.signal, told.window) == ("rate", WindowChange.HALVE)
    assert feedback.connection_closed(421, "", 0.1).window is WindowChange.KEEP
    assert over(feedback, (NO, TOO_FAST), now=COMPLAINT_SETTLE - 0.1).window is WindowChange.KEEP
    assert over(feedback, (NO, TOO_FAST), now=COMPLAINT_SETTLE).window is WindowChange.HALVE


def test_a_connection_closed_with_421_took_less_than_it_was_given() -> None:
    feedback = Feedback()
    assert feedback.connection_closed(0, "", 0.0) == feedback.connection_closed(221, "", 0.0) == Consequences()
    assert feedback.connection_closed(421, "", 0.0) == Consequences(window=WindowChange.HALVE)


def test_a_site_that_leaves_messages_unanswered_gets_them_slower() -> None:
    feedback = Feedback()
    assert feedback.connection_closed(0, "rate", 0.0) == Consequences("rate")
    assert feedback.connection_closed(421, "rate", 0.0) == Consequences("rate", window=WindowChange.HALVE)


def test_the_worst_complaint_of_a_transaction_counts() -> None:
    assert over(Feedback(), (NO, TOO_MANY), (NO, TOO_FAST), (NO, TOO_MANY)).signal == "rate"
    assert over(Feedback(), (OK, FINE), (NO, TOO_MANY)).signal == "connections"


def test_greylisting_asks_for_no_smaller_window() -> None:
    greylisted = Verdict(Category.GREYLISTED, permanent=False, signal="greylist", wait=300.0)
    assert over(Feedback(), (NO, greylisted)) == Consequences(proven=True)


def test_no_reply_to_a_complete_message_starts_the_window_at_one() -> None:
    told = over(Feedback(), (UNKNOWN, LATER))
    assert (told.window, told.proven) == (WindowChange.RESET, False)


@pytest.mark.parametrize(
    ("recipient", "proven"),
    [((OK, FINE), True), ((NO, ABOUT_US), True), ((LOST, LATER), False), ((OURS, NO_MAILBOX), None)],
)
def test_a_server_that_answers_is_proven(recipient: tuple[Outcome, Verdict], proven: bool | None) -> None:
    assert over(Feedback(), recipient).proven is proven


def test_a_server_that_answers_rcpt_and_never_the_message_is_not_proven() -> None:
    no_such_user = Outcome(Fate.REFUSED, Stage.RCPT, Reply(550, ("5.1.1 no such user",)))
    assert over(Feedback(), (no_such_user, NO_MAILBOX), (UNKNOWN, LATER)).proven is False


@pytest.mark.parametrize("recipients", [1, 8])
def test_so_many_messages_in_a_row_are_refused_because_of_us(recipients: int) -> None:
    feedback = Feedback()
    told = [over(feedback, *[(NO, ABOUT_US)] * recipients).suspend for _ in range(MOST_REFUSALS)]
    assert told == [False] * (MOST_REFUSALS - 1) + [True]
    assert feedback.refuses_us
    assert over(feedback, (NO, ABOUT_US)).suspend, "a later try that is refused too"
    over(feedback, (OK, FINE))
    assert (feedback.refuses_us, feedback.refusals) == (False, 0)


@pytest.mark.parametrize("category", [Category.BAD_MAILBOX, Category.QUOTA, Category.TOO_LARGE])
def test_a_refusal_because_of_a_recipient_says_that_the_receiver_listens(category: Category) -> None:
    feedback = Feedback()
    for _ in range(MOST_REFUSALS - 1):
        over(feedback, (NO, ABOUT_US))
    assert not over(feedback, (NO, ABOUT_US), (NO, Verdict(category, permanent=True))).suspend
    assert feedback.refusals == 0


def test_what_is_not_for_ever_says_nothing() -> None:
    feedback = Feedback()
    for _ in range(MOST_REFUSALS - 1):
        over(feedback, (NO, ABOUT_US))
    assert not over(feedback, (NO, LATER)).suspend
    assert over(feedback, (NO, ABOUT_US)).suspend


EVENTS = st.lists(
    st.tuples(
        st.floats(0.0, 30.0),
        st.one_of(
            st.lists(
                st.sampled_from(
                    [(OK, FINE), (NO, ABOUT_US), (NO, TOO_FAST), (NO, TOO_MANY), (NO, NO_MAILBOX), (LOST, LATER)]
                ),
                min_size=1,
                max_size=8,
            ),
            st.just(421),
        ),
    ),
    max_size=60,
)


@given(EVENTS)
def test_the_window_is_halved_once_in_each_settling_time(events: list[tuple[float, object]]) -> None:
    feedback, now, halved, refusals = Feedback(), 0.0, [], 0
    for wait, event in events:
        now += wait
        if isinstance(event, list):
            before = feedback.refusals
            told = over(feedback, *event, now=now)
            assert feedback.refusals in (0, before, before + 1), "one transaction is one refusal"
            assert told.suspend is (feedback.refuses_us and feedback.refusals == before + 1)
            refusals = feedback.refusals
        else:
            told = feedback.connection_closed(421, "", now)
            assert feedback.refusals == refusals
        if told.window is WindowChange.HALVE:
            halved.append(now)
    assert all(later - earlier >= COMPLAINT_SETTLE for earlier, later in itertools.pairwise(halved))
