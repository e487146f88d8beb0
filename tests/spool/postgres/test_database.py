"""What PostgreSQL and the network between may do to a transaction."""

from __future__ import annotations

import contextlib
import os
import socket
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkmail.mail import OwnFault, Refused

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed (pip install bulkmail[postgres])")

from bulkmail.spool.postgres import database as postgres_database  # noqa: E402
from bulkmail.spool.postgres.database import Fenced, PostgresDatabase, array, open_database, repeated, shown  # noqa: E402
from tests.retrying import RetryPlan  # noqa: E402


class Wire:
    """A socket between us and the server that can be cut at a COMMIT: before it arrives, or before its answer does."""

    def __init__(self, folder, server):
        self.folder = str(folder)
        self.server = server
        self.cut = ""
        self.cuts = 0
        self.refusing = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(os.path.join(self.folder, f".s.PGSQL.{server.port}"))
        self._listener.listen(20)
        self._sockets = [self._listener]
        self._threads = []
        self._thread(self._accept)

    def _thread(self, target, *arguments):
        self._threads.append(threading.Thread(target=target, args=arguments, daemon=True))
        self._threads[-1].start()

    def dsn(self, dsn):
        return dsn.replace(f"host={self.server.folder}", f"host={self.folder}")

    def close(self):
        self._end(*self._sockets)
        for thread in self._threads:
            thread.join(10)
        for one in self._sockets:
            one.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                if self.refusing:
                    self.refusing -= 1
                    self._end(client)
                    continue
                server = socket.socket(socket.AF_UNIX)
                self._sockets.append(server)
                server.connect(os.path.join(str(self.server.folder), f".s.PGSQL.{self.server.port}"))
                lost = threading.Event()
                self._thread(self._forth, client, server, lost)
                self._thread(self._back, client, server, lost)

    def _forth(self, client, server, lost):
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if self.cut and b"COMMIT" in data:
                    self.cuts += 1
                    how, self.cut = self.cut, ""
                    lost.set()
                    if how == "before":
                        break
                server.sendall(data)
        self._end(server)  # what had been sent is still read by it
        if lost.is_set():
            self._end(client)

    def _back(self, client, server, lost):
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if lost.is_set():
                    break
                client.sendall(data)
        self._end(client, server)

    @staticmethod
    def _end(*sockets):
        for one in sockets:
            if one is not None:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def wire(pg_server, tmp_path_factory):
    if not hasattr(pg_server, "folder"):
        pytest.skip("needs a server of our own on a unix socket, and BULKMAIL_TEST_PG names another one")
    made = Wire(tmp_path_factory.mktemp("w"), pg_server)
    yield made
    made.close()


@pytest.fixture
def stores(pg_dsn, wire, kit):
    """A store behind the wire with six claimed rows, and what it told while it waited."""
    told = []
    store = kit.open_postgres(wire.dsn(pg_dsn), on_unsure=told.append)
    kit.campaign(store, rows=[kit.row(n) for n in range(1, 11)])
    [(queue, _, _)] = store.backlog(0, 10)
    claimed = store.claim([(queue, 6)], 5.0)[queue]
    yield store, claimed, told
    store.close()


@pytest.mark.parametrize(("cut", "refusing"), [("after", 0), ("after", 2), ("before", 0), ("before", 2)])
def test_a_commit_whose_answer_is_lost_is_asked_after_until_it_is_known(stores, wire, kit, cut, refusing):
    store, claimed, told = stores
    wire.cut, wire.refusing = cut, refusing
    batch = [kit.outcome(row) for row in claimed]
    if cut == "after":
        assert store.settle(batch) == 6, "it was carried out, and that is found out"
    else:
        with pytest.raises(OwnFault, match="cannot be used"):
            store.settle(batch)
        assert store.claimed == 6
        assert store.settle(batch) == 6
    assert wire.cuts == 1
    assert bool(told) is bool(refusing)
    assert store.settle(batch) == 0
    assert store.totals(claimed[0].campaign_id) == {("", "delivered", ""): 6, ("", "pending", ""): 4}
    kit.check_laws(store)


