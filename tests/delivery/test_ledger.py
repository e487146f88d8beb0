from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from random import Random
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.ledger import Ledger
from bulkmail.delivery.message import Message
from bulkmail.delivery.pause import Pause
from bulkmail.delivery.run import Run
from bulkmail.mail import Category, Fate, Outcome, OwnFault, Peer, Reply, Stage, Status
from bulkmail.net import connect
from bulkmail.settings import Settings
from bulkmail.shaping import UnchargedTime
from bulkmail.spool import (
    Claimed,
    Journal,
    Reader,
    Settlement,
    SqliteStore,
    read_journal,
)
from tests.modelserver import EXTENSIONS, VERDICTS, Receiver

NOW = 1_700_000_000.0
PEER = Peer("mx.example", "192.0.2.1", "198.51.100.1", "TLSv1.3")


class Store:
    """The spool's side: what it was told, each waiting to become durable."""

    leases = None

    def __init__(self, journal):
        self.journal, self.settled, self.released, self.waiting = journal, [], [], []

    def settle(self, settlement):
        assert settlement.problem == ""
        self.settled.append(settlement)
        return self._later()

    def note(self, settlement):
        assert not settlement.next_at, "somebody waits for a row that is due again"
        assert settlement.problem == ""
        self.settled.append(settlement)

    def release(self, rows, next_at):
        self.released.append((rows, next_at))
        return self._later()

    def _later(self):
        self.waiting.append(Deferred())
        return self.waiting[-1]


class Scene:
    def __init__(self, kit, **retry):
        self.journal = kit.FakeJournal()
        self.store = Store(self.journal)
        self.now = NOW
        self.changed, self.due = [], []
        settings = kit.retry(**retry) if retry else Settings()
        self.clocks = Clocks(Clock(), lambda: self.now)
        self.pause = Pause(self.clocks)
        self.ledger = Ledger(
            spool=self.store,
            retry=settings.retry,
            pause=self.pause,
            clocks=self.clocks,
            rng=Random(1),
            changed=self.changed.append,
        )
        self.ledger.on_due(self.due.append)
        self.run = Run(1, "spring", "/c", {}, "retry", NOW, input_rows=10)

    def message(self, *, attempts=0, first=0.0, previous=("pending", "", ""), number=1):
        claimed = Claimed(1 << 40 | number, 1, 5, "a@b.example", "[]", 0, attempts, first, NOW, *previous)
        made = Message(claimed, "b.example", self.run, None)
        made.size = 1234
        return made


@pytest.fixture
def scene(kit):
    return Scene(kit)


def accepted():
    return Outcome(Fate.ACCEPTED, Stage.DOT, Reply(250, ("2.0.0 Ok: queued as 1",)), "", PEER)


def test_a_delivery(scene):
    one = scene.message()
    verdict, decision = scene.ledger.record(one, accepted(), "google", NOW - 1.5)
    assert (verdict.category, decision.status) == (None, Status.DELIVERED)
    (settlement,) = scene.store.settled
    assert settlement == Settlement(
        one.claimed.id, 5, "delivered", "", "google", settlement.attempt, NOW - 1.5, NOW, 0.0, 1234, ""
    )
    attempt = settlement.attempt
    assert attempt.result == "delivered"
    assert (attempt.at, attempt.number, attempt.smtp_code, attempt.enhanced) == (NOW, 1, 250, "2.0.0")
    assert (attempt.reply, attempt.stage, attempt.duration_ms) == ("2.0.0 Ok: queued as 1", "dot", 1500)
    assert (attempt.mx_host, attempt.mx_ip, attempt.source_ip, attempt.tls) == tuple(
        getattr(PEER, name) for name in ("host", "ip", "source_ip", "tls")
    )
    assert scene.run.by_status["delivered"] == 1
    assert scene.changed == [scene.run]


