"""What child processes see of the environment: a short list, for it may hold the passwords of relay and database."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from bulkmail.failpoints import VARIABLE

_PASSED = frozenset(
    {"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TZDIR", "TMPDIR", "OPENSSL_CONF", "VIRTUAL_ENV", VARIABLE}
)
_BEGINNINGS = (
    "LC_", "PYTHON", "SSL_CERT_", "LD_", "MALLOC_", "COV_CORE_", "COVERAGE_", "FAKETIME", "DONT_FAKE_", "NO_FAKE_",
)  # fmt: skip
DATABASE = ("PG",)
"""Further beginnings, for children that open the spool: libpq takes its password and much else from such variables."""


def surroundings(further: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables that a child gets, of ``environment`` or this process; ``further``: beginnings of names."""
    of = os.environ if environment is None else environment
    beginnings = (*_BEGINNINGS, *further)
    return {name: value for name, value in of.items() if name in _PASSED or name.startswith(beginnings)}
