"""The ``bulkmail`` command: finds the command that was asked for, runs it, and gives its exit status."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import shtab

from bulkmail import __version__
from bulkmail.commands import COMMANDS, DONE, PREAMBLE, REFUSED
from bulkmail.mail import BulkmailError, Refused

INTERRUPTED = 130
"""The exit status after Ctrl-C, as shells have it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status: 0 done, 1 refused, 2 wrong usage, 130 interrupted."""
    parser = command_parser()
    given, rest = parser.parse_known_args(arguments)
    if rest and not getattr(given, "takes_rest", False):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    given.rest = rest
    try:
        status: int = given.run(given)
        sys.stdout.flush()
    except Refused as refused:
        print(refused, file=sys.stderr)
        return REFUSED
    except BulkmailError as error:
        print(f"bulkmail: {error}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print("bulkmail: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    return status


def command_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands, for running one and for describing them."""
    parser = argparse.ArgumentParser(
        prog="bulkmail", description="Make, check, send and look after campaigns. To send one: bulkmail send FOLDER"
    )
    parser.add_argument("--version", action="version", version=f"bulkmail {__version__}")
    shtab.add_argument_to(parser, help="print the completion script of a shell", preamble=PREAMBLE)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
