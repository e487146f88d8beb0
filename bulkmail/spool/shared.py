"""Whether a spool is one that several machines share, and the parts that only such a one needs."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

from bulkmail.mail import Problem, Refused


def is_shared(spool: str) -> bool:
    """Whether it is a database's address instead of a folder."""
    return spool.startswith(("postgresql://", "postgres://"))


def public(spool: str) -> str:
    """What may stand in a message: a database's address without its password."""
    if not is_shared(spool):
        return spool
    return re.sub(r"([?&]password=)[^&]*", r"\1…", re.sub(r"^(\w+://[^/@:]*):[^@]*@", r"\1@", spool))


def postgres(module: str) -> Any:
    """One of this room's modules that speak to PostgreSQL. Raises Refused where its library is missing."""
    try:
        return import_module(f"bulkmail.spool.{module}")
    except ImportError as error:
        if (error.name or "").split(".")[0] != "psycopg":
            raise
        words = "postgresql://… needs psycopg; install it with: pip install 'bulkmail[postgres]'"
        raise Refused([Problem("spool", 0, 0, words)]) from error
