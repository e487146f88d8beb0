"""``bulkmail report``: what became of each row of a campaign, as one stream for other programs."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterable

from bulkmail.commands.asking import add_name
from bulkmail.commands.terminal import Commands, add_settings
from bulkmail.exit_status import DONE
from bulkmail.exporting import FORMATS, export
from bulkmail.mail import BulkmailError
from bulkmail.settings import load_settings
from bulkmail.spool import open_reader


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    report = commands.add_parser("report", help="what became of each row of a campaign, for other programs")
    add_name(report)
    report.add_argument(
        "--format",
        choices=FORMATS,
        default="csv",
        help="csv: as recipients.csv; jsonl: an object a line; parquet: for data warehouses; "
        "pmta: each attempt as PowerMTA's accounting file",
    )
    report.add_argument("--output", metavar="FILE", help="write it to a file, aside and renamed (default: stdout)")
    add_settings(report)
    report.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Write it, from the spool. Raises BulkmailError."""
    settings = load_settings(given.settings, os.getcwd())
    if given.format == "parquet" and given.output is None and sys.stdout.isatty():
        raise BulkmailError("Parquet is nothing for a terminal: name a file with --output, or pass it on by a pipe")
    with contextlib.closing(open_reader(settings.spool)) as reader:
        parts = export(reader, given.name, given.format)
        if given.output is None:
            for part in parts:
                sys.stdout.buffer.write(part)
            sys.stdout.buffer.flush()
        else:
            _write(given.output, parts)
    return DONE


def _write(path: str, parts: Iterable[bytes]) -> None:
    aside = f"{path}.part"
    try:
        with open(aside, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        os.rename(aside, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(aside)
        raise BulkmailError(f"{path} cannot be written ({error.strerror})") from None