def test_a_reply_to_the_dot_is_journalled_before_the_store_hears_of_it(scene):
    one = scene.message(attempts=2, first=NOW - 9000)
    scene.ledger.about_to_dot(one)
    assert scene.journal.dots == [(one.claimed.id, 3)]
    heard = []
    scene.store.note = lambda _: heard.append(list(scene.journal.replies)) or Deferred()
    scene.ledger.record(one, accepted(), "", NOW)
    assert heard == [[(one.claimed.id, 3)]]


def test_a_2xx_that_is_not_proven_yet_is_journalled_and_nothing_more(scene):
    one = scene.message()
    scene.ledger.answered(one, accepted(), "google")
    assert scene.journal.replies == [(one.claimed.id, 1)]
    assert (scene.store.settled, scene.changed) == ([], [])
    assert scene.run.by_status["delivered"] == 0


def test_what_contradicts_a_journalled_2xx_is_journalled_too(scene):
    one = scene.message()
    scene.ledger.answered(one, accepted(), "")
    scene.ledger.record(one, Outcome(Fate.UNKNOWN, Stage.DOT, None, "lost count", PEER), "", NOW)
    assert scene.journal.replies == [(one.claimed.id, 1)] * 2
    (settlement,) = scene.store.settled
    assert (settlement.status, settlement.attempt.result) == ("deferred", "unknown")


def test_replies_before_the_dot_are_not_journalled_and_a_lost_one_is(scene):
    refused = Outcome(Fate.REFUSED, Stage.RCPT, Reply(550, ("5.1.1 no such user",)), "", PEER)
    lost = Outcome(Fate.UNKNOWN, Stage.DOT, None, "gone", PEER)
    scene.ledger.record(scene.message(number=1), refused, "", NOW)
    scene.ledger.record(scene.message(number=2), lost, "", NOW)
    assert [identity & 0xFF for identity, _ in scene.journal.replies] == [2], "a start then books why it was lost"


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(Fate.REFUSED, Stage.RCPT, Reply(550, ("5.1.1 no such user",)), "", PEER),
        Outcome(Fate.LOST, Stage.DATA, None, "gone", PEER),
    ],
)
def test_what_becomes_of_a_message_whose_dot_is_journalled_is_journalled_whatever_it_is(scene, outcome):
    """By BDAT the dot is journalled before RCPT is answered; a kill must not make a known refusal ambiguous."""
    one = scene.message()
    scene.ledger.about_to_dot(one)
    scene.ledger.record(one, outcome, "", NOW)
    assert scene.journal.replies == [(one.claimed.id, 1)]


def test_a_journalled_dot_is_taken_back_once(scene):
    one, other = scene.message(number=1), scene.message(number=2)
    scene.ledger.about_to_dot(one)
    for message in (one, one, other):
        scene.ledger.free(message)
    assert scene.journal.freed == [(one.claimed.id, 1)]
    scene.ledger.about_to_dot(one)
    scene.journal.fault = OwnFault("disk full")
    scene.ledger.free(one)


def test_no_dot_leaves_once_the_leases_have_run_out(scene):
    message = scene.message()
    scene.store.leases = SimpleNamespace(valid=True)
    scene.ledger.about_to_dot(message)
    scene.store.leases.valid = False
    with pytest.raises(OwnFault, match="leases have run out"):
        scene.ledger.about_to_dot(message)
    assert len(scene.journal.dots) == 1


def test_a_dot_that_cannot_be_journalled_must_not_leave(scene):
    scene.journal.fault = OwnFault("disk full")
    with pytest.raises(OwnFault, match="disk full"):
        scene.ledger.about_to_dot(scene.message())


def test_a_reply_that_cannot_be_journalled_is_stored_all_the_same(scene):
    scene.journal.fault = OwnFault("disk full")
    scene.ledger.record(scene.message(), accepted(), "", NOW)
    assert [settlement.status for settlement in scene.store.settled] == ["delivered"]


