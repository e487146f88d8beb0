"""What ended connections teach, and what comes of it."""

from __future__ import annotations

import pytest
from twisted.logger import capturedLogs

from bulkmail.delivery.lane.quirks import ServerQuirks
from bulkmail.mail import Category, Fate, Peer, Reply, Stage
from bulkmail.settings import Settings
from bulkmail.smtp import Closed, Settled, Transaction

FAILED = Closed(Stage.RCPT, None, "354 is no answer to RCPT", Category.PROTOCOL, pipelining_failed=True)


def limits(**changed):
    settings = Settings()
    default = settings.shaping.default.model_copy(update=changed)
    return settings.model_copy(update={"shaping": settings.shaping.model_copy(update={"default": default})})


DOT_LOST = Closed(Stage.DOT, None, "the server closed the connection", Category.CONNECTION)
MX = Peer("mx1.a.example", "192.0.2.1")
GONE = Closed(None, None, "the server closed the connection", Category.CONNECTION)
DAY = 86400.0


def to(recipients, *, behind=False):
    return Transaction("s@me.example", tuple(f"u{n}@a.example" for n in range(recipients)), b"x", behind=behind)


class Scene:
    """The quirks of one server, and connections that are said to have ended."""

    def __init__(self, one, allowed=100):
        self.one, self.allowed = one, allowed
        self.site = one.site("a.example")
        self.again()

    def again(self):
        """A new lane to the same site."""
        self.quirks = ServerQuirks(self.site, self.allowed, self.one.facts, self.one.clocks, 3)

    def connection(self, messages=0, answer=250):
        made = self.one.farm.connect(None, MX, 25, listener=None)
        for _ in range(messages):
            fate = Fate.ACCEPTED if answer < 400 else Fate.REFUSED
            transaction = to(2)
            for index in (0, 1):
                event = Settled(transaction, index, fate, Stage.DOT, Reply(answer, ("x",)))
                self.quirks.settled(made, transaction, event)
        return made

    def end(self, closed=GONE, messages=0, *, connection=None, quiet=0.1):
        connection = connection or self.connection(messages)
        self.one.clock.advance(quiet)
        self.quirks.closed(connection, closed, MX)


@pytest.fixture
def scene(world):
    return Scene(world())


def test_two_failures_and_what_is_left(scene):
    scene.end(Closed(None, None, "idle"))
    assert (scene.quirks.follows, scene.quirks.groups) == (True, True)
    scene.end(FAILED)
    assert (scene.quirks.follows, scene.quirks.groups) == (False, True)
    scene.end(FAILED)
    assert (scene.quirks.follows, scene.quirks.groups) == (False, False)
    scene.end(FAILED)
    scene.again()
    assert (scene.quirks.follows, scene.quirks.groups, scene.quirks.chunks) == (False, False, True)
    scene.one.clock.advance(7 * DAY)
    scene.again()
    assert (scene.quirks.follows, scene.quirks.groups) == (True, True)


def test_connections_that_were_open_already_fail_for_the_same_reason(scene):
    both = [scene.connection(), scene.connection()]
    for connection in both:
        scene.end(FAILED, connection=connection)
    assert (scene.quirks.follows, scene.quirks.groups) == (False, True)
    scene.again()
    scene.end(FAILED)
    assert not scene.quirks.groups


def test_chunking_is_given_up_first_and_not_used_again(scene):
    scene.end(Closed(Stage.DATA, None, "BDAT was offered and is refused", chunking_failed=True))
    assert (scene.quirks.chunks, scene.quirks.groups, scene.quirks.follows) == (False, True, True)
    scene.again()
    assert not scene.quirks.chunks
    scene.one.clock.advance(7 * DAY)
    scene.end()
    assert scene.quirks.chunks, "a lane that lives for long finds out too"


def test_the_same_number_on_two_occasions_is_a_limit(scene):
    both = [scene.connection(20), scene.connection(20)]
    for connection in both:
        scene.end(connection=connection)
    assert scene.quirks.most == 100, "one restart ends many connections"
    scene.end(messages=20)
    assert scene.quirks.most == 20
    scene.again()
    assert scene.quirks.most == 20
    scene.one.clock.advance(DAY)
    scene.again()
    assert scene.quirks.most == 40
    scene.end(messages=20)
    assert scene.quirks.most == 20, "it stands"


def test_a_limit_that_is_said_is_one_at_once(scene):
    words = Reply(421, ("4.7.0 too many messages in this connection",))
    scene.end(Closed(Stage.MAIL, words, "421"), messages=7)
    assert scene.quirks.most == 7


