"""The ``bulkmail`` command: finds the command that was asked for, runs it, and gives its exit status."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from bulkmail import __version__
from bulkmail.commands import COMMANDS, command
from bulkmail.exit_status import DONE, REFUSED
from bulkmail.mail import BulkmailError, Refused

INTERRUPTED = 130
"""The exit status after Ctrl-C, as shells have it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status: 0 done, 1 refused, 2 wrong usage, 130 interrupted."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    parser = command_parser(words[0] if words else "")
    if not words:
        parser.error("the command is missing; `bulkmail --help` lists them")
    if words[0] not in COMMANDS and not words[0].startswith("-"):
        parser.error(f"there is no command {words[0]!r}; {_nearest(words[0])}`bulkmail --help` lists them")
    given, rest = parser.parse_known_args(words)
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


def command_parser(only: str = "") -> argparse.ArgumentParser:
    """Return the parser of all commands; where ``only`` is the name of one, of that one, which takes less time."""
    parser = argparse.ArgumentParser(
        prog="bulkmail", description="Make, check, send and look after campaigns. To send one: bulkmail send FOLDER"
    )
    parser.add_argument("--version", action="version", version=f"bulkmail {__version__}")
    if only not in COMMANDS:
        _add_completion(parser)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in [only] if only in COMMANDS else COMMANDS:
        command(name).add(commands)
    return parser


def _nearest(word: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only where a word was mistyped

    near = get_close_matches(word, COMMANDS, 1)
    return f"the nearest is {near[0]}; " if near else ""


def _add_completion(parser: argparse.ArgumentParser) -> None:
    import shtab  # noqa: PLC0415 - a tenth of the time that `bulkmail status` takes

    from bulkmail.commands import PREAMBLE  # noqa: PLC0415

    shtab.add_argument_to(parser, help="print the completion script of a shell", preamble=PREAMBLE)


if __name__ == "__main__":
    sys.exit(main())