def test_a_deferral_is_due_once_the_spool_knows_it_and_not_before(scene):
    """A look for due rows in between would find nothing, and nobody would look again."""
    later = Outcome(Fate.REFUSED, Stage.RCPT, Reply(451, ("4.3.0 try later",)), "", PEER)
    _, decision = scene.ledger.record(scene.message(), later, "", NOW)
    assert decision.status is Status.DEFERRED
    assert 600 <= decision.next_at - NOW <= 660
    assert scene.store.settled[0].next_at == scene.store.settled[0].attempt.next_attempt_at == decision.next_at
    assert scene.due == []
    scene.store.waiting[0].callback(None)
    assert scene.due == [decision.next_at]


def test_what_goes_back_is_due_once_the_spool_knows_it(scene):
    messages = [scene.message(number=n) for n in (1, 2)]
    scene.ledger.give_back(messages, NOW + 60)
    assert scene.store.released == [([one.claimed for one in messages], NOW + 60)]
    assert scene.due == []
    scene.store.waiting[0].callback(None)
    assert scene.due == [NOW + 60]
    assert scene.changed == []


def test_giving_nothing_back_says_nothing(scene):
    scene.ledger.give_back([], NOW)
    assert scene.store.released == []


@pytest.mark.parametrize(
    ("outcome", "result", "status"),
    [
        (Outcome(Fate.UNKNOWN, Stage.DOT, None, "gone", PEER), "unknown", "deferred"),
        (Outcome(Fate.LOST, Stage.DATA, None, "gone", PEER), "deferred", "deferred"),
        (Outcome(Fate.REFUSED, Stage.RCPT, Reply(550, ("5.1.1 no such user",)), "", PEER), "failed", "bounced"),
        (Outcome(Fate.REFUSED, Stage.DOT, Reply(554, ("5.7.1 spam",)), "", PEER), "failed", "blocked"),
    ],
)
def test_results_and_statuses(scene, outcome, result, status):
    scene.ledger.record(scene.message(), outcome, "", NOW)
    (settlement,) = scene.store.settled
    assert (settlement.attempt.result, settlement.status) == (result, status)
    assert (settlement.completed_at > 0) == (status != "deferred")


def test_a_reply_that_needs_a_word_of_ours_has_it_behind_it(scene):
    reply = Reply(250, ("2.0.0 Ok, but 1 REJECT",))
    scene.ledger.record(scene.message(), Outcome(Fate.ACCEPTED, Stage.DOT, reply, "of 3", PEER), "", NOW)
    (settlement,) = scene.store.settled
    assert (settlement.status, settlement.attempt.reply) == ("delivered", "2.0.0 Ok, but 1 REJECT (of 3)")


def test_an_ambiguous_message_is_kept_where_the_campaign_says_so(scene):
    scene.run.on_unknown = "keep"
    scene.ledger.record(scene.message(), Outcome(Fate.UNKNOWN, Stage.DOT, None, "gone", PEER), "", NOW)
    assert scene.store.settled[0].status == "unknown"


def test_the_first_attempt_stays_the_first(scene):
    again = Outcome(Fate.LOST, Stage.MAIL, None, "gone", PEER)
    scene.ledger.record(scene.message(attempts=1, first=NOW - 4000, previous=("deferred", "quota", "")), again, "", NOW)
    (settlement,) = scene.store.settled
    assert settlement.first_attempt_at == NOW - 4000
    assert settlement.attempt.number == 2


def test_the_clock_of_one_never_tried_runs_from_the_start_of_the_outage(kit):
    scene = Scene(kit, expire_after=3600.0)
    down = Outcome(Fate.LOST, Stage.CONNECT, None, "connection refused", PEER, Category.CONNECTION)
    _, late = scene.ledger.record(scene.message(number=1), down, "", NOW, NOW - 3500)
    _, fresh = scene.ledger.record(scene.message(number=2), down, "", NOW)
    assert (late.status, fresh.status) == (Status.EXPIRED, Status.DEFERRED)


