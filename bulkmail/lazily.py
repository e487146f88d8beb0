"""Names of a room that are imported when they are first asked for.

A worker process imports the module of its class, and with it the ``__init__`` of the rooms on the way. Where that
imported everything, a process that puts questions to the DNS would import the settings, and one that writes reports the
event loop: half a second of a core before its first job, and tens of megabytes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def later(room: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package (PEP 562).

    ``names``: of each of its modules the names that the package gives of it, with blanks between them; ``NAME=OTHER``
    gives it as OTHER. None may be a module's own name: that attribute is the module as soon as it is imported.
    """
    where = {
        word.rpartition("=")[2]: (module, word.partition("=")[0])
        for module, given in names.items()
        for word in given.split()
    }

    def get(name: str) -> Any:
        if name not in where:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        module, attribute = where[name]
        value = getattr(import_module(f"{room}.{module}"), attribute)
        setattr(sys.modules[room], name, value)
        return value

    return get
