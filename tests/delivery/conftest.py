"""One process's delivery in memory: a clock, a spool in memory, connections and compose workers faked."""

from __future__ import annotations

import json
from collections import Counter
from random import Random
from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from bulkmail.delivery import Clocks, Connector, Pause, Run, assemble
from bulkmail.mail import Category, Fate, OwnFault, Rate, Reply, Stage
from bulkmail.routing import MxHost, RouteFailure, Site
from bulkmail.settings import Settings
from bulkmail.shaping import SiteFacts, provider_table
from bulkmail.smtp import Capabilities, Closed, Settled
from bulkmail.spool import Spool, SqliteStore
from tests.retrying import RetryPlan

EPOCH = 1_700_000_000.0
GONE = "the server closed the connection"


def reply(code=250, *lines):
    return Reply(code, lines or ("2.0.0 Ok" if code < 400 else "no",))


class FakeWriterThread:
    """Runs the store's work a turn later, as the writer's thread does; ``fault`` is what the disk says meanwhile."""

    def __init__(self, clock):
        self.clock = clock
        self.fault = None
        self.delay = 0.0

    def call(self, work):
        done = Deferred()
        self.clock.callLater(self.delay, self._run, work, done)
        return done

    def _run(self, work, done):
        try:
            if self.fault is not None:
                raise self.fault
            answer = work()
        except Exception as error:  # noqa: BLE001
            done.errback(error)
        else:
            done.callback(answer)

    def stop(self):
        return succeed(None)


class FakeJournal:
    """A journal that keeps what it is told."""

    def __init__(self):
        self.dots, self.replies, self.freed, self.fault = [], [], [], None

    def dot(self, identity, attempt):
        if self.fault is not None:
            raise self.fault
        self.dots.append((identity, attempt))

    def reply(self, identity, attempt, payload):
        if self.fault is not None:
            raise self.fault
        self.replies.append((identity, attempt))

    def free(self, identity, attempt):
        if self.fault is not None:
            raise self.fault
        self.freed.append((identity, attempt))

    def settled(self, identities):
        pass

    def close(self):
        pass


