"""One connection to PostgreSQL, reconnecting, its named queries, and transactions whose end is always known.

Every writing transaction begins with the *fence*: the row of this machine's incarnation (one run of its process),
locked until the transaction ends. An incarnation that others have declared over may still settle what it claimed, and
nothing else; one whose claims were taken over writes nothing at all.

A connection that is lost while COMMIT is on its way leaves open whether it was carried out. Each transaction writes its
own number down; after reconnecting the number is read, again and again until there is an answer (`on_unsure` is called
with the reason for the wait). It is a part of what was to be committed, so the answer is right on a standby that has
taken over too, where the server's own transaction numbers may mean other transactions. So nothing is written twice or
taken for lost: to the caller such a commit only took long. Deadlocks and serialization failures are for the caller to
run again (`repeated`); any other trouble of a running server (gone, read-only after a failover, full) becomes OwnFault
and leaves nothing behind.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bulkmail.mail import OwnFault, Refused
from bulkmail.spool import contract
from bulkmail.spool.queries import read_queries

SQL, MIGRATIONS = read_queries("sql/postgres")
_TEXTS = {name: text.encode() for name, text in SQL.items()}
VERSION = MIGRATIONS[-1][0]
OLDEST = 130000
ROWS, STATES, SITES = "rows", "states", "sites"  # what a transaction may notify the other machines of
_NOT_LIVE = "this machine was not heard of for longer than its lease, and others have taken over"
_BUGS = (psycopg.IntegrityError, psycopg.ProgrammingError, psycopg.DataError, psycopg.NotSupportedError)
AGAIN = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)
_TRIES = 10
_ASK_AGAIN = 0.5
# A client that is frozen in a transaction must not keep the others waiting; one that is cut off must notice.
_PATIENCE = (
    "-c idle_in_transaction_session_timeout=5000 -c statement_timeout=60000 -c lock_timeout=15000 "
    "-c synchronous_commit=on -c client_encoding=UTF8"
)
_NETWORK = {"connect_timeout": "5", "keepalives_idle": "5", "keepalives_interval": "3", "keepalives_count": "3"}
_UNACKED = "10000"  # milliseconds
LIVE, ENDED, RECOVERED = "live", "ended", "recovered"

P = ParamSpec("P")
T = TypeVar("T")


class Fenced(OwnFault):
    """The claims of this incarnation were taken over: another machine may be sending what this one still has."""


def shown(dsn: str) -> str:
    """Return the database's address without its password, for messages."""
    try:
        known = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        return "postgresql://…"
    hosts = str(known.get("host") or "localhost").split(",")
    ports = str(known.get("port") or "").split(",")
    if len(ports) < len(hosts):
        ports *= len(hosts)
    where = ",".join(f"{host}:{port}" if port else host for host, port in zip(hosts, ports, strict=False))
    return f"postgresql://{where}/{known.get('dbname') or ''}"


def connect(dsn: str) -> psycopg.Connection[tuple[Any, ...]]:
    """Open a connection in autocommit mode that notices when network or server are gone. Raises psycopg.Error."""
    known: dict[str, Any] = dict(conninfo_to_dict(dsn))
    options = f"{_PATIENCE} {known.pop('options', None) or ''}".strip()
    more = {**_NETWORK, "tcp_user_timeout": _UNACKED, "target_session_attrs": "read-write", **known, "options": options}
    return psycopg.connect(make_conninfo(**more), autocommit=True, application_name="bulkmail")


