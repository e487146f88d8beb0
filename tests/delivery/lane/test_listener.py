"""What the connections of a lane tell, and what it changes: each thing once."""

from __future__ import annotations

import pytest

from bulkmail.mail import Rate, Stage
from bulkmail.settings import Settings

FAST = Rate(100_000, 1.0, 100_000)


def settings(**changed):
    made = Settings()
    default = made.shaping.default.model_copy(update={"rate": FAST, "connection_rate": FAST, **changed})
    return made.model_copy(update={"shaping": made.shaping.model_copy(update={"default": default})})


def windows(world, **changed):
    w = world(settings=settings(connections=1, messages_per_connection=1000, **changed))
    w.farm.obliging()
    w.farm.chunks = True
    return w


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
        from bulkmail.mail import Fate
        from tests.delivery.conftest import reply

        answer = reply(421, "4.7.28 too many messages, slow down")
        connection.settle_all(Fate.REFUSED, answer)
        connection.close(Stage.DOT, answer, "421 4.7.28 too many messages, slow down")
        w.farm.answers = 250

    w.farm.answers = complain
    w.until(lambda: w.farm.answers == 250, 60)
    assert lane.send_window.window == 8
    assert lane._limiter.limiter.factors[0] == 0.5


def test_one_reply_to_eight_equal_messages_is_one_refusal(world):
    w = windows(world)
    w.pool.same = True
    w.campaign({"a.example": 60})

    def refuse(connection):
        from bulkmail.mail import Fate
        from tests.delivery.conftest import reply

        connection.settle_all(Fate.REFUSED, reply(554, "5.7.1 your address is on our block list"))
        connection.again()

    w.farm.answers = refuse
    w.start()
    w.until(lambda: not w.feeder.held and len(w.attempts()) == 60, 60)
    transactions = sum(connection.messages for connection in w.farm.made)
    (lane,) = w.feeder.lanes.values()
    assert transactions < 20
    assert lane._listener._feedback.refusals == transactions
    assert (lane.suspended, lane.suspension.probing) == (False, False), "20 messages in a row are not there yet"


@pytest.mark.parametrize("code", [451, 550])
def test_each_recipient_of_a_transaction_is_recorded_and_the_transaction_counts_once(world, code):
    w = windows(world)
    w.pool.same = True
    run = w.campaign({"a.example": 40})
    w.farm.answers = code
    w.start()
    w.until(lambda: len(w.attempts()) == 40, 60)
    assert len({number for number, *_ in w.attempts()}) == 40
    assert w.feeder.held == 0
    assert w.statuses(run) == ({"deferred": 40} if code == 451 else w.statuses(run))


def test_an_idle_connection_that_would_use_bdat_is_closed_once_bdat_has_failed(world):
    w, lane = with_window(world, 2)
    w.until(lambda: not w.feeder.held and lane._idle, 60)
    (idle,) = lane._idle
    lane.session_closed(type("Gone", (), {"peer": idle.peer})(), chunking_failed=False)
    assert not idle.leaving