class AccountingSpool(Spool):
    """The real front; counts who has which row, and refuses a second outcome."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.out = set()
        self.settlements, self.given_back = [], []

    def claim(self, queue_id, limit):
        def took(rows):
            for row in rows:
                assert row.id not in self.out, "claimed twice"
                self.out.add(row.id)
            return rows

        return super().claim(queue_id, limit).addCallback(took)

    def settle(self, settlement):
        self.recorded(settlement)
        return super().settle(settlement)

    def note(self, settlement):
        self.recorded(settlement)
        super().note(settlement)

    def recorded(self, settlement):
        assert settlement.recipient_id in self.out, "recorded, but not claimed (any more)"
        self.out.remove(settlement.recipient_id)
        self.settlements.append(settlement)

    def release(self, rows, next_at=0.0):
        rows = list(rows)
        for row in rows:
            assert row.id in self.out, "given back, but not claimed (any more)"
            self.out.remove(row.id)
            self.given_back.append((row.id, next_at))
        return super().release(rows, next_at)


class FakeConnection:
    """What `bulkmail.net.Connection` promises its listener, driven by the test."""

    resuming = False
    wants_small_hello = False

    def __init__(self, farm, peer, listener, options):
        self.farm = farm
        self.peer = peer
        self.listener = listener
        self.options = options
        self.started_at = farm.clock.seconds()
        self.messages = 0
        self.up = False
        self.leaving = False
        self.closed = False
        self.current = None
        self.following = None  # announced behind the current one
        self.dotted = False
        self.chunking = False
        self.capabilities = farm.capabilities
        self.started_at = farm.clock.seconds()
        self.stray = False  # half a line was read that nobody asked for

    def __repr__(self):
        return f"<FakeConnection {self.peer.ip} up={self.up} closed={self.closed} messages={self.messages}>"

    @property
    def ready(self):
        return self.up and self.current is None and not (self.closed or self.leaving or self.stray)

    @property
    def busy(self):
        return self.current is not None

    # what the lane does

    def submit(self, transaction):
        if not self.ready:
            raise RuntimeError("takes no transaction now")
        refused = self.farm.unsendable(transaction)
        if refused:
            raise ValueError(refused)
        assert transaction.message
        assert transaction.sender
        self.messages += 1
        self.current = transaction
        self.dotted = False
        self.farm.left(self, transaction)
        self.farm.submitted(self)

    def submit_behind(self, transaction):
        assert self.current is not None
        assert self.following is None
        refused = self.farm.unsendable(transaction)
        if refused:
            raise ValueError(refused)
        self.messages += 1
        self.following = transaction
        self.farm.followed += [message.claimed.id for message in transaction.context.messages]

    def tell(self, tell):
        self.farm.told(tell)

    def quit(self):
        if self.closed or self.leaving:
            return
        self.leaving = True
        if not self.up:
            self.abort("not needed any more")
        elif self.current is None:
            self.farm.clock.callLater(self.farm.rtt, self.close, None, reply(221, "bye"), "the session ended with QUIT")

    def abort(self, reason="given up"):
        if self.closed:
            return
        if self.current is not None:
            self.settle(Fate.UNKNOWN if self.dotted else Fate.UNTRIED, Stage.DOT if self.dotted else Stage.MAIL)
            self.free()
        self.close(Stage.CONNECT, None, reason)

    # what the peer does

    def greet(self):
        if not self.closed:
            self.up = True
            self.listener.connection_ready(self)

    def dot(self):
        """The body is about to leave; False when it must not."""
        try:
            self.listener.about_to_dot(self, self.current)
        except OwnFault as fault:
            self.settle(Fate.UNTRIED, Stage.DATA)
            self.close(Stage.DOT, None, str(fault), own_fault=True)
            return False
        self.dotted = True
        if self.farm.follows:
            self.listener.may_pipeline(self)
        return True

    def settle(self, fate, stage=Stage.DOT, answer=None, note="", category=None):
        transaction, self.current, self.following = self.current, self.following, None
        for index in range(len(transaction.recipients)):
            event = Settled(transaction, index, fate, stage, answer, note, category)
            self.listener.settled(self, transaction, index, event, self.peer)
        self.listener.transaction_over(self, transaction)

    def free(self):
        """What is announced behind a message that was its connection's last."""
        if self.current is not None:
            self.settle(Fate.UNTRIED, Stage.MAIL, None, GONE)

    def answer(self, code=250, *lines, stage=Stage.DOT):
        """The reply to the message under way; then it is ready again, or leaves."""
        if self.closed or self.current is None:
            return
        if stage is Stage.DOT and not self.dot():
            return
        self.settle(Fate.ACCEPTED if code < 400 else Fate.REFUSED, stage, reply(code, *lines))
        self.again()

    def again(self):
        if self.current is not None:
            self.dotted = False
            self.farm.left(self, self.current)
            self.farm.submitted(self)
        elif self.leaving:
            self.farm.clock.callLater(self.farm.rtt, self.close, None, reply(221, "bye"), "the session ended with QUIT")
        elif not self.closed:
            self.listener.connection_ready(self)

    def lose(self, fate=None, stage=Stage.MAIL):
        """The peer is gone; what is under way gets ``fate``."""
        if self.closed:
            return
        if self.current is not None:
            self.settle(fate or (Fate.UNKNOWN if self.dotted else Fate.LOST), stage, None, GONE)
            self.free()
        self.close(None, None, GONE, Category.CONNECTION)

    def close(self, stage, answer, reason, category=None, *, tls_failed=False, own_fault=False, **more):
        if self.closed:
            return
        assert self.current is None
        self.closed = True
        closed = Closed(stage, answer, reason, category, tls_failed=tls_failed, own_fault=own_fault, **more)
        self.listener.connection_closed(self, closed, self.peer)