def test_a_claim_whose_commit_was_carried_out_is_not_lost(stores, wire, kit):
    store, claimed, _ = stores
    wire.cut = "after"
    queue = claimed[0].queue_id
    assert [row.number for row in store.claim([(queue, 9)], 6.0)[queue]] == [7, 8, 9, 10]
    assert wire.cuts == 1
    kit.check_laws(store)


def test_who_is_to_end_does_not_wait_for_a_server_that_is_gone(stores, wire, kit):
    store, claimed, told = stores
    wire.cut, wire.refusing = "after", 10**6
    store.database.giving_up.set()
    with pytest.raises(OwnFault):
        store.settle([kit.outcome(claimed[0])])
    wire.refusing = 0
    assert told


@pytest.fixture
def half(kit):
    """``half(dsn)``: a store, and six claimed rows to settle."""
    opened_stores = []

    def opened(dsn):
        store = kit.open_postgres(dsn)
        opened_stores.append(store)
        kit.campaign(store, rows=[kit.row(n) for n in range(1, 11)])
        [(queue, _, _)] = store.backlog(0, 10)
        return store, store.claim([(queue, 6)], 5.0)[queue]

    yield opened
    for store in opened_stores:
        store.database.giving_up.set()  # a test that failed may have left it waiting
        store.database.close()


def test_a_commit_that_never_reached_the_new_server_is_found_out_there(pg_pair, half, kit):
    """Its server-side number means another transaction by then: it is not to be asked after by that."""
    store, claimed = half(pg_pair.fresh())
    before = pg_pair.primary.run("SELECT pg_current_xact_id()::text::bigint")[0][0]
    pg_pair.standby.stop()
    told, results = threading.Event(), []
    store.database._on_unsure = lambda _: told.set()

    def settle():
        try:
            results.append(store.settle([kit.outcome(row) for row in claimed]))
        except OwnFault as fault:
            results.append(str(fault))

    thread = threading.Thread(target=settle, daemon=True)
    thread.start()
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    kit.until(lambda: pg_pair.primary.run(waiting), "the commit to wait for the standby")
    pg_pair.primary.stop()
    assert told.wait(10), "it is asked after"
    pg_pair.standby.start()
    pg_pair.standby.promote()
    while pg_pair.standby.run("SELECT pg_current_xact_id()::text::bigint")[0][0] < before + 100:
        pass  # others go on, and get the numbers that the lost ones had
    thread.join(20)
    assert "cannot be used" in results[0]
    assert store.claimed == 6
    assert store.settle([kit.outcome(row) for row in claimed]) == 6
    kit.check_laws(store)


def test_a_commit_that_reached_the_new_server_counts_there(pg_pair, half, kit, tmp_path_factory):
    wire = Wire(tmp_path_factory.mktemp("w"), pg_pair.primary)
    try:
        schema = pg_pair.fresh().rpartition("%3D")[2]
        hosts = f"host={wire.folder},{pg_pair.standby.folder}&port={wire.server.port},{pg_pair.standby.port}"
        store, claimed = half(f"postgresql://bulkmail@/postgres?{hosts}&options=-csearch_path%3D{schema}")
        wire.cut, wire.refusing = "after", 10**6
        told = []

        def fail_over(text):
            told.append(text)
            if len(told) == 1:
                pg_pair.fail_over()

        store.database._on_unsure = fail_over
        assert store.settle([kit.outcome(row) for row in claimed]) == 6
        assert told
        assert wire.cuts == 1
        kit.check_laws(store)
    finally:
        wire.close()


def test_a_server_that_has_become_a_standby_is_left_for_the_one_that_takes_writes(pg_pair, half, kit):
    """25006: a session that was read-write when it began."""
    store, claimed = half(pg_pair.fresh())
    store.database.connection.execute("SET default_transaction_read_only = on")
    with pytest.raises(OwnFault, match="read-only"):
        store.settle([kit.outcome(row) for row in claimed])
    pg_pair.fail_over()
    assert store.settle([kit.outcome(row) for row in claimed]) == 6
    assert store.database.connection.info.port == pg_pair.standby.port
    kit.check_laws(store)


