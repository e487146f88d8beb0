"""Reads attempts.csv of an earlier report, for what is tried on it."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from typing import NamedTuple

from bulkmail.files import open_regular
from bulkmail.mail import BulkmailError, UnitError, parse_moment, unguarded

_NAME = "attempts.csv"
_COLUMNS = ("at", "email", "result", "smtp_code", "reply", "mx_host")


class Attempted(NamedTuple):
    """One line: when (epoch seconds), of whom, what came of it, and what the server said."""

    line: int
    at: float
    email: str
    result: str
    code: int
    reply: str
    host: str


def attempts_in(place: str) -> Iterator[Attempted]:
    """Read the attempts in a file, or in ``attempts.csv`` of a report's or campaign's folder, in its order.

    Raises BulkmailError where there is no such file, or it is another one; lines without a time are passed over.
    """
    found = [os.path.join(place, *way, _NAME) for way in ((), ("report",))] if os.path.isdir(place) else [place]
    path = next((one for one in found if os.path.exists(one)), found[0])
    try:
        descriptor = open_regular(path)
    except ValueError as error:
        raise BulkmailError(f"the file {path} {error}; name a report's {_NAME}, or its folder") from None
    with open(descriptor, encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        missing = [name for name in _COLUMNS if name not in header]
        if missing:
            raise BulkmailError(f"{path} is no {_NAME}: it has no column {', '.join(missing)}")
        places = [header.index(name) for name in _COLUMNS]
        for cells in rows:
            if len(cells) < len(header):
                continue  # the last line, while it is being written
            at, email, result, code, reply, host = (cells[place] for place in places)
            try:
                when = parse_moment(at)
            except UnitError:
                continue
            number = int(code) if code.isascii() and code.isdigit() else 0
            yield Attempted(rows.line_num, when, unguarded(email), result, number, unguarded(reply), host)