class FakeWindow(FakeConnection):
    """One that takes messages by BDAT: as many as it is given, all answered at once after a round trip."""

    def __init__(self, *args):
        super().__init__(*args)
        self.chunking = True
        self.flying = []

    @property
    def ready(self):
        return not self.flying and super().ready

    def submit(self, transaction):
        assert self.ready
        self._send(transaction)
        self.farm.clock.callLater(self.farm.rtt, self.answer_all)

    def submit_behind(self, transaction):
        assert self.flying
        self._send(transaction)
        self.farm.followed += [message.claimed.id for message in transaction.context.messages]

    def _send(self, transaction):
        refused = self.farm.unsendable(transaction)
        if refused:
            raise ValueError(refused)
        self.messages += 1
        self.flying.append(transaction)
        self.farm.left(self, transaction)
        self.farm.widest = max(self.farm.widest, len(self.flying))
        self.listener.about_to_dot(self, transaction)
        if not self.leaving:
            self.listener.may_pipeline(self)

    def answer_all(self):
        """The barrier, or what the farm has this connection do instead."""
        if self.closed:
            return
        if callable(self.farm.answers):
            self.farm.answers(self)
        else:
            self.settle_all(Fate.ACCEPTED if self.farm.answers < 400 else Fate.REFUSED, reply(self.farm.answers))
            self.again()

    def settle_all(self, fate, answer=None, note=""):
        flying, self.flying = self.flying, []
        for transaction in flying:
            self.current = transaction
            self.settle(fate, Stage.MAIL if fate is Fate.UNTRIED else Stage.DOT, answer, note)

    def abort(self, reason="given up"):
        self.settle_all(Fate.UNKNOWN, None, reason)
        super().abort(reason)


class FakeServers:
    """All connections that were asked for. By itself it does nothing; `obliging` makes it a well-behaved world."""

    def __init__(self, clock):
        self.told = [].append
        self.clock = clock
        self.rtt = 0.05
        self.made = []
        self.sent = []
        self.followed = []  # those that were announced behind another
        self.follows = True  # the servers offer PIPELINING
        self.chunks = False  # and CHUNKING
        self.capabilities = Capabilities()
        self.widest = 0
        self.connected = []
        self.fault = None
        self.dead = set()  # addresses that refuse to be connected to
        self.connects = False
        self.answers = None  # code, or a function of the connection that does it all
        self.unsendable = lambda _transaction: ""
        self.most = 0

    @property
    def open(self):
        return [connection for connection in self.made if not connection.closed]

    def connect(self, reactor, peer, port, *, listener, **options):
        if self.fault is not None:
            raise self.fault
        chunks = self.chunks and options["session_options"].chunking
        connection = (FakeWindow if chunks else FakeConnection)(self, peer, listener, {**options, "port": port})
        self.made.append(connection)
        self.connected.append((self.clock.seconds(), peer.ip))
        self.most = max(self.most, len(self.open))
        if peer.ip in self.dead:
            words = "connection refused"
            self.clock.callLater(self.rtt, connection.close, Stage.CONNECT, None, words, Category.CONNECTION)
        elif self.connects:
            self.clock.callLater(self.rtt, connection.greet)
        return connection

    def left(self, connection, transaction):
        for message in transaction.context.messages:
            self.sent.append((message.claimed.id, self.clock.seconds(), connection.peer.ip))

    def submitted(self, connection):
        if callable(self.answers):
            self.answers(connection)
        elif self.answers is not None:
            self.clock.callLater(self.rtt, connection.answer, self.answers)

    def obliging(self, code=250):
        self.connects, self.answers = True, code


class AloneWorker:
    def __init__(self, pool):
        self.pool = pool
        pool.open.append(self)

    def ask(self, job, deadline, *, worked):
        self.pool.asked_alone.append(job)
        return self.pool.later(job, deadline).addCallback(lambda answer: worked(self.pool.delay) or answer)

    def close(self):
        self.pool.open.remove(self)


