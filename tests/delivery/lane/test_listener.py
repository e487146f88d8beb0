"""What the connections of a lane tell, and what it changes: each thing once."""

from __future__ import annotations

from math import inf
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from bulkmail.delivery.lane.in_flight import Shipment
from bulkmail.mail import Fate, Outcome, Rate, Reply, Stage
from bulkmail.settings import Settings
from bulkmail.shaping import TransactionResult, classify
from bulkmail.shaping.feedback import COMPLAINT_SETTLE, MOST_REFUSALS

FAST = Rate(100_000, 1.0, 100_000)
DOWN = Outcome(Fate.LOST, Stage.CONNECT, None, "connection refused")
TOO_FAST = Outcome(Fate.REFUSED, Stage.DOT, Reply(421, ("4.7.28 too many messages, slow down",)))
REFUSES_US = Outcome(Fate.REFUSED, Stage.DOT, Reply(554, ("5.7.1 your address is on our block list",)))


def settings(**changed):
    made = Settings()
    default = made.shaping.default.model_copy(update={"rate": FAST, "connection_rate": FAST, **changed})
    return made.model_copy(update={"shaping": made.shaping.model_copy(update={"default": default})})


def windows(world, **changed):
    w = world(settings=settings(connections=1, messages_per_connection=1000, **changed))
    w.farm.obliging()
    w.farm.chunks = True
    return w


def opened(w, domain):
    """The open queues of a campaign without a row to send, one lane among them."""
    run = w.campaign({domain: 1}, run=False)
    w.feeder.runs[run.id] = run
    w.pause._paused = True  # nothing is claimed
    w.feeder.open_queues.open(1, run.id, domain)
    return w.feeder.open_queues


def with_window(world, size, rows=300):
    """A world whose lane sends windows of ``size`` messages by BDAT."""
    w = windows(world)
    w.campaign({"a.example": rows})
    w.start()
    w.until(lambda: any(lane.send_window.window >= size for lane in w.feeder.lanes.values()), 60)
    (lane,) = w.feeder.lanes.values()
    return w, lane


def test_one_421_halves_the_window_once_and_the_pace_once(world):
    """The reply to the last message of a window, and the close that it announces, are one complaint."""
    w, lane = with_window(world, 16)

    def complain(connection):
        answer = TOO_FAST.reply
        connection.settle_all(Fate.REFUSED, answer)
        connection.close(Stage.DOT, answer, "421 4.7.28 too many messages, slow down")
        w.farm.answers = 250

    w.farm.answers = complain
    w.until(lambda: w.farm.answers == 250, 60)
    assert lane.send_window.window == 8
    assert lane.limiter.limiter.pace == 0.5
    assert lane.limiter.complaint == (w.clocks.wall(), "421 4.7.28 too many messages, slow down")


def test_a_421_to_mail_is_no_attempt_and_its_words_are_kept_for_people(world):
    w = world()
    w.campaign({"a.example": 3})
    answer = Reply(421, ("4.7.0 [TSS04] Messages from 192.0.2.9 temporarily deferred",))

    def complain(connection):
        w.farm.answers = 250
        connection.settle(Fate.UNTRIED, Stage.MAIL, answer)
        connection.close(Stage.MAIL, answer, str(answer))

    w.farm.obliging()
    w.farm.answers = complain
    w.start()
    w.until(lambda: len(w.attempts()) == 3, 600)
    (lane,) = w.feeder.lanes.values()
    assert {result for _, _, result, _ in w.attempts()} == {"delivered"}
    assert lane.limiter.complaint is not None
    assert lane.limiter.complaint[1] == str(answer)


def test_one_reply_to_eight_equal_messages_is_one_refusal(world):
    w = windows(world)
    w.pool.same = True
    w.campaign({"a.example": 60})

    def refuse(connection):
        connection.settle_all(Fate.REFUSED, REFUSES_US.reply)
        connection.again()

    w.farm.answers = refuse
    w.start()
    w.until(lambda: not w.feeder.held and len(w.attempts()) == 60, 60)
    transactions = sum(connection.messages for connection in w.farm.made)
    (lane,) = w.feeder.lanes.values()
    assert transactions < 20
    assert lane._listener._feedback.refusals == transactions
    assert (lane.suspended, lane.suspension.probing) == (False, False), "20 messages in a row are not there yet"