def test_a_server_that_is_shut_down_or_not_up_yet_is_a_fault_and_passes(own_pg_server, kit):
    """57P01 to who is connected, 57P03 to who comes too early."""
    store = kit.open_postgres(own_pg_server.fresh())
    kit.campaign(store, rows=[kit.row(1)])
    own_pg_server.stop("fast")
    with pytest.raises(OwnFault, match="terminating connection due to administrator command"):
        store.backlog(0, 10)
    (own_pg_server.data / "standby.signal").touch()
    own_pg_server.set(hot_standby="off")
    own_pg_server.start(wait=False)
    kit.until((own_pg_server.data / "postmaster.pid").exists, "the server to be there")
    kit.until(lambda: not _fault(store) or "not accepting connections" in _fault(store), "its own words")
    assert "not accepting connections" in _fault(store)
    own_pg_server.promote()
    kit.until(lambda: not _fault(store), "it to take connections")
    assert len(store.backlog(0, 10)) == 1
    store.close()


def _fault(store):
    try:
        store.backlog(0, 10)
    except OwnFault as fault:
        return str(fault)
    return ""


@pytest.mark.parametrize("how", ["deadlock", "serialization"])
def test_a_settlement_that_the_server_gave_up_is_done_again(pg_dsn, half, kit, how):
    """40P01 and 40001, from a real server: two settle the same campaigns in opposite orders; one is serializable."""
    store, claimed = half(pg_dsn)
    other = psycopg.connect(pg_dsn, autocommit=True)
    if how == "serialization":
        store.database.connection.execute("SET default_transaction_isolation = 'repeatable read'")
        tries = []
        execute = store.database.execute

        def meanwhile(name, parameters=()):
            if name == "take_numbers":
                tries.append(name)
                if len(tries) == 1:
                    other.execute("UPDATE attempt_number SET last = last + 1")
            return execute(name, parameters)

        store.database.execute = meanwhile
        assert store.settle([kit.outcome(row) for row in claimed]) == 6
        assert len(tries) == 2
    else:
        queue = claimed[0].queue_id
        other.execute("SET deadlock_timeout = '60s'")
        other.execute("BEGIN")
        other.execute("SELECT 1 FROM queue WHERE id = %s FOR UPDATE", (queue,))
        results = []
        thread = threading.Thread(
            daemon=True, target=lambda: results.append(store.settle([kit.outcome(row) for row in claimed]))
        )
        thread.start()
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid = %s"
        with psycopg.connect(pg_dsn, autocommit=True) as third:
            pid = (store.database.connection.info.backend_pid,)
            kit.until(lambda: third.execute(waiting, pid).fetchone(), "it to wait for the queue")
        other.execute("UPDATE attempt_number SET last = last")  # and now the other waits for it
        other.execute("COMMIT")
        thread.join(30)
        assert results == [6]
    other.close()
    kit.check_laws(store)


def test_whoever_only_reads_gets_a_fault_where_the_server_gives_up_for_another(pg_dsn):
    """A standby does: 40001, "canceling statement due to conflict with recovery"."""
    database = PostgresDatabase(pg_dsn)
    with pytest.raises(OwnFault, match="cannot be used"), database.transaction("begin_reading"):
        raise psycopg.errors.SerializationFailure
    database.close()


def test_a_transaction_that_had_failed_is_not_taken_for_committed(pg_dsn, kit):
    """COMMIT of one that has failed is a rollback, and the server says so without an error."""
    store = kit.open_postgres(pg_dsn)

    def write():
        with store.database.transaction():
            store.database.execute("set_meta", ("one", "1"))
            with contextlib.suppress(psycopg.Error):
                store.database.execute("set_meta", ("two", None))

    with pytest.raises(OwnFault, match="rolled back"):
        write()
    store.close()