class FakePool:
    """Compose workers without processes. ``poison``: row numbers that end their worker; ``bad``: template errors."""

    size = 2

    def __init__(self, clock):
        self.clock = clock
        self.delay = 0.01
        self.poison, self.bad, self.endless, self.endless_campaigns = set(), set(), set(), set()
        self.asked, self.asked_alone, self.open, self.apart = [], [], [], []
        self.size_of = 500
        self.same = False  # the same message for everybody

    def ask(self, job, deadline, *, load, worked, apart):
        self.asked.append(job)
        assert load > 0
        self.apart.append(apart)
        return self.later(job, deadline).addCallback(lambda answer: worked(self.delay) or answer)

    def alone(self):
        return AloneWorker(self)

    def later(self, job, deadline=30.0):
        """An answer; a job with a row of ``endless`` has none until its deadline."""
        from bulkmail.workers import WorkerLateError

        late = WorkerLateError("did not answer in time and was ended")
        done = Deferred(lambda done: done.errback(late))
        if self.endless & {row[1] for row in job[2]} or job[1] in self.endless_campaigns:
            self.clock.callLater(deadline, lambda: done.called or done.cancel())
        else:
            self.clock.callLater(self.delay, self._answer, job, done)
        return done

    def _answer(self, job, done):
        try:
            answer = self.handle(job)
        except Exception as error:  # noqa: BLE001
            done.errback(error)
        else:
            done.callback(answer)

    def handle(self, job):
        from bulkmail.workers import WorkerDiedError

        verb, _campaign, rows = job
        assert verb == "compose"
        if any(row[1] in self.poison for row in rows):
            raise WorkerDiedError("the worker ended: signal 9")
        return [
            (row[0], None, "", "line 3: no such variable")
            if row[1] in self.bad
            else (row[0], (b"" if self.same else b"%d" % row[0]).rjust(self.size_of, b"x"), "s@me.example", None)
            for row in rows
        ]


