"""What a person can do from a shell, one module a command.

Room: the commands of ``bulkmail``.
Takes: the parsed arguments of one command.
Gives: lines or JSON on stdout, notices on stderr, an exit status: 0 done, 1 refused or found wrong, 2 wrong usage.
Never: runs longer than what was asked for, holds a rule that the sending also needs.

A module has ``add(commands)``, which adds its parser and sets ``run``, a function from the parsed arguments to the exit
status. A new command is a module and its line in COMMANDS, which is also the order of ``bulkmail --help``.
"""

from __future__ import annotations

from bulkmail.commands import (
    accept,
    approve,
    cancel,
    check,
    dkim,
    doctor,
    explain,
    find,
    forget,
    init,
    pause,
    plan,
    preview,
    rehearse,
    remove,
    resume,
    retry,
    schema,
    send,
    sink,
    spool,
    status,
    suppress,
    test,
)
from bulkmail.commands.asking import PREAMBLE
from bulkmail.commands.terminal import DONE, REFUSED, USAGE

COMMANDS = (
    init,
    check,
    preview,
    plan,
    rehearse,
    test,
    send,
    status,
    accept,
    approve,
    pause,
    resume,
    cancel,
    remove,
    retry,
    find,
    explain,
    suppress,
    forget,
    spool,
    dkim,
    doctor,
    schema,
    sink,
)

__all__ = ["COMMANDS", "DONE", "PREAMBLE", "REFUSED", "USAGE"]
