"""JSON lines (a JSON object in each line) as lines of CSV: the keys of the first objects are the columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any

from bulkmail.campaign.cells import ByteSource, Converted, line_of, unreadable

ENDINGS = (".jsonl", ".ndjson", ".jsonlines")
_LOOKED_AT = 1000  # lines whose keys are the columns
_LONGEST = 1 << 20


def open_json_lines(file: ByteSource) -> Converted:
    """Read JSON lines. The header has no line of the file, so it is line 0."""
    return Converted(file, _lines(split_lines(file.read)), file.expected, 0)


def split_lines(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Yield the lines, without their ends; of one that is too long its beginning."""
    held = b""
    cut = False
    while block := read(_LONGEST):
        held += block
        *whole, held = held.split(b"\n")
        for line in whole:
            yield line[: _LONGEST + 1] if not cut else b"x" * (_LONGEST + 1)
            cut = False
        if len(held) > _LONGEST:
            held, cut = b"", True
    if held or cut:
        yield held if not cut else b"x" * (_LONGEST + 1)


def _lines(lines: Iterator[bytes]) -> Iterator[bytes]:
    first = [_object(line) for line in islice(lines, _LOOKED_AT)]
    columns = list(dict.fromkeys(key for found in first if isinstance(found, dict) for key in found))
    if not columns:
        return
    yield line_of([*columns[:-1], columns[-1] or " "]).encode("utf-8", "replace") + b"\n"
    for found in chain(first, map(_object, lines)):
        if found is None:
            yield b"\n"
        elif isinstance(found, str):
            yield unreadable(found)
        else:
            yield _row(found, columns)


def _object(line: bytes) -> dict[str, Any] | str | None:
    """Return the object in a line, or what is wrong with it; None for a blank line."""
    if len(line) > _LONGEST:
        return "the line is longer than 1 MiB"
    try:
        text = line.decode("utf-8-sig").strip()
        if not text:
            return None
        found = json.loads(text, parse_constant=_no_number, parse_float=_as_written, parse_int=str)
    except UnicodeDecodeError as error:
        return f"byte {error.start + 1} (0x{line[error.start]:02X}) is not UTF-8"
    except (ValueError, RecursionError) as error:
        return f"the line is not JSON ({error})"
    return found if isinstance(found, dict) else "the line is JSON, but no object with names and values"


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _as_written(text: str) -> str:
    return text


def _row(found: dict[str, Any], columns: list[str]) -> bytes:
    if more := found.keys() - set(columns):
        name = min(more)[:60]
        return unreadable(f"the name {name!r} is in none of the first {_LOOKED_AT:,} lines; add it to the first one")
    try:
        return line_of([_cell(found.get(name)) for name in columns]).encode() + b"\n"
    except UnicodeEncodeError:
        return unreadable("a value has half a character (a lone surrogate)")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