class World:
    """One process's worth of delivery, ready to be told what its world looks like."""

    def __init__(
        self,
        *,
        settings=None,
        providers=None,
        connections=2000,
        seed=0,
        speed=1.0,
        facts=None,
        relay=None,
        families=None,
    ):
        self.clock = Clock()
        self.clock.callFromThread = lambda function, *args: self.clock.callLater(0, function, *args)
        self.store = SqliteStore(":memory:")
        from bulkmail.spool import Journalled

        self.store.recover(Journalled(found=True), "boot", RetryPlan(), EPOCH)
        self.disk = FakeWriterThread(self.clock)
        self.journal = FakeJournal()
        self.faults = []
        self.spool = AccountingSpool(
            self.store,
            self.journal,
            self.disk,
            self.clock,
            clock=self.wall,
            on_fault=self._fault,
        )
        self.farm = FakeServers(self.clock)
        self.settings = settings or Settings()
        self.changed = Counter()
        self.facts = SiteFacts() if facts is None else facts
        self.clocks = Clocks(self.clock, self.wall, speed)
        self.pause = Pause(self.clocks)
        self.routes = {}
        self.routed = []
        self.route_delay = 0.0
        self.pool = FakePool(self.clock)
        self.relay = None if relay is None else relay(self.clock, self.pause)
        self.relays = {} if relay is None else {"": self.relay, "relay": self.relay}
        self.connector = Connector(
            clocks=self.clocks,
            settings=self.settings,
            hostname="me.example",
            facts=self.facts,
            relays=self.relays,
            rng=Random(seed),
            open_connection=self._connect,
            families=families,
        )
        self.parts = parts = assemble(
            spool=self.spool,
            pause=self.pause,
            settings=self.settings,
            providers=provider_table(providers),
            connections=connections,
            connector=self.connector,
            compose=self.pool,
            route=self.route,
            changed=lambda run: self.changed.update([run.id]),
            rng=Random(seed),
        )
        self.ledger, self.limiters, self.feeder, self.ruling, *_ = parts
        self.apply = parts.apply
        self.sources = parts.sources

    def _connect(self, *given, **named):
        return self.farm.connect(*given, **named)  # which a test may have replaced

    def wall(self):
        return EPOCH + self.clock.seconds()

    def _fault(self, fault):
        self.faults.append(fault)
        if fault is not None:
            self.pause.own_fault(str(fault))

    async def route(self, domain):
        self.routed.append(domain)
        if self.route_delay:
            waited = Deferred()
            self.clock.callLater(self.route_delay, waited.callback, None)
            await waited
        found = self.routes.get(domain, self.site(domain))
        if isinstance(found, Exception):
            raise found
        return found

    @staticmethod
    def site(name, *addresses, provider="", same=False):
        """A site with one host for each address, by preference or all of the ``same``; its key and name: ``name``."""
        addresses = addresses or (f"192.0.2.{sum(name.encode()) % 250 + 1}",)
        hosts = tuple(MxHost(10 if same else 10 * n, f"mx{n}.{name}", (ip,)) for n, ip in enumerate(addresses, 1))
        return Site(name, hosts, provider, name)

    def campaign(self, rows, name="spring", *, on_unknown="retry", run=True, key=b"k" * 32):
        """``rows``: how many at each domain, or the domains of the rows in order."""
        if isinstance(rows, dict):
            rows = [domain for domain, count in rows.items() for _ in range(count)]
        made = self.store.create_campaign(
            name,
            f"/campaigns/{name}",
            key=key,
            content={"name": name},
            digests={},
            files=[("r.csv", ["email"])],
            now=EPOCH,
            on_unknown=on_unknown,
        )
        self.add(made.id, rows)
        self.store.set_state(made.id, "running", EPOCH)
        content = {"from": "s@me.example", "subject": "hi", "key": made.key}
        told = Run(made.id, name, f"/campaigns/{name}", content, on_unknown, EPOCH)
        told.input_rows = len(rows)
        told.import_done = True
        if run:
            self.feeder.runs[made.id] = told
        return told

    def add(self, campaign_id, domains, first=1):
        rows = [
            (n, 0, n, f"u{n}@{domain}", domain, json.dumps([f"u{n}@{domain}"]), "ok", "")
            for n, domain in enumerate(domains, first)
        ]
        self.store.add_rows(campaign_id, rows, {}, True, EPOCH)

    def import_more(self, run, domains):
        """The list grows by a row for each of these, and is complete again."""
        run.import_done = False
        self.add(run.id, domains, first=run.input_rows + 1)
        run.input_rows += len(domains)
        run.import_done = True

    # time

    def step(self):
        """To the next thing that happens; whether there was one."""
        calls = self.clock.getDelayedCalls()
        if not calls:
            return False
        self.clock.advance(max(0.0, min(call.getTime() for call in calls) - self.clock.seconds()))
        return True

    def run(self, seconds=1.0):
        """Everything that happens within ``seconds``, each at its own time."""
        until = self.clock.seconds() + seconds
        while any(call.getTime() <= until for call in self.clock.getDelayedCalls()):
            self.step()
        self.clock.advance(max(0.0, until - self.clock.seconds()))

    def until(self, condition, limit=10_000.0):
        """As `run`, until ``condition()``; a second passes with `tidy` now and then, as in the service."""
        until = self.clock.seconds() + limit
        next_tidy = self.clock.seconds() + 1.0
        while not condition():
            assert self.clock.seconds() < until, f"not within {limit:g} s: {self!r}"
            calls = [call.getTime() for call in self.clock.getDelayedCalls()]
            at = min([*calls, next_tidy])
            self.clock.advance(max(0.0, at - self.clock.seconds()))
            if self.clock.seconds() >= next_tidy:
                self.feeder.tidy()
                next_tidy = self.clock.seconds() + 1.0

    def start(self):
        self.feeder.rescan()

    def send(self, limit=10_000.0):
        """Send all campaigns to their end."""
        self.start()
        self.until(lambda: all(run.complete for run in self.feeder.runs.values()), limit)

    def settle_down(self, seconds=200.0):
        """Let idle connections close, lanes go and everything be written."""
        for _ in range(int(seconds)):
            self.run(1.0)
            self.feeder.tidy()

    # what came of it

    def __repr__(self):
        return (
            f"<World held={self.feeder.held} out={len(self.spool.out)} queues={len(self.feeder.open_queues.queues)} "
            f"lanes={list(self.feeder.lanes.values())[:5]} open={len(self.farm.open)} fault={self.pause.fault!r}>"
        )

    def statuses(self, run):
        self.spool._outcomes.flushed()
        self.run(0.01)
        counted = Counter()
        for (_, status, _), count in self.store.totals(run.id).items():
            counted[status] += count
        return dict(counted)

    def attempts(self):
        """(row number, number of the attempt, result, category) in the order they were recorded."""
        return [
            (s.recipient_id & 0xFFFFFFFFFF, s.attempt.number, s.attempt.result, s.attempt.category)
            for s in self.spool.settlements
            if s.attempt is not None
        ]

    def check_empty(self):
        """Nothing is in anybody's hands."""
        assert self.spool.out == set()
        assert self.feeder.held == 0
        assert {lane: lane.held for lane in self.feeder.lanes.values() if lane.held} == {}
        limiters = self.limiters
        assert limiters.total.open == len(self.farm.open)
        if not self.farm.open:
            for shared in [*limiters._sites.values(), *limiters._addresses.values()]:
                assert shared.limiter.open == 0, shared.limiter


