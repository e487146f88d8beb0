"""A list that a database is asked for: ``recipients: {postgresql: crm, query: people.sql}``.

The operator's settings say what database ``crm`` is; the campaign's folder has the query and no secret. The answer is
written into the folder, once, as ``people.sql.csv``, and is a list like any other from there on: what was checked and
approved is what is sent, and a campaign that goes on after a stop finds the same rows, whatever the database says by
then. While the file is there, nothing is asked.

The rows pass through a cursor of the server, some thousand at a time, so memory stays flat. The session can only read.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from importlib import import_module
from typing import Any, Protocol

from bulkmail.campaign.named_list import NAMED_LIST, NamedList, named_list
from bulkmail.files import Folder, MissingFileError
from bulkmail.mail import Problem
from bulkmail.yamlfile import ErrorAt, YamlFile, one_line

WITHIN = 600
"""Seconds that the database may take for the answer, and for each piece of it."""

_KEYS = ("postgresql", "query", "email")
_LONGEST = 1_000_000  # bytes of a query
_AT_ONCE = 2000
_MODE = 0o644
_OPTIONS = f"-c default_transaction_read_only=on -c statement_timeout={WITHIN * 1000} -c client_encoding=UTF8"
_QUOTED = re.compile(r"[\",\r\n]|^\s|\s$")
_ASKED = {
    "type": "object",
    "properties": {key: {"type": "string"} for key in _KEYS},
    "required": ["postgresql", "query"],
    "additionalProperties": False,
}
NAMED_LISTS = [NAMED_LIST, _ASKED]
"""The mappings that may name a list, as JSON Schema has them."""

LIST_EXAMPLES = [
    "recipients.csv",
    {"rest_of": "winter-sale"},
    {"file": "people.xlsx", "sheet": "Members"},
    {"postgresql": "crm", "query": "people.sql"},
]


class Place(Protocol):
    """What is taken of where a campaign stands."""

    @property
    def folder(self) -> Folder: ...  # noqa: D102
    @property
    def checked(self) -> Mapping[str, Any] | None: ...  # noqa: D102
    @property
    def databases(self) -> Mapping[str, str] | None: ...  # noqa: D102


class ToBeAskedError(Exception):
    """A list is to be asked of a database first, which `NotNow` has kept from being done."""


class NotNow(Mapping[str, str]):
    """Databases that may be asked for lists, but not at this moment: raises ToBeAskedError where one would be."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = known

    def __getitem__(self, name: str) -> str:
        if name in self._known:
            raise ToBeAskedError(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


class QueryList(NamedList):
    """The name of the file with a query's answer."""

    __slots__ = ()


def named_or_asked(given: Mapping[Any, Any], read: Callable[[Any], str], place: Place) -> NamedList | None:
    """Check a mapping that names a list, and ask the database where there is no answer yet; None for another mapping.

    ``read`` checks the name of a file. Raises ValueError.
    """
    if "postgresql" not in given and "query" not in given:
        return named_list(given, read) if {"file", "sheet", "email"} & given.keys() else None
    for key in given:
        if key not in _KEYS:
            raise ErrorAt((key,), f"`{str(key)[:60]}` is not a known key; known here: {', '.join(_KEYS)}")
        if not isinstance(given[key], str) or not given[key].strip():
            raise ErrorAt((key,), "must be text")
        one_line(given[key])
    for key in _KEYS[:2]:
        if key not in given:
            raise ValueError(f"`{key}` is missing: write {{postgresql: crm, query: people.sql}}")
    name = f"{os.path.basename(given['query'])}.csv"
    if place.checked is None:
        try:
            place.folder.status(name)
        except MissingFileError:
            _ask(given["postgresql"], given["query"], name, place)
    found = QueryList(read(name))
    found.sheet, found.email = "", given.get("email", "")
    return found


def asked_notices(lists: Sequence[str], folder: Folder, file: YamlFile) -> list[Problem]:
    """Return when the lists of databases were asked for, which is not now."""
    found = []
    for name in lists:
        if isinstance(name, QueryList):
            at = time.strftime("%Y-%m-%d %H:%M", time.gmtime(folder.status(name).st_mtime))
            words = f"{name} has what the database said on {at} UTC; to ask it again, delete this file before the start"
            found.append(file.problem(("recipients",), words))
    return found


def _ask(database: str, query: str, name: str, place: Place) -> None:
    """Write the answer into the folder. Raises ValueError with a sentence."""
    if place.databases is None:
        raise ValueError(f"{name} has not been made of {query} yet; `bulkmail check` makes it")
    address = place.databases.get(database)
    if address is None:
        known = ", ".join(sorted(place.databases)) or "none"
        raise ErrorAt(
            ("postgresql",), f"the operator's settings have no database {database!r} (`databases`); there are: {known}"
        )
    try:
        text = place.folder.read(query, _LONGEST).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ErrorAt(("query",), f"{query} is not UTF-8; save the file as UTF-8") from None
    except ValueError as error:
        raise ErrorAt(("query",), str(error)) from None
    aside = f".{name}.new"
    try:
        with os.fdopen(place.folder.create(aside, _MODE), "wb") as out:
            for piece in answer(address, text, query, database):
                out.write(piece)
        place.folder.rename(aside, name)
    except OSError as error:
        raise ValueError(f"{name} cannot be written into the campaign's folder ({error.strerror})") from None
    finally:
        with suppress(OSError):
            place.folder.unlink(aside)


def reached(address: str, database: str) -> str:
    """Return the version of the server, once a session there has been begun and ended. Raises ValueError."""
    with _connected(_psycopg(), address, database) as connection:
        version: str = connection.execute("SHOW server_version").fetchone()[0]
        return version


def _psycopg() -> Any:
    try:
        return import_module("psycopg")
    except ImportError:
        raise ValueError("`postgresql` needs psycopg; install it with: pip install 'bulkmail[postgres]'") from None


def _connected(psycopg: Any, address: str, database: str) -> Any:
    try:
        known = psycopg.conninfo.conninfo_to_dict(address)
        options = f"{known.pop('options', None) or ''} {_OPTIONS}".strip()
        return psycopg.connect(**{"connect_timeout": "10", **known, "options": options}, application_name="bulkmail")
    except psycopg.Error as error:
        raise ValueError(f"the database {database!r} cannot be reached: {_words(error)}") from None


def answer(address: str, text: str, name: str, database: str) -> Iterator[bytes]:
    """Yield the answer to a query as CSV, in pieces. Raises ValueError with a sentence, which names ``database``."""
    psycopg = _psycopg()
    query = text.rstrip().rstrip(";").rstrip()
    with _connected(psycopg, address, database) as connection:
        _check(connection.pgconn, query, name)
        try:
            with connection.cursor(name="bulkmail") as cursor:
                cursor.execute(query)
                columns = [column.name for column in cursor.description or ()]
                yield b"\xef\xbb\xbf" + _line(columns)
                while rows := cursor.fetchmany(_AT_ONCE):
                    yield b"".join(_line([shown(value) for value in row]) for row in rows)
        except psycopg.Error as error:
            raise ValueError(f"{name}: the database refuses the query: {_words(error)}") from None


def _check(connection: Any, query: str, name: str) -> None:
    """Let the server read the query, which says where a mistake is; it takes one statement alone. Raises ValueError."""
    pq = import_module("psycopg.pq")
    result = connection.prepare(b"", query.encode())
    if result.status == pq.ExecStatus.COMMAND_OK:
        if not connection.describe_prepared(b"").nfields:
            raise ValueError(f"{name}: the statement gives no rows; write a SELECT")
        return
    field = pq.DiagnosticField
    at = result.error_field(field.STATEMENT_POSITION)
    line = f":{query[: int(at) - 1].count(chr(10)) + 1}" if at else ""
    words = (result.error_field(field.MESSAGE_PRIMARY) or b"?").decode("utf-8", "replace")
    hint = (result.error_field(field.MESSAGE_HINT) or b"").decode("utf-8", "replace")
    raise ValueError(f"{name}{line}: the database refuses the query: {words}{f'; {hint}' if hint else ''}")


def shown(value: Any) -> str:
    """Return a value as people see it, and as the filters of templates read it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else str(value)


def _words(error: Exception) -> str:
    return " ".join((str(error).strip() or type(error).__name__).split())


def _line(cells: Sequence[str]) -> bytes:
    texts = ['"' + cell.replace('"', '""') + '"' if _QUOTED.search(cell) else cell for cell in cells]
    return (",".join(texts) + "\r\n").encode("utf-8", "replace")
