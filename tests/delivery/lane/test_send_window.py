"""Messages announced behind others: when a lane does it, what comes of it, and when it stops."""

from __future__ import annotations

import pytest

from bulkmail.delivery.lane.send_window import SendWindow
from bulkmail.mail import Category, Fate, Rate, Reply, Stage
from bulkmail.settings import Settings
from bulkmail.shaping import WindowChange
from bulkmail.smtp import Closed, Settled

FAILED = Closed(Stage.RCPT, None, "354 is no answer to RCPT", Category.PROTOCOL, pipelining_failed=True)


def limits(**changed):
    settings = Settings()
    default = settings.shaping.default.model_copy(update=changed)
    return settings.model_copy(update={"shaping": settings.shaping.model_copy(update={"default": default})})


def test_one_behind_the_dot():
    learned = SendWindow(16)
    assert [learned.room(flying, 500, chunking=False) for flying in (1, 2)] == [True, False]


def test_the_window_doubles_at_clean_barriers_with_more_to_send():
    learned = SendWindow(10)
    widths = []
    for _ in range(6):
        flying = 1
        while learned.room(flying, 500, chunking=True):
            flying += 1
        widths.append(flying)
        learned.cleared()
    assert widths == [1, 2, 4, 8, 10, 10]
    learned.room(1, 500, chunking=True)
    learned.cleared()
    assert learned.window == 10
    learned.change(WindowChange.HALVE)
    assert learned.window == 5
    learned.change(WindowChange.RESET)
    learned.cleared()
    assert learned.window == 1  # nothing was waiting


def full(window):
    while window.room(window.window, 500, chunking=True):
        pass
    window.cleared()
    return window.window


@pytest.mark.parametrize(
    ("change", "widths"),
    [(WindowChange.HALVE, [9, 10, 11, 12]), (WindowChange.RESET, [2, 4, 8, 9])],
)
def test_beyond_half_of_what_was_too_much_the_window_grows_by_one(change, widths):
    learned = SendWindow(100)
    while full(learned) < 16:
        pass
    learned.change(change)
    assert [full(learned) for _ in range(4)] == widths


def test_a_window_is_bounded_in_bytes_too():
    learned = SendWindow(100)
    learned.window = 100
    assert learned.room(3, 250_000, chunking=True)
    assert not learned.room(4, 250_000, chunking=True)
    assert not learned.room(1, 10_000_000, chunking=True)


def test_the_same_message_for_all_goes_out_in_transactions_of_many(world):
    w = windows(world, messages_per_connection=1000)
    w.pool.same = True
    run = w.campaign({"a.example": 300, "b.example": 100})
    w.send()
    assert w.statuses(run) == {"delivered": 400}
    assert sum(connection.messages for connection in w.farm.made) < 100
    w.settle_down()
    w.check_empty()


def windows(world, **changed):
    w = world(settings=limits(**{"connections": 1, "rate": Rate(100_000, 1.0, 100_000), **changed}))
    w.farm.obliging()
    w.farm.chunks = True
    return w


def test_all_connections_of_a_large_site_go_on_at_once_after_a_pause(world):
    """Each window has room for more, and each time the lane looks for work: not one inside of the other."""
    fast = Rate(100_000, 1.0, 100_000)
    w = windows(world, connections=250, messages_per_connection=1000, connection_rate=fast)
    w.farm.answers = lambda _: None
    run = w.campaign({"a.example": 2000})
    w.start()
    w.until(lambda: w.feeder.lanes)
    (lane,) = w.feeder.lanes.values()
    w.feeder.open_queues.supply_of(lane).target, lane.send_window = 1000, SendWindow(1)
    w.until(lambda: len(w.farm.open) >= 250)
    w.pause.own_fault("the disk is full")
    w.farm.answers = 250
    for connection in w.farm.open:
        connection.answer_all()
    assert sum(connection.ready for connection in w.farm.open) > 240
    assert len(lane.ready) > 500
    lane.send_window = SendWindow(2)
    lane.send_window.window = 2
    w.until(lambda: w.statuses(run) == {"delivered": 2000})
    assert len({number for number, *_ in w.farm.sent}) == len(w.farm.sent) == 2000


def test_windows_grow_and_everybody_gets_one_message(world):
    w = windows(world, messages_per_connection=1000)
    run = w.campaign({"a.example": 400})
    w.send()
    assert w.statuses(run) == {"delivered": 400}
    assert w.farm.widest == 16
    assert len({number for number, *_ in w.farm.sent}) == len(w.farm.sent) == 400
    times = sorted({at for _, at, _ in w.farm.sent})
    assert len(times) < 45  # round trips, with those at the beginning
    w.settle_down()
    w.check_empty()