def test_a_claim_that_we_never_heard_of_is_left_for_others(stores, wire, pg_dsn, kit):
    """Whoever is to end gives up asking; what was committed all the same must not be forgotten by everybody."""
    store, claimed, _ = stores
    wire.cut, wire.refusing = "after", 10**6
    store.database.giving_up.set()
    with pytest.raises(OwnFault):
        store.claim([(claimed[0].queue_id, 9)], 6.0)
    wire.refusing = 0
    store.settle([kit.outcome(row) for row in claimed])
    assert store.claimed == 0
    store.close()
    other = kit.open_postgres(pg_dsn, "machine-2")
    assert other.recover_others(RetryPlan(unknown_after=-1.0), 9.0).ambiguous == 4
    other.close()


def test_a_server_that_stops_and_starts_again(own_pg_server, kit):
    store = kit.open_postgres(own_pg_server.fresh())
    kit.campaign(store, rows=[kit.row(n) for n in range(1, 4)])
    [(queue, _, _)] = store.backlog(0, 10)
    claimed = store.claim([(queue, 3)], 5.0)[queue]
    own_pg_server.stop()
    for _ in range(2):
        with pytest.raises(OwnFault, match="cannot be used"):
            store.settle([kit.outcome(row) for row in claimed])
        with pytest.raises(OwnFault, match="cannot be used"):
            store.backlog(0, 10)
    own_pg_server.start()
    assert store.settle([kit.outcome(row) for row in claimed]) == 3
    kit.check_laws(store)
    store.close()


def test_a_connection_that_the_server_ended_is_replaced(pg_server, pg_dsn, kit):
    store = kit.open_postgres(pg_dsn)
    kit.campaign(store, rows=[kit.row(1)])
    pg_server.run(f"SELECT pg_terminate_backend({store.database.connection.info.backend_pid})")
    with pytest.raises(OwnFault, match="terminat"):
        store.backlog(0, 10)
    assert len(store.backlog(0, 10)) == 1
    store.close()


def test_a_connection_lost_in_a_transaction_is_not_replaced_before_its_end(pg_server, pg_dsn, kit):
    """What comes behind the loss would be written alone."""
    store = kit.open_postgres(pg_dsn)

    def write_on():
        with store.database.transaction():
            store.database.execute("set_meta", ("half", "1"))
            pg_server.run(f"SELECT pg_terminate_backend({store.database.connection.info.backend_pid})")
            with contextlib.suppress(psycopg.Error):
                store.database.execute("set_meta", ("half", "2"))
            store.database.execute("set_meta", ("half", "3"))

    with pytest.raises(OwnFault, match="connection was lost"):
        write_on()
    assert store.database.execute("meta", ("half",)).fetchall() == []
    store.close()


def test_what_was_given_up_for_another_is_done_again():
    class Two:
        tries = 0

        @repeated
        def work(self, errors, answer):
            self.tries += 1
            if self.tries <= errors:
                raise psycopg.errors.DeadlockDetected if self.tries % 2 else psycopg.errors.SerializationFailure
            return answer

    two = Two()
    assert two.work(3, answer="done") == "done"
    assert two.tries == 4
    two = Two()
    two.database = PostgresDatabase("postgresql://nowhere/x")
    with pytest.raises(OwnFault, match="too busy"):
        two.work(10**6, answer="never")


def test_a_mistake_of_our_own_is_raised_as_it_is_and_leaves_nothing(pg_dsn, kit):
    store = kit.open_postgres(pg_dsn)
    kit.campaign(store, "one")
    with pytest.raises(psycopg.errors.UniqueViolation):
        kit.campaign(store, "one")
    assert [row.name for row in store.campaigns()] == ["one"]
    store.close()