@pytest.fixture
def world():
    """Makes worlds; each ends with its store closed."""
    made = []

    def make(**options):
        made.append(World(**options))
        return made[-1]

    yield make
    for one in made:
        one.store.close()


@pytest.fixture
def kit():
    return SimpleNamespace(
        EPOCH=EPOCH,
        GONE=GONE,
        FakeServers=FakeServers,
        FakePool=FakePool,
        FakeWriterThread=FakeWriterThread,
        FakeJournal=FakeJournal,
        AccountingSpool=AccountingSpool,
        World=World,
        reply=reply,
        fail=fail,
        succeed=succeed,
        retry=retry,
        RouteFailure=RouteFailure,
        Rate=Rate,
    )


CAMPAIGN = """\
name: {name}
from: "Example Shop <s@me.example>"
subject: "{subject}"
template: {{text: body.txt.j2}}
recipients: recipients.csv
{more}"""


@pytest.fixture
def folder(tmp_path):
    """Writes a campaign's folder; the path of its campaign.yaml."""

    def write(
        addresses=("a@a.example",),
        name="spring",
        more="",
        text="Hello {{ first_name }}\n",
        subject="Hi {{ first_name }}",
    ):
        place = tmp_path / name
        place.mkdir(exist_ok=True)
        (place / "campaign.yaml").write_text(CAMPAIGN.format(name=name, more=more, subject=subject))
        (place / "body.txt.j2").write_text(text)
        rows = [f"{address},N{n}" for n, address in enumerate(addresses, 1)]
        (place / "recipients.csv").write_text("\n".join(["email,first_name", *rows]) + "\n")
        return str(place / "campaign.yaml")

    return write


def retry(**changed):
    """The settings with another ``retry``."""
    settings = Settings()
    return settings.model_copy(update={"retry": settings.retry.model_copy(update=changed)})


def shaped(one_settings, **changed):
    shaping = one_settings.shaping
    default = shaping.default.model_copy(update=changed)
    return one_settings.model_copy(update={"shaping": shaping.model_copy(update={"default": default})})


@pytest.fixture
def fast(kit):
    """Settings whose meters do not show."""

    def make(**changed):
        values = {"rate": Rate(100_000, 1.0, 100_000), "connection_rate": Rate(100_000, 1.0, 1000), **changed}
        return shaped(kit.retry(), **values)

    return make