def test_each_recipient_of_a_transaction_is_recorded(world):
    w = windows(world)
    w.pool.same = True
    run = w.campaign({"a.example": 40})
    w.farm.answers = 451
    w.start()
    w.until(lambda: len(w.attempts()) == 40, 60)
    assert len({number for number, *_ in w.attempts()}) == 40
    assert w.feeder.held == 0
    assert w.statuses(run) == {"deferred": 40}


@pytest.mark.parametrize("failed", [True, False])
def test_idle_connections_that_use_bdat_are_closed_once_bdat_has_failed(world, failed):
    w, lane = with_window(world, 2)
    w.until(lambda: not w.feeder.held and lane._idle, 60)
    (idle,) = lane._idle
    lane.session_closed(Gone(idle.peer), chunking_failed=failed)
    assert (idle.leaving, idle in lane._idle) == (failed, not failed)


class Gone:
    """Another connection of the lane, which has ended."""

    def __init__(self, peer):
        self.peer = peer


def over(lane, message, outcome, count):
    """That many transactions of one recipient came to this outcome."""
    for _ in range(count):
        shipment = Shipment([message])
        shipment.refused, shipment.result = (message, outcome), TransactionResult()
        shipment.result.note(outcome, classify(outcome))
        lane._listener.transaction_over(None, SimpleNamespace(context=shipment))


def test_a_site_that_refuses_what_was_in_flight_when_it_was_suspended_is_probed(world):
    """It was suspended for another reason, so the refusals start no suspension of their own."""
    w, lane = with_window(world, 2)
    w.until(lambda: not w.feeder.held, 60)
    message = SimpleNamespace(claimed=SimpleNamespace(id=1))
    lane.suspension.suspend(message, DOWN)
    until = lane.suspension.until
    over(lane, message, REFUSES_US, MOST_REFUSALS - 1)
    assert not lane.suspension.probing
    over(lane, message, REFUSES_US, 1)
    assert (lane.suspension.probing, lane.suspension.until) == (True, until)
    w.clock.advance(until - w.clock.seconds())
    assert lane.state == "probing"


COMPLAINTS = st.lists(
    st.tuples(st.floats(0.0, 3.0), st.integers(1, 8), st.sampled_from([TOO_FAST, REFUSES_US]), st.booleans()),
    min_size=1,
    max_size=40,
)


@settings_of_hypothesis(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(COMPLAINTS)
def test_one_complaint_changes_pace_window_and_block_once(world, complaints):
    """Whatever hears it: each recipient of a transaction, the close of its connection, or transactions beside it."""
    w = world(settings=settings(connections=1))
    lane = next(iter(opened(w, "a.example").lanes.values()))
    lane.send_window.window = window = 16
    limiter = lane.limiter.limiter
    heard, slowed, refusals, pace = -inf, -inf, 0, 1.0
    for wait, recipients, outcome, closes in complaints:
        w.clock.advance(wait)
        now = w.clocks.now()
        message = SimpleNamespace(claimed=SimpleNamespace(id=1))
        shipment = Shipment([message] * recipients, now)
        shipment.refused, shipment.result = (message, outcome), TransactionResult()
        for _ in range(recipients):
            shipment.result.note(outcome, classify(outcome))
        lane._listener.transaction_over(None, SimpleNamespace(context=shipment))
        if closes:
            lane._listener._apply(lane._listener._feedback.connection_closed(421, "", now), now, now, None)
        complaint = outcome is TOO_FAST
        if (complaint or closes) and now >= heard + COMPLAINT_SETTLE:
            window, heard = max(1, window // 2), now
        if complaint and now > slowed:  # what was handed over before the last one says nothing new
            pace, slowed = max(1 / 1024, pace / (2 if pace == 1.0 else 4)), now
        refusals += not complaint
        assert (lane.send_window.window, limiter.pace) == (window, pace)
        assert lane._listener._feedback.refusals == refusals
        assert lane.suspension.probing is (refusals >= MOST_REFUSALS)
    w.store.close()