def test_a_life_that_was_taken_over_writes_nothing(pg_dsn, kit):
    store, other = kit.open_postgres(pg_dsn), kit.open_postgres(pg_dsn, "machine-2")
    kit.campaign(store, rows=[kit.row(1), kit.row(2)])
    [(queue, _, _)] = store.backlog(0, 10)
    claimed = store.claim([(queue, 2)], 5.0)[queue]
    other.database.execute("end_incarnation", (store.epoch,))
    with pytest.raises(OwnFault, match="others have taken over"):
        store.claim([(queue, 2)], 5.0)
    with pytest.raises(OwnFault, match="others have taken over"):
        store.set_state(claimed[0].campaign_id, "stopped", 9.0)
    assert store.settle([kit.outcome(claimed[0])]) == 1, "what it had sent is still its own to say"
    assert other.recover_others(RetryPlan(unknown_after=-1.0), 100.0).ambiguous == 1
    with pytest.raises(Fenced):
        store.settle([kit.outcome(claimed[1])])
    assert store.totals(claimed[0].campaign_id) == {("", "delivered", ""): 1, ("", "deferred", "no-answer"): 1}
    kit.check_laws(other)
    store.close()
    other.close()


@pytest.fixture
def checking(pg_server):
    database = PostgresDatabase(pg_server.dsn())
    yield database
    database.close()


@given(
    texts=st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1),
    numbers=st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1),
    floats=st.lists(st.none() | st.floats(allow_nan=False) | st.integers(-1000, 1000), min_size=1),
)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_arrays_come_back_as_they_were(checking, texts, numbers, floats):
    asked = "SELECT %s::text[], %s::bigint[], %s::double precision[]"
    found = checking.connection.execute(asked, tuple(map(array, (texts, numbers, floats)))).fetchone()
    assert found == (texts, numbers, floats)


@pytest.mark.parametrize(
    ("dsn", "words"),
    [
        ("postgresql://user:secret@db.example:5433/mail", "postgresql://db.example:5433/mail"),
        ("postgresql:///mail", "postgresql://localhost/mail"),
        ("postgresql://a:1,b:2/mail", "postgresql://a:1,b:2/mail"),
        ("postgresql://a,b/mail", "postgresql://a,b/mail"),
        ("postgresql:///mail?host=a,b&port=5433", "postgresql://a:5433,b:5433/mail"),
        ("postgresql://db/mail?nonsense=1", "postgresql://…"),
    ],
)
def test_messages_show_no_password(dsn, words):
    assert shown(dsn) == words


def test_no_server_and_no_right_are_refused_with_the_servers_words(pg_dsn):
    with pytest.raises(Refused, match="cannot be used as a spool"):
        open_database("postgresql://bulkmail@/x?host=/nowhere")
    with pytest.raises(Refused, match="cannot be used as a spool"):
        open_database(pg_dsn.replace("/postgres?", "/no_such_database?"))


def test_tables_of_somebody_else_and_of_a_newer_bulkmail_are_left_alone(pg_dsn, kit):
    database = PostgresDatabase(pg_dsn)
    database.connection.execute("CREATE TABLE campaign (id integer)")
    with pytest.raises(Refused, match="of something else"):
        open_database(pg_dsn)
    database.connection.execute("DROP TABLE campaign")
    open_database(pg_dsn).close()
    database.connection.execute("UPDATE meta SET value = '99' WHERE name = 'version'")
    with pytest.raises(Refused, match="newer bulkmail"):
        open_database(pg_dsn)
    database.close()


def test_machines_that_start_together_make_the_tables_once(pg_dsn):
    failed = []

    def start():
        try:
            open_database(pg_dsn).close()
        except Exception as error:  # noqa: BLE001
            failed.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_every_query_is_used_and_has_a_name_that_exists():
    import ast
    from pathlib import Path

    room = Path(postgres_database.__file__).parent
    strings, used = set(), set()
    modules = [*room.glob("*.py"), *room.parent.glob("*.py")]  # what is in no store is the same in both
    for path in modules:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                strings.add(node.value)
    for path in modules:
        for node in ast.walk(ast.parse(path.read_text())):
            runs = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if runs and node.func.attr in ("execute", "many", "arrays", "copy"):
                used |= {arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)}
    assert not postgres_database.SQL.keys() - strings, "queries that nobody runs"
    assert used
    assert not used - postgres_database.SQL.keys(), "queries that do not exist"
    assert [number for number, _ in postgres_database.MIGRATIONS] == list(
        range(1, len(postgres_database.MIGRATIONS) + 1)
    )
