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

from bulkmail.spool import pg_database  # noqa: E402
from bulkmail.spool.pg_database import Fenced, PgDatabase, array, open_database, repeated, shown  # noqa: E402


class Wire:
    """A socket between us and the server that can be cut at a COMMIT: before it arrives, or before its answer does."""

    def __init__(self, folder, server):
        self.folder = str(folder)
        self.server = server
        self.cut = ""
        self.cuts = 0
        self.refusing = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(os.path.join(self.folder, ".s.PGSQL.5432"))
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
                server.connect(os.path.join(str(self.server.folder), ".s.PGSQL.5432"))
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
    store = kit.open_postgres(wire.dsn(pg_dsn), told=told.append)
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
    two.database = PgDatabase("postgresql://nowhere/x")
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
    other.database.execute("end_life", (store.epoch,))
    with pytest.raises(OwnFault, match="start it again"):
        store.claim([(queue, 2)], 5.0)
    with pytest.raises(OwnFault, match="start it again"):
        store.set_state(claimed[0].campaign_id, "stopped", 9.0)
    assert store.settle([kit.outcome(claimed[0])]) == 1, "what it had sent is still its own to say"
    assert other.recover_others(-1.0, 100.0).ambiguous == 1
    with pytest.raises(Fenced):
        store.settle([kit.outcome(claimed[1])])
    assert store.totals(claimed[0].campaign_id) == {("", "delivered", ""): 1, ("", "deferred", "no-answer"): 1}
    kit.check_laws(other)
    store.close()
    other.close()


@pytest.fixture
def checking(pg_server):
    database = PgDatabase(pg_server.dsn())
    yield database
    database.close()


@given(
    texts=st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1),
    numbers=st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1),
    floats=st.lists(st.none() | st.floats(allow_nan=False) | st.integers(-1000, 1000), min_size=1),
)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_arrays_come_back_as_they_were(checking, texts, numbers, floats):
    asked = "SELECT %s::text[], %s::bigint[], %s::double precision[]"
    found = checking.connection.execute(asked, tuple(map(array, (texts, numbers, floats)))).fetchone()
    assert found == (texts, numbers, floats)


@pytest.mark.parametrize(
    ("dsn", "words"),
    [
        ("postgresql://user:secret@db.example:5433/mail", "postgresql://db.example:5433/mail"),
        ("postgresql:///mail", "postgresql://localhost/mail"),
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
    database = PgDatabase(pg_dsn)
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

    room = Path(pg_database.__file__).parent
    strings, used = set(), set()
    for path in room.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                strings.add(node.value)
    for path in room.glob("pg_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            runs = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if runs and node.func.attr in ("execute", "many", "arrays", "copy"):
                used |= {arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)}
    assert not pg_database.SQL.keys() - strings, "queries that nobody runs"
    assert used
    assert not used - pg_database.SQL.keys(), "queries that do not exist"
    assert [number for number, _ in pg_database.MIGRATIONS] == list(range(1, len(pg_database.MIGRATIONS) + 1))
