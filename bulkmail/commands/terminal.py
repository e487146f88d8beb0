"""What all commands share: their options, and how they print. Only commands and cli.py print."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm

TWISTD = "from twisted.scripts.twistd import run; run()"
"""What a Python that becomes the service is told to run (``-c``)."""

_PROGRESS_AFTER = 2.0  # seconds

Commands = Any
"""What ``ArgumentParser.add_subparsers`` returns; argparse has no public name for it."""


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add ``--settings`` to a command."""
    parser.add_argument("--settings", help="the operator's settings (default: ./bulkmail.yaml when it is there)")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json`` to a command."""
    parser.add_argument("--json", action="store_true", help="for programs")


def say(text: str) -> None:
    """Print a result on stdout."""
    print(text)


def tell(text: object) -> None:
    """Print a notice for a person on stderr."""
    print(text, file=sys.stderr)


def say_json(value: Mapping[str, Any] | list[Any]) -> None:
    """Print one JSON value on stdout, indented."""
    print(json.dumps(value, indent=2))


def progress(what: str, total: int | None = None, *, unit: str = "rows") -> tqdm[Any]:
    """Return a progress bar for work that may take over two seconds; use it in ``with``, and call ``update(count)``.

    ``what`` names the work ("reading recipients.csv"); ``total`` is the number of ``unit``, None where it is not
    known. It is drawn on stderr from the third second on, without colour, and is wiped off at its end. On a pipe
    nothing is drawn.
    """
    from tqdm import tqdm  # noqa: PLC0415 - most commands show none

    tqdm.monitor_interval = 0  # no thread beside the work: every update is close behind the last
    bar: tqdm[Any] = tqdm(
        desc=what,
        total=total,
        unit=f" {unit}",
        file=sys.stderr,
        disable=not sys.stderr.isatty(),
        delay=_PROGRESS_AFTER,
        leave=False,
        dynamic_ncols=True,
    )
    return bar


def utc(at: float, precision: str = "minutes") -> str:
    """Return an epoch time in seconds as RFC 3339 in UTC, to ``precision`` as ``datetime.isoformat`` names it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec=precision).replace("+00:00", "Z")