def test_a_pause_does_not_use_up_the_time_to_retry(kit):
    scene = Scene(kit, expire_after=3600.0)
    lost = Outcome(Fate.LOST, Stage.MAIL, None, "gone", PEER)
    tried = {"attempts": 1, "first": NOW - 3500, "previous": ("deferred", "connection", "")}
    scene.pause.uncharged.add(NOW, 1000.0)
    _, decision = scene.ledger.record(scene.message(number=1, **tried), lost, "", NOW)
    assert decision.status is Status.DEFERRED
    scene.pause.uncharged = UnchargedTime()
    _, decision = scene.ledger.record(scene.message(number=2, **tried), lost, "", NOW)
    assert decision.status is Status.EXPIRED


def test_a_row_is_counted_out_of_what_it_was(scene):
    scene.run.move(None, ("", "deferred", "quota"))
    scene.ledger.record(scene.message(attempts=1, first=NOW, previous=("deferred", "quota", "")), accepted(), "", NOW)
    assert scene.run.by_status["deferred"] == 0
    assert scene.run.by_status["delivered"] == 1


def test_an_end_without_an_attempt(scene):
    scene.ledger.close(
        scene.message(), Status.EXPIRED, Category.CONNECTION, "x" * 600, provider="google", reply_of=1 << 40 | 9
    )
    (settlement,) = scene.store.settled
    assert settlement.attempt is None
    assert (settlement.status, settlement.category, settlement.provider) == ("expired", "connection", "google")
    assert (settlement.completed_at, settlement.reply_of, len(settlement.note)) == (NOW, 1 << 40 | 9, 512)
    assert scene.run.final == 1


def test_a_long_reply_is_cut(scene):
    talk = Outcome(Fate.REFUSED, Stage.RCPT, Reply(550, ("5.1.1 " + "no " * 400,)), "", PEER)
    scene.ledger.record(scene.message(), talk, "", NOW)
    assert len(scene.store.settled[0].attempt.reply) == 512


def test_an_outcome_that_cannot_be_stored_is_logged_and_harms_nobody(scene):
    later = Outcome(Fate.REFUSED, Stage.RCPT, Reply(451, ("4.3.0 try later",)), "", PEER)
    scene.ledger.record(scene.message(), later, "", NOW)
    scene.store.waiting[0].errback(ValueError("contradicts itself"))
    assert scene.due == []


# -- the whole delivery, with real connections to model servers, killed at any time


class Killed(BaseException):
    """The process is dead."""


class Mortal(Journal):
    """Ends the process at the ``last`` thing it is told, before or ``after`` it is written."""

    last, after = 0, False

    @property
    def dead(self):
        return self.last <= 0

    def _append(self, record):
        self.last -= 1
        if self.last > 0 or (self.last == 0 and self.after):
            super()._append(record)
        if self.dead:
            raise Killed