def repeated(method: Callable[Concatenate[Any, P], T]) -> Callable[Concatenate[Any, P], T]:
    """Run a method that is one transaction again when the server gave it up (deadlock, serialization failure)."""

    @wraps(method)
    def call(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(_TRIES):
            try:
                return method(self, *args, **kwargs)
            except AGAIN:
                continue
        raise OwnFault(f"the spool {self.database.path} is too busy: deadlocks without end")

    return call


class PostgresDatabase:
    """The connection and its named queries (`contract.Statements`). Belongs to the thread that uses it.

    ``epoch``: the number of the incarnation that writes; 0: none, and no fence.
    """

    def __init__(self, dsn: str, on_unsure: Callable[[str], None] | None = None) -> None:
        self.dsn = dsn
        self.path = shown(dsn)
        self.epoch = 0
        self.state = LIVE
        self.unsure = ""  # why it is not known yet whether a commit was carried out
        self.giving_up = threading.Event()  # do not wait for a server that may never come back
        self._on_unsure = on_unsure or (lambda _: None)
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._number = 0  # of the transactions of this incarnation
        self._inside = False

    def execute(self, name: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> psycopg.Cursor[tuple[Any, ...]]:
        """Run the query called ``name``."""
        # BEGIN and COMMIT gain nothing by being prepared
        return self.connection.execute(_TEXTS[name], parameters or None, prepare=None if parameters else False)

    def many(self, name: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run the query called ``name`` once for each of ``rows``: for few rows."""
        for row in rows:
            self.execute(name, row)

    def arrays(self, name: str, rows: Sequence[Sequence[Any]], *first: Any) -> Any:
        """Run the query called ``name`` once, with one array for each column of ``rows``, behind ``first``."""
        return self.execute(name, (*first, *map(array, zip(*rows, strict=True)))) if rows else None

    def copy(self, name: str, rows: Iterable[Sequence[Any]]) -> None:
        """Stream ``rows`` into the COPY called ``name``."""
        with self.connection.cursor() as cursor, cursor.copy(_TEXTS[name]) as copy:
            for row in rows:
                copy.write_row(row)

    @property
    def connection(self) -> psycopg.Connection[tuple[Any, ...]]:
        """The open connection, made when there is none; never anew in the middle of a transaction."""
        if self._connection is None or self._connection.closed:
            if self._inside:
                raise psycopg.OperationalError("the connection was lost")
            self._connection = connect(self.dsn)
        return self._connection

    @contextmanager
    def transaction(self, begin: str = "begin") -> Iterator[None]:
        """Do all or nothing, durable at the end. Raises OwnFault (Fenced where the claims were taken over)."""
        try:
            if begin == "begin_reading":  # one statement sees one state
                yield
                return
            self.execute("begin")
            self._inside = True
            self._enter()
            yield
            self._commit()
        except BaseException as error:
            self._inside = False
            self._undo(error)
            again = self.epoch and isinstance(error, AGAIN)  # what only reads is not repeated
            if isinstance(error, psycopg.Error) and not again and not isinstance(error, _BUGS):
                raise OwnFault(f"the spool {self.path} cannot be used ({words(error)})") from error
            raise
        finally:
            self._inside = False

    def require_live(self) -> None:
        """Within a transaction: raise OwnFault for an incarnation that was declared over; it may settle, not decide."""
        if self.state != LIVE:
            raise OwnFault(_NOT_LIVE)

    def notify(self, what: str) -> None:
        """Within a transaction: notify all machines of ROWS, STATES or SITES once it is committed."""
        self.execute("notify", (what,))

    def _enter(self) -> None:
        if not self.epoch:
            return
        self._number += 1
        found = self.execute("fence", {"epoch": self.epoch, "number": self._number}).fetchone()
        self.state = found[0] if found else RECOVERED
        if self.state == RECOVERED:
            raise Fenced(f"this machine was not heard of for too long; what it had claimed in {self.path} is gone")

    def _commit(self) -> None:
        try:
            done = self.execute("commit").statusmessage
        except AGAIN:
            raise
        except psycopg.Error:
            # a server that says no has not done it; one that is going down, or has gone, may have
            if not self.epoch or not self._was_committed():
                raise
        else:
            if done != "COMMIT":
                raise psycopg.OperationalError("the transaction had failed, and was rolled back")

    @property
    def _lost(self) -> bool:
        return self._connection is None or self._connection.broken or self._connection.closed

    def _was_committed(self) -> bool:
        """Ask until the server says. Raises psycopg.Error only when told to give up."""
        self._inside = False
        try:
            while True:
                try:
                    self._drop()
                    return self.execute("last_write", (self.epoch,)).fetchone() == (self._number,)
                except _BUGS:
                    raise
                except psycopg.Error as error:
                    self.unsure = f"the spool {self.path} cannot be used ({words(error)})"
                    self._on_unsure(self.unsure)
                    if self.giving_up.is_set():
                        raise
                self.giving_up.wait(_ASK_AGAIN)
        finally:
            self.unsure = ""

    def _undo(self, error: BaseException) -> None:
        if self._connection is None:
            return
        # a server that has become read-only may not be the one to write to any more
        if self._lost or isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
            self._drop()
        elif self._connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            try:
                self.execute("rollback")
            except psycopg.Error:
                self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    def close(self) -> None:
        """Close the connection."""
        self._drop()


def array(column: Sequence[Any]) -> str:
    """Return a column of texts, or of numbers with None, as PostgreSQL writes an array.

    The library's own way takes a microsecond for each value, which is most of what a settlement costs.
    """
    if all(isinstance(value, str) for value in column):
        every = "".join(column)
        if "\\" in every or '"' in every:
            column = [value.replace("\\", "\\\\").replace('"', '\\"') for value in column]
        return '{"' + '","'.join(column) + '"}'
    return "{" + ",".join(["NULL" if value is None else repr(value) for value in column]) + "}"


def words(error: BaseException) -> str:
    """Return what the server or the library said, in one line."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def refused(dsn: str, message: str) -> Refused:
    """Return the refusal of one database, as a problem of it."""
    return contract.refused(shown(dsn), message)


def open_database(dsn: str, on_unsure: Callable[[str], None] | None = None) -> PostgresDatabase:
    """Open the database; make its tables where there are none. Raises Refused; changes nothing it does not know."""
    database = PostgresDatabase(dsn, on_unsure)
    try:
        _prepare(database)
    except psycopg.Error as error:
        database.close()
        raise refused(dsn, f"cannot be used as a spool ({words(error)})") from error
    except OwnFault as fault:
        database.close()
        raise refused(dsn, str(fault)) from fault
    except BaseException:
        database.close()
        raise
    return database


def _prepare(database: PostgresDatabase) -> None:
    number, encoding = database.execute("server_version").fetchone() or (0, "")
    if number < OLDEST:
        raise refused(database.dsn, f"PostgreSQL {number // 10000} is too old; {OLDEST // 10000} or newer is needed")
    if encoding != "UTF8":
        raise refused(database.dsn, f"has the encoding {encoding}; make a database with UTF8")
    with database.transaction():
        database.execute("one_at_a_time")
        _migrate(database)


def check_version(database: PostgresDatabase) -> int:
    """Return its version, 0 where there is none. Raises Refused where a newer bulkmail, or another program, made it."""
    has_meta, has_campaign = database.execute("has_tables").fetchone() or (False, False)
    if has_meta != has_campaign:
        raise refused(database.dsn, "has tables of something else; use a database, or a schema, of its own")
    if not has_meta:
        return 0
    found = database.execute("meta", ("version",)).fetchone()
    version = int(found[0]) if found else 0
    if version > VERSION:
        raise refused(
            database.dsn, f"was written by a newer bulkmail (version {version}, this one knows {VERSION}); upgrade"
        )
    return version


def _migrate(database: PostgresDatabase) -> None:
    version = check_version(database)
    for number, script in MIGRATIONS:
        if number > version:
            database.connection.execute(script.encode())
            database.execute("set_meta", ("version", str(number)))