@pytest.mark.parametrize(
    "many",
    [
        {"messages": 20, "quiet": 60.0},  # it was idle
        {"messages": 0},  # it carried nothing
        {"messages": 100},  # as many as we would have sent anyway
        {"messages": 20, "closed": Closed(None, Reply(221, ("bye",)), "the session ended with QUIT")},
        {"messages": 20, "closed": Closed(Stage.CONNECT, None, "given up")},  # by ourselves
        {"messages": 20, "closed": Closed(Stage.DOT, None, "late", Category.NO_ANSWER)},
    ],
)
def test_what_is_no_lesson_however_often(scene, many):
    for _ in range(5):
        scene.end(**many)
    assert scene.quirks.most == 100


def test_a_server_that_hangs_up_on_quit_teaches_nothing(scene):
    for _ in range(5):
        connection = scene.connection(1)
        connection.up = True
        scene.quirks.leave(connection)
        assert connection.leaving
        connection.closed = True  # before it said 221
        scene.end(connection=connection)
    assert scene.quirks.most == 100


def test_only_messages_that_the_server_answered_are_carried(scene):
    for _ in range(2):
        connection = scene.connection(4, answer=550)
        shut = Settled(None, 0, Fate.UNTRIED, Stage.MAIL, Reply(421, ("4.3.2 closing",)))
        scene.quirks.settled(connection, to(1), shut)
        scene.quirks.settled(connection, to(1), Settled(None, 0, Fate.UNTRIED, Stage.MAIL, None, "gone"))
        scene.end(Closed(Stage.MAIL, Reply(421, ("4.3.2 closing",)), "421"), connection=connection)
    assert scene.quirks.most == 4


def lose(scene, who, closed=DOT_LOST):
    """A connection that ended before the message to ``who`` was answered."""
    connection = scene.connection()
    transaction = Transaction("s@me.example", (who,), b"x")
    event = Settled(transaction, 0, Fate.UNKNOWN, Stage.DOT, None, "gone", Category.NO_ANSWER)
    scene.quirks.settled(connection, transaction, event)
    scene.one.clock.advance(1.0)
    return scene.quirks.closed(connection, closed, MX)


def test_a_site_that_leaves_one_message_after_the_other_unanswered_gets_one_on_a_connection(scene):
    with capturedLogs() as logged:
        assert [lose(scene, f"u{n}@a.example") for n in range(4)] == ["", "", "rate", "rate"]
    assert scene.quirks.most == 1
    (line,) = [entry for entry in logged if "without a reply" in entry["log_format"]]
    assert (line["site"], line["copies"]) == ("a.example", 3)
    scene.again()
    assert scene.quirks.most == 1, "it is remembered"
    assert lose(scene, "v@a.example") == "", "and what a new lane sees is judged anew"
    scene.one.clock.advance(DAY)
    scene.again()
    assert scene.quirks.most == 100


def test_one_recipient_or_one_break_says_nothing_of_the_site(scene):
    assert not any(lose(scene, "u@a.example") for _ in range(5))
    scene.again()
    connections = [scene.connection() for _ in range(5)]
    for n, connection in enumerate(connections):
        transaction = Transaction("s@me.example", (f"u{n}@a.example",), b"x")
        scene.quirks.settled(connection, transaction, Settled(transaction, 0, Fate.UNKNOWN, Stage.DOT))
    scene.one.clock.advance(1.0)
    assert not any(scene.quirks.closed(connection, DOT_LOST, MX) for connection in connections)
    assert scene.quirks.most == 100


def test_what_has_another_reason_is_no_such_site(scene):
    assert lose(scene, "u1@a.example", FAILED) == ""
    assert lose(scene, "u2@a.example", FAILED) == ""
    assert not scene.quirks.groups
    assert lose(scene, "u3@a.example", FAILED) == "rate", "nothing is left to blame"


def announced(scene, connection, fate=Fate.UNTRIED, category=Category.PROTOCOL, recipients=2):
    """What became of a message that stood behind another's dot; by itself it was taken for something else."""
    scene.one.clock.advance(1.0)
    transaction = to(recipients, behind=True)
    reply = Reply(250, ("ok",)) if fate is Fate.ACCEPTED else None
    for index in range(recipients):
        scene.quirks.settled(
            connection, transaction, Settled(transaction, index, fate, Stage.MAIL, reply, "503", category)
        )
    return scene.quirks.follows


def test_a_server_that_takes_nothing_behind_a_message_is_known_after_two_in_a_row(scene):
    connection = scene.connection()
    assert announced(scene, connection)
    scene.connection(3)  # those that stand alone say nothing of it
    assert announced(scene, connection, Fate.ACCEPTED), "it was the third of that kind"
    assert announced(scene, connection)
    assert announced(scene, connection, category=Category.CONNECTION), "the connection was lost"
    assert not announced(scene, scene.connection()), "two in a row, whatever the connection"
    scene.end(FAILED, connection=connection)
    assert scene.quirks.groups, "that one was open before"
    scene.again()
    assert not scene.quirks.follows


