"""A spool's address: a folder, or a database's URL; what of it may be shown, and the modules a URL needs."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from bulkmail.mail import Problem, Refused

_SHOWN = frozenset({
    "host", "hostaddr", "port", "dbname", "user", "sslmode", "application_name", "connect_timeout", "channel_binding",
    "target_session_attrs", "gssencmode", "sslrootcert", "load_balance_hosts",
})  # fmt: skip
_SECRET = frozenset({"password", "sslpassword"})


def is_shared(spool: str) -> bool:
    """Return whether it is a database's address instead of a folder."""
    return spool.startswith(("postgresql://", "postgres://"))


def public(spool: str) -> str:
    """Return what may stand in a message: a database's address without its passwords.

    Of ``user:password@`` the user stays, of the parameters those that are known to be no secret.
    """
    if not is_shared(spool):
        return spool
    user, place, query = _parts(spool)
    given = query.split("&") if query else []
    shown = [part for part in given if part.partition("=")[0].lower() in _SHOWN]
    parameters = "&".join([*shown, *(["…"] if len(shown) < len(given) else [])])
    name = user.partition(":")[0]
    scheme = spool.partition("://")[0]
    return f"{scheme}://{f'{name}@' if name else ''}{place}{'?' if parameters else ''}{parameters}"


def has_password(spool: str) -> bool:
    """Return whether a database's address holds a password, which would be shown wherever the address is."""
    if not is_shared(spool):
        return False
    user, _, query = _parts(spool)
    return ":" in user or any(part.partition("=")[0].lower() in _SECRET for part in query.split("&"))


def _parts(spool: str) -> tuple[str, str, str]:
    """Return what stands before the ``@``, the hosts with the database, and the parameters, of an address.

    As libpq has it the first ``@`` before a ``/`` ends the user and the password. Where a password holds one of them
    all the same, the last ``@`` before the parameters does.
    """
    rest = spool.partition("://")[2]
    user, at, behind = rest.partition("@")
    if not at or "/" in user:
        user, behind = "", rest
    place, _, query = behind.partition("?")
    if "@" in place:
        more, _, place = place.rpartition("@")
        user = f"{user}@{more}" if user else more
    return user, place, query


def postgres(module: str) -> Any:
    """Import a module of `spool.postgres`. Raises Refused where its library is missing."""
    try:
        return import_module(f"bulkmail.spool.postgres.{module}")
    except ImportError as error:
        if (error.name or "").split(".")[0] != "psycopg":
            raise
        words = "postgresql://… needs psycopg; install it with: pip install 'bulkmail[postgres]'"
        raise Refused([Problem("spool", 0, 0, words)]) from error