def test_idle_connections_find_something_left(world):
    w = windows(world, connections=3, messages_per_connection=1000)
    run = w.campaign({"a.example": 600})
    w.send()
    assert w.statuses(run) == {"delivered": 600}
    carried = [connection.messages for connection in w.farm.made]
    assert len(carried) == 3
    assert min(carried) > 20


def test_a_window_ends_with_its_connection(world):
    w = windows(world, messages_per_connection=7)
    run = w.campaign({"a.example": 70})
    w.send()
    assert w.statuses(run) == {"delivered": 70}
    assert {connection.messages for connection in w.farm.made} == {7}


def test_a_window_is_no_faster_than_the_meter(world):
    w = windows(world, rate=Rate(10, 1.0, 1))
    run = w.campaign({"a.example": 50})
    w.send()
    assert w.statuses(run) == {"delivered": 50}
    times = sorted(at for _, at, _ in w.farm.sent)
    assert times[-1] - times[0] >= 4.8


def test_a_connection_that_dies_with_a_window_starts_the_next_one_small(world):
    w = windows(world, messages_per_connection=1000)
    run = w.campaign({"a.example": 200})
    w.start()
    w.until(lambda: w.farm.widest >= 8)
    widths = []

    def die(connection):
        widths.append(len(connection.flying))
        connection.settle_all(Fate.UNKNOWN, None, "gone")
        connection.close(None, None, "gone", Category.CONNECTION)
        w.farm.answers = 250
        w.farm.widest = 0

    w.farm.answers = die
    w.until(lambda: widths and w.farm.widest)
    assert widths[0] >= 8
    assert w.farm.widest == 1
    w.until(lambda: len(w.attempts()) >= 200)
    assert [result for _, _, result, _ in w.attempts()].count("unknown") == widths[0]
    assert run.id in w.changed


def test_a_server_that_does_not_understand_bdat_gets_data(world):
    w = windows(world)
    run = w.campaign({"a.example": 30})

    def refuse(connection):
        connection.settle_all(Fate.UNTRIED, None, "BDAT was offered and is refused")
        connection.close(Stage.DATA, None, "BDAT was offered and is refused", chunking_failed=True)
        w.farm.answers = 250

    w.farm.answers = refuse
    w.send()
    assert w.statuses(run) == {"delivered": 30}
    assert [connection.chunking for connection in w.farm.made][:2] == [True, False]
    w.settle_down()
    w.check_empty()


def test_once_bdat_is_refused_idle_connections_that_would_use_it_are_closed(world):
    w = windows(world, connections=4)
    w.farm.answers = lambda _: None
    run = w.campaign({"a.example": 40})
    w.start()
    w.until(lambda: len([c for c in w.farm.open if c.flying]) == 4)
    first, *others = w.farm.open
    for connection in others:
        connection.settle_all(Fate.ACCEPTED, Reply(250, ("ok",)))
    first.settle_all(Fate.UNTRIED, None, "BDAT was offered and is refused")
    first.close(Stage.DATA, None, "BDAT was offered and is refused", chunking_failed=True)
    for connection in others:
        connection.again()
    w.farm.answers = 250
    w.until(lambda: run.complete)
    assert all(connection.leaving for connection in others)
    assert not any(connection.chunking for connection in w.farm.made[4:])
    assert w.statuses(run) == {"delivered": 40}


def test_a_message_that_cannot_be_sent_leaves_the_window_open(world):
    w = windows(world)
    w.farm.unsendable = lambda transaction: (
        "bare CR" if transaction.context.messages[0].claimed.id & 0xFF in (2, 9) else ""
    )
    run = w.campaign({"a.example": 30})
    w.send()
    assert w.statuses(run) == {"delivered": 28, "invalid": 2}
    w.settle_down()
    w.check_empty()


def test_most_messages_are_announced_behind_others(world):
    w = world(settings=limits(connections=2, rate=Rate(100_000, 1.0, 100_000)))
    w.farm.obliging()
    run = w.campaign({"a.example": 500})
    w.send()
    assert w.statuses(run) == {"delivered": 500}
    assert len(w.farm.followed) > 400
    assert len({number for number, *_ in w.farm.sent}) == len(w.farm.sent) == 500
    w.settle_down()
    w.check_empty()


def test_a_connection_carries_no_more_than_it_may(world):
    w = world(settings=limits(messages_per_connection=4, connections=1))
    w.farm.obliging()
    run = w.campaign({"a.example": 20})
    w.send()
    assert w.statuses(run) == {"delivered": 20}
    assert {connection.messages for connection in w.farm.made} == {4}


def test_no_faster_than_the_meter(world):
    w = world(settings=limits(rate=Rate(10, 1.0, 1), connections=1))
    w.farm.obliging()
    w.farm.rtt = 0.01
    run = w.campaign({"a.example": 50})
    w.send()
    assert w.statuses(run) == {"delivered": 50}
    times = sorted(at for _, at, _ in w.farm.sent)
    assert times[-1] - times[0] >= 4.8