class Socket:
    """A transport to a `Receiver`: bytes take a while, and the line breaks at the ``reads``th of ours."""

    def __init__(self, clock, protocol, receiver, reads, journal):
        self.clock, self.protocol, self.receiver, self.journal = clock, protocol, receiver, journal
        self.reads, self.half = reads, 0.025
        self.heard = 0
        self.over = False
        self.tell()

    def setTcpNoDelay(self, _):
        pass

    def getHost(self):
        return SimpleNamespace(host="198.51.100.1")

    def write(self, data):
        if not (self.over or self.journal.dead):
            self.clock.callLater(self.half, self.arrive, data)

    def arrive(self, data):
        self.receiver.feed(data[: self.reads])
        self.reads = max(0, self.reads - len(data))
        if self.reads:
            self.tell()
        else:
            self.end(ConnectionLost())

    def tell(self):
        new, self.heard = self.receiver.said[self.heard :], len(self.receiver.said)
        self.clock.callLater(self.half, self.hear, new)

    def hear(self, data):
        if not self.over:
            for piece in (data[: len(data) // 2], data[len(data) // 2 :]):
                if piece and not self.over:
                    self.protocol.dataReceived(piece)
        if self.receiver.gone:
            self.end(ConnectionDone())

    def end(self, why=None):
        if not self.over:
            self.over = True
            self.clock.callLater(0, self.protocol.connectionLost, Failure(why or ConnectionDone()))

    loseConnection = abortConnection = end


class Internet:
    """Receivers behind every address; each connection gets the next of the ``manners`` (offer, verdicts, reads)."""

    def __init__(self, clock, journal, manners):
        self.clock, self.journal, self.manners, self.receivers = clock, journal, itertools.cycle(manners), []
        clock.connectTCP = self.connect

    def connect(self, _ip, _port, factory, _timeout):
        offer, verdicts, reads = next(self.manners)
        self.receivers.append(Receiver(verdicts, offer, tidy=True))
        self.clock.callLater(0.05, self.made, factory.buildProtocol(None), self.receivers[-1], reads)

    def made(self, protocol, receiver, reads):
        if not protocol.closed:
            protocol.makeConnection(Socket(self.clock, protocol, receiver, reads, self.journal))

    @property
    def kept(self):
        return Counter(who for receiver in self.receivers for _, who in receiver.kept)


def delivery(world, kit, settings, path, manners, *, power_cut=False):
    """A world whose connections, journal and store are real. What its store finds is recovered from its journal.

    After a ``power_cut`` the journal is not trusted.
    """
    scope = kit.World.__init__.__globals__
    journalled = read_journal(f"{path}/journal")
    journalled.damaged |= power_cut
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(scope, "SqliteStore", lambda _: SqliteStore(f"{path}/spool.sqlite3"))
        patch.setitem(scope, "FakeJournal", lambda: Mortal.open(f"{path}/journal"))
        if journalled.found:
            recover = SqliteStore.recover
            patch.setattr(SqliteStore, "recover", lambda store, _, *more: recover(store, journalled, *more))
        one = world(settings=settings)
    one.journal.drop_older()
    one.internet = Internet(one.clock, one.journal, manners)
    one.farm.connect = connect
    one.pool.handle = lambda job: [(row[0], b"to %d\r\n" % row[0], "s@me.example", None) for row in job[2]]
    return one


def known(path, campaign):
    """By address: what the report would say, and the results of its attempts."""
    reader = Reader(f"{path}/spool.sqlite3")
    rows, attempts = reader.recipients(campaign, 0, 1000), reader.attempts(campaign, 0, 10_000)
    reader.close()
    found = {row.email: (row.status, []) for row in rows}
    for attempt in attempts:
        found[attempt.email][1].append(attempt.result)
    return found


def check(found, kept):
    """Nothing is told that is not so, and nobody was sent it twice for nothing."""
    for who, (status, results) in found.items():
        assert kept[who] <= 1 + results.count("unknown"), (who, status, results)
        if status == "delivered":
            assert kept[who], "told, and not so"
        elif kept[who]:
            assert "unknown" in results, (who, status, results)


MANNERS = st.lists(
    st.tuples(st.sampled_from(EXTENSIONS), VERDICTS, st.sampled_from([1 << 30] * 3 + [150, 400, 900])),
    min_size=1,
    max_size=6,
)


@pytest.mark.heavy
@settings(
    max_examples=settings.default.max_examples * 2 // 5, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    manners=MANNERS,
    rows=st.integers(1, 60),
    last=st.integers(1, 150),
    after=st.booleans(),
    slow=st.booleans(),
    same=st.booleans(),
)
def test_killed_at_any_time_it_knows_what_the_servers_did_and_goes_on(
    world, fast, kit, tmp_path_factory, manners, rows, last, after, slow, same
):
    path = tmp_path_factory.mktemp("spool")
    one = delivery(world, kit, fast(connections=2), path, manners)
    one.journal.last, one.journal.after = last, after
    one.disk.delay = 0.3 if slow else 0.0
    if same:
        one.pool.handle = lambda job: [(row[0], b"hi\r\n", "s@me.example", None) for row in job[2]]
    run = one.campaign({"a.example": rows, "b.example": rows // 2})
    with contextlib.suppress(Killed):
        one.start()
        one.until(lambda: run.complete or one.journal.dead or one.clock.seconds() > 5000, 10_000)
    one.store.close()
    one.journal.close()
    died_at, kept = one.clock.seconds(), one.internet.kept

    two = delivery(world, kit, fast(), path, [("250-PIPELINING\r\n250-CHUNKING\r\n", [250], 1 << 30)])
    two.journal.last = 1 << 30
    found = known(path, run.id)
    assert len(found) == run.input_rows
    check(found, kept)

    two.clock.advance(died_at)
    again = Run(run.id, run.name, run.folder, run.content, run.on_unknown, run.started_at, run.input_rows, True)
    counts = two.store.totals(run.id).items()
    again.add_to_totals(Counter({key: count for key, count in counts if key[1] != Status.PENDING}))
    two.feeder.runs[run.id] = again
    two.send()
    two.settle_down(100)
    two.check_empty()
    two.journal.close()
    kept += two.internet.kept
    found = known(path, run.id)
    assert {status for status, _ in found.values()} <= {"delivered", "blocked", "bounced", "unknown"}
    for who, (status, results) in found.items():  # three copies may leave without a reply, the one at the end included
        assert status != "unknown" or results.count("unknown") >= 3, (who, results)
    check(found, kept)


class Forgetful(Receiver):
    """Keeps a copy of most messages and seldom says so in a way that can be believed. ``ends`` are drawn from."""

    ENDS = ("close", "hang", "garble", "half", "drop", "good", "busy")

    def __init__(self, offer, rng, weights):
        super().__init__([250], offer, tidy=True)
        self.rng, self.weights = rng, weights
        self.copies = Counter()
        self.mute = False

    def end(self, message, *, keeps):
        (end,) = self.rng.choices(self.ENDS, self.weights)
        if end not in ("drop", "busy"):
            self.copies.update(self.recipients)
        self.reset()
        if end in ("close", "drop", "half"):
            self.said += b"25" if end == "half" else b""
            self.gone = True
        elif end == "hang":
            self.mute = True
        elif end == "garble":
            self.said += b"250OK\r\n"
        else:
            self.say(250 if end == "good" else 451)

    def feed(self, data):
        if not self.mute:
            super().feed(data)


class DoubtfulInternet(Internet):
    """Receivers that forget to answer; ``copies`` counts what they kept."""

    def __init__(self, clock, journal, rng):
        super().__init__(clock, journal, [])
        self.rng = rng
        self.offer, self.weights = rng.choice(EXTENSIONS), [rng.randint(0, 3) for _ in Forgetful.ENDS]
        self.weights[0] += 1

    def connect(self, _ip, _port, factory, _timeout):
        self.receivers.append(Forgetful(self.offer, self.rng, self.weights))
        self.clock.callLater(0.05, self.made, factory.buildProtocol(None), self.receivers[-1], 1 << 30)

    @property
    def copies(self):
        return sum((receiver.copies for receiver in self.receivers), Counter())


def ambiguous_ends(world, kit, fast, path, seed, kills):
    """One campaign to receivers that forget to answer, killed now and then; returns copies, and what is reported."""
    rng = Random(seed)
    copies, started, at = Counter(), None, 0.0
    for life in range(kills + 1):
        one = delivery(world, kit, fast(connections=rng.randint(1, 4)), path, [], power_cut=rng.random() < 0.2)
        one.internet = DoubtfulInternet(one.clock, one.journal, rng)
        one.journal.last = rng.randint(1, 60) if life < kills else 1 << 30
        one.journal.after = rng.random() < 0.5
        if started is None:
            run = started = one.campaign({"a.example": 12, "b.example": 5})
        else:
            one.clock.advance(at)
            run = Run(started.id, started.name, started.folder, started.content, "retry", started.started_at, 17, True)
            counts = one.store.totals(run.id).items()
            run.add_to_totals(Counter({key: count for key, count in counts if key[1] != Status.PENDING}))
            one.feeder.runs[run.id] = run
        with contextlib.suppress(Killed):
            one.start()
            one.until(lambda run=run, one=one: run.complete or one.journal.dead, 400_000.0)
            one.settle_down(100)
        copies += one.internet.copies
        at = one.clock.seconds()
        one.store.close()
        one.journal.close()
    return copies, known(path, started.id)


@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(settings.default.max_examples * 3 // 5))
def test_no_more_copies_leave_than_the_settings_say(world, fast, kit, tmp_path, seed):
    """Each of the 17 recipients is a sequence of ambiguous ends, over kills and power cuts."""
    copies, found = ambiguous_ends(world, kit, fast, tmp_path, seed, kills=seed % 4)
    assert len(found) == 17
    assert max(copies.values()) <= 3
    for who, (status, results) in found.items():
        assert results.count("unknown") <= 3
        assert copies[who] <= results.count("unknown") + (status == "delivered")
        assert status in ("delivered", "unknown", "expired"), (who, status, results)
        assert (status != "expired") or "unknown" not in results
        assert (status != "delivered") or copies[who]


class Deaf(Receiver):
    """Says 503 to each command that came in one write with the end of a message, as Haraka does."""

    def __init__(self, taken):
        super().__init__([250], EXTENSIONS[1], tidy=True)
        self.taken = taken

    def feed(self, data):
        message, dot, rest = (self.buffer + data).partition(b"\r\n.\r\n")
        if not (self.in_data and dot):
            super().feed(data)
            return
        self.buffer = b""
        super().feed(message + dot)
        self.taken.append(rest.count(b"\r\n"))
        self.said += b"503 5.5.1 not now\r\n" * rest.count(b"\r\n")


def test_a_server_that_takes_nothing_behind_a_message_is_sent_nothing_there_any_more(world, fast, kit, tmp_path):
    one = delivery(world, kit, fast(connections=1), tmp_path, [(EXTENSIONS[1], [250], 1 << 30)])
    one.journal.last = 1 << 30
    taken = []

    def connect_to_it(_ip, _port, factory, _timeout):
        one.internet.receivers.append(Deaf(taken))
        one.clock.callLater(0.05, one.internet.made, factory.buildProtocol(None), one.internet.receivers[-1], 1 << 30)

    one.clock.connectTCP = connect_to_it
    run = one.campaign({"a.example": 60})
    one.send()
    one.settle_down(100)
    one.store.close()
    one.journal.close()
    assert len(one.internet.receivers) == 1
    assert (len(taken), sum(taken)) == (60, 2 * 3), "two messages were announced behind another, of three commands each"
    assert set(one.internet.kept.values()) == {1}
    assert all(
        status == "delivered" and results == ["delivered"] for status, results in known(tmp_path, run.id).values()
    )


class Choosy(Receiver):
    """Refuses the recipients with an odd number."""

    def command(self, line):
        if line.startswith("RCPT") and int(line[9:].partition("@")[0][1:]) % 2:
            self.say(550, "5.1.1 no such user")
        else:
            super().command(line)


def test_a_refused_recipient_costs_no_round_trip_of_its_own(world, fast, kit, tmp_path, monkeypatch):
    one = delivery(world, kit, fast(connections=1), tmp_path, [])
    one.journal.last = 1 << 30
    made, write, writes = [], Socket.write, []

    def connect_to_it(_ip, _port, factory, _timeout):
        made.append(Choosy([250], EXTENSIONS[1], tidy=True))
        one.clock.callLater(0.05, one.internet.made, factory.buildProtocol(None), made[-1], 1 << 30)

    def written(socket, data):
        if not data.startswith((b"EHLO", b"QUIT")):
            writes.append(one.clock.seconds())
        write(socket, data)

    monkeypatch.setattr(Socket, "write", written)
    one.clock.connectTCP = connect_to_it
    one.campaign({"a.example": 100})
    one.send()
    one.settle_down(100)
    one.store.close()
    one.journal.close()
    assert len(made) == 1
    assert len(made[0].kept) == 50
    assert len(set(writes)) / 100 <= 1.03
