"""What a person can do from a shell, one module a command.

Room: the commands of ``bulkmail``.
Takes: the parsed arguments of one command.
Gives: lines or JSON on stdout, notices on stderr, an exit status: 0 done, 1 refused or found wrong, 2 wrong usage.
Never: runs longer than what was asked for, holds a rule that the sending also needs.

A module has ``add(commands)``, which adds its parser and sets ``run``, a function from the parsed arguments to the exit
status. A new command is a module of its name and its line in COMMANDS, which is also the order of ``bulkmail --help``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bulkmail.commands.asking import PREAMBLE

COMMANDS = (
    "init",
    "check",
    "choose",
    "preview",
    "plan",
    "rehearse",
    "test",
    "send",
    "status",
    "top",
    "accept",
    "approve",
    "pause",
    "resume",
    "try-now",
    "cancel",
    "remove",
    "retry",
    "report",
    "find",
    "explain",
    "trace",
    "tail",
    "suppress",
    "pace",
    "forget",
    "rules",
    "spool",
    "dkim",
    "user",
    "reload",
    "doctor",
    "schema",
    "sink",
)

__all__ = ["COMMANDS", "PREAMBLE", "command"]


def command(name: str) -> Any:
    """Return the module of one of COMMANDS, read when it is asked for: each needs other parts, and none all of them."""
    return import_module(f"bulkmail.commands.{name.replace('-', '_')}")


def __getattr__(name: str) -> Any:
    """Return PREAMBLE, which only a script of completion needs. Raises AttributeError for every other name."""
    if name != "PREAMBLE":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return command("asking").PREAMBLE