@pytest.mark.parametrize(
    ("recipients", "text", "expected"),
    [
        (30, "2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as X, but 1 REJECT", 1),
        (2, "2.7.0 Ok, discarded, id=1-2, but 2 BOUNCE, 1 DISCARD", 1),
        (1, "2.0.0 Ok, but 1 REJECT", 50),
        (30, "2.0.0 Ok: queued as 4BUT1REJECT", 50),
    ],
)
def test_one_answer_for_several_that_is_not_true_of_each_ends_sharing(scene, recipients, text, expected):
    transaction = to(recipients)
    event = Settled(transaction, 0, Fate.ACCEPTED, Stage.DOT, Reply(250, (text,)))
    told = scene.quirks.settled(scene.connection(), transaction, event)
    assert scene.quirks.recipients == expected
    assert told.note == (
        f"not for each of the {recipients} recipients, and it does not say for which" if expected == 1 else ""
    )
    scene.again()
    assert scene.quirks.recipients == expected
    scene.one.clock.advance(DAY)
    scene.again()
    assert scene.quirks.recipients == 50


@pytest.mark.parametrize(
    ("index", "stage", "words", "expected"),
    [
        (7, Stage.RCPT, (452, "4.5.3 too many recipients"), True),
        (7, Stage.RCPT, (452, "too many"), True),
        (7, Stage.RCPT, (552, "too many"), True),
        (7, Stage.RCPT, (550, "5.5.3 too many"), True),
        (7, Stage.RCPT, (452, "4.2.2 mailbox full"), False),
        (7, Stage.RCPT, (450, "later"), False),
        (7, Stage.DOT, (452, "4.5.3 too many recipients"), False),
        (0, Stage.RCPT, (452, "4.5.3 too many recipients"), False),
    ],
)
def test_how_many_recipients_a_transaction_may_have_is_learned_for_a_day(scene, index, stage, words, expected):
    event = Settled(None, index, Fate.REFUSED, stage, Reply(words[0], (words[1],)))
    assert scene.quirks.too_many(event, index) is expected
    assert scene.quirks.recipients == (7 if expected else 50)
    if expected:
        assert scene.quirks.too_many(event, 9), "they were on their way already"
    scene.again()
    assert scene.quirks.recipients == (7 if expected else 50)
    scene.one.clock.advance(DAY)
    scene.again()
    assert scene.quirks.recipients == 50


def hang_up_after(w, count):
    """A server that closes without a word instead of taking one more message."""

    def answers(connection):
        if connection.messages > count:
            w.clock.callLater(0.05, connection.lose, Fate.UNTRIED)
        else:
            w.clock.callLater(0.05, connection.answer)

    w.farm.connects, w.farm.answers = True, answers


def test_a_lane_finds_out_how_many_and_closes_by_itself_from_then_on(world):
    w = world(settings=limits(connections=2))
    hang_up_after(w, 5)
    run = w.campaign({"a.example": 200})
    w.send()
    assert w.statuses(run) == {"delivered": 200}
    assert [connection.messages for connection in w.farm.made[:2]] == [6, 6], "two lessons"
    assert {connection.messages for connection in w.farm.made[2:]} == {5}
    assert all(connection.leaving for connection in w.farm.made[2:]), "ended by QUIT"
    assert not [attempt for attempt in w.attempts() if attempt[2] != "delivered"], "the lessons cost nobody anything"
    again = world(settings=limits(connections=2), facts=w.facts)
    hang_up_after(again, 5)
    run = again.campaign({"a.example": 100})
    again.send()
    assert {connection.messages for connection in again.farm.made} == {5}
    assert all(connection.leaving for connection in again.farm.made), "a restart has forgotten nothing"


def test_no_window_is_larger_than_what_a_connection_takes(world):
    """Whoever is behind the limit is complete on the wire, so what became of it is unknown: a dear lesson."""
    w = world(settings=limits(connections=1))
    w.farm.chunks = w.farm.connects = True

    def answers(connection):
        over = max(0, connection.messages - 5)
        behind = [connection.flying.pop() for _ in range(over)]
        connection.settle_all(Fate.ACCEPTED, Reply(250, ("2.0.0 Ok",)))
        if not behind:
            connection.again()
            return
        connection.flying = behind
        connection.settle_all(Fate.UNKNOWN, None, "gone")
        connection.close(Stage.MAIL, None, "gone", Category.CONNECTION)

    w.farm.answers = answers
    run = w.campaign({"a.example": 60})
    w.send()
    assert w.statuses(run) == {"delivered": 60}
    carried = [connection.messages for connection in w.farm.made]
    assert carried[0] > 5 < carried[1]
    assert max(carried[2:]) == 5
    unknown = [attempt for attempt in w.attempts() if attempt[2] == "unknown"]
    assert len(unknown) == carried[0] + carried[1] - 10