def behind(w):
    """A connection whose message is under way with another behind it."""
    w.start()
    w.until(lambda: w.farm.followed)
    return next(connection for connection in w.farm.open if connection.following is not None)


@pytest.mark.parametrize("fate", [Fate.ACCEPTED, Fate.REFUSED, Fate.UNKNOWN])
def test_what_was_behind_a_message_that_was_the_last_goes_again_at_once_and_alone(world, fate):
    w = world(settings=limits(connections=1))
    w.farm.connects = True
    run = w.campaign({"a.example": 3})
    w.farm.answers = lambda connection: w.clock.callLater(0.05, connection.dot)
    connection = behind(w)
    free = connection.following.context.messages[0]
    connection.lose(fate, Stage.DOT)
    w.farm.answers = 250
    w.until(lambda: len(w.attempts()) == 3)
    assert free.uncharged_tries == 1
    assert w.farm.followed.count(free.claimed.id) == 1
    results = {"accepted": "delivered", "refused": "failed", "unknown": "unknown"}
    assert [result for _, number, result, _ in w.attempts() if number == 1][1:] == ["delivered", "delivered"]
    assert run.id in w.changed
    assert str(fate) in results


def test_after_a_failure_nothing_follows_and_after_another_no_groups(world):
    w = world(settings=limits(connections=1))
    w.farm.connects = True
    w.farm.answers = lambda connection: w.clock.callLater(0.05, connection.dot)
    run = w.campaign({"a.example": 40})

    def fail(connection):
        connection.settle(Fate.UNKNOWN, Stage.DOT, None, "what?")
        connection.free()
        connection.close(Stage.DOT, None, "what?", Category.PROTOCOL, pipelining_failed=True)

    fail(behind(w))
    announced = len(w.farm.followed)
    w.until(lambda: any(connection.dotted for connection in w.farm.open))
    assert w.farm.made[-1].options["session_options"].pipelining
    assert len(w.farm.followed) == announced
    fail(next(connection for connection in w.farm.open if connection.dotted))
    w.farm.answers = 250
    w.until(lambda: run.complete)
    assert not w.farm.made[2].options["session_options"].pipelining
    assert len(w.farm.followed) == announced
    assert w.statuses(run) == {"delivered": 40}
    w.settle_down()
    w.check_empty()


def test_a_message_that_cannot_be_sent_leaves_the_dot_alone(world):
    w = world(settings=limits(connections=1))
    w.farm.obliging()
    w.farm.unsendable = lambda transaction: "bare CR" if transaction.context.messages[0].claimed.id & 0xFF == 2 else ""
    run = w.campaign({"a.example": 6})
    w.send()
    assert w.statuses(run) == {"delivered": 5, "invalid": 1}
    w.settle_down()
    w.check_empty()


def test_a_stop_cuts_both_and_charges_only_the_one_with_its_dot_out(world):
    w = world(settings=limits(connections=1))
    w.farm.connects = True
    w.farm.answers = lambda connection: w.clock.callLater(0.05, connection.dot)
    w.campaign({"a.example": 5})
    behind(w)
    assert w.feeder.open_queues.in_flight == 2
    w.feeder.stop()
    w.feeder.open_queues.abort()
    w.run(1.0)
    assert [result for _, _, result, _ in w.attempts()] == ["unknown"]
    assert w.feeder.held == 0
    assert w.spool.out == set()


def answers_too_many(connection):
    """The first recipient is taken, the others are refused for their place in line."""
    (transaction,), connection.flying = connection.flying, []
    for index in range(len(transaction.recipients)):
        fate, stage, answer = Fate.ACCEPTED, Stage.DOT, Reply(250, ("2.0.0 ok",))
        if index:
            fate, stage, answer = Fate.REFUSED, Stage.RCPT, Reply(452, ("4.5.3 too many recipients",))
        event = Settled(transaction, index, fate, stage, answer)
        connection.listener.settled(connection, transaction, index, event, connection.peer)
    connection.listener.transaction_over(connection, transaction)


def test_recipients_refused_for_their_place_in_line_after_a_stop_go_back_untouched(world):
    w = windows(world)
    w.pool.same = True
    w.farm.answers = lambda _: None
    w.campaign({"a.example": 8})
    w.start()
    w.until(lambda: w.farm.sent)
    w.feeder.stop()
    answers_too_many(w.farm.made[0])
    w.run(1)
    assert (w.feeder.held, w.spool.out) == (0, set())
    assert len(w.attempts()) == 1
    refused = {number for number, *_ in w.farm.sent} - {settled.recipient_id for settled in w.spool.settlements}
    assert len(refused) > 1
    assert {identity for identity, _ in w.journal.freed} == refused
