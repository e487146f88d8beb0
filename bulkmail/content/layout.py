"""The layout of a text made from HTML, for each message: quotations, the lines of an item, the columns of a table.

What the template puts between two marks is laid out once it is rendered, for only then its lines are known. A mark is
a kind and a number between two noncharacters, the one behind it a slash and the kind. One without the other, of an
element that a template begins or ends in one row and not in another, changes nothing.

Links that are longer than a line stand at the end of the text, by number.
"""

from __future__ import annotations

import re
import unicodedata

OPEN, END = "\ufdd2", "\ufdd3"
QUOTED, INDENTED, COLUMNS = "q", "i", "c"
_MARK = re.compile(f"{OPEN}(/?)([qic])([0-9]*){END}")
_STRAY = re.compile(f"[{OPEN}{END}]")
_BETWEEN = "  "  # cells; words have one space between them
_LINE = 78
_LONG_LINK = re.compile(r"(?<!\S)\((https?://[^\s()<>]{72,})\)")
_WIDE = frozenset({"W", "F"})


def begun(kind: str, number: int = 0) -> str:
    """Return what stands before a part of the text. ``number``: the columns by which an item's lines are indented."""
    return f"{OPEN}{kind}{number}{END}"


def ended(kind: str) -> str:
    """Return what stands behind such a part."""
    return f"{OPEN}/{kind}{END}"


def width(text: str) -> int:
    """Return how many columns a text takes where all characters have one width: two for those of East Asia (UAX 11)."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(each) or each in "\u200b\u200c\u200d\ufe0f" else 1 + (_wide(each)) for each in text
    )


def _wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in _WIDE


def laid_out(text: str) -> str:
    """Return a rendered text without its marks, laid out as they say."""
    parts: list[tuple[str, int, list[str]]] = [("", 0, [])]
    done = 0
    for mark in _MARK.finditer(text):
        parts[-1][2].append(text[done : mark.start()])
        done = mark.end()
        if not mark[1]:
            parts.append((mark[2], int(mark[3] or 0), []))
        elif any(kind == mark[2] for kind, _number, _pieces in parts):
            while parts[-1][0] != mark[2]:
                left = parts.pop()[2]
                parts[-1][2].extend(left)
            kind, number, inner = parts.pop()
            before = next((piece for piece in reversed(parts[-1][2]) if piece), "\n")
            parts[-1][2].append(_part(kind, number, "".join(inner), starts=before.endswith("\n")))
    parts[-1][2].append(text[done:])
    return _STRAY.sub("", "".join("".join(pieces) for _kind, _number, pieces in parts))


def _part(kind: str, number: int, text: str, *, starts: bool) -> str:
    lines = text.split("\n")
    if kind == COLUMNS:
        lines = _columns(lines)
    elif kind == INDENTED:
        lines[1:] = [line if line[:1] in ("", " ") else " " * number + line for line in lines[1:]]
    elif kind == QUOTED:
        first = 0 if starts else 1
        told = [at for at, line in enumerate(lines) if at >= first and line.strip()]
        for at in range(told[0], told[-1] + 1) if told else ():
            lines[at] = f"> {lines[at]}".rstrip(" ")
    return "\n".join(lines)


def _columns(lines: list[str]) -> list[str]:
    """Return the lines with their cells below each other, where that fits into a line."""
    rows = [line.split(_BETWEEN) for line in lines]
    count = max(map(len, rows))
    whole = [row for row in rows if len(row) == count]
    if count == 1 or len(whole) == 1:
        return lines
    widths = [max(width(row[at]) for row in whole) for at in range(count)]
    if sum(widths) + len(_BETWEEN) * (count - 1) > _LINE:
        return lines
    return [
        _BETWEEN.join(cell + " " * (widths[at] - width(cell)) for at, cell in enumerate(row)).rstrip(" ")
        if len(row) == count
        else line
        for line, row in zip(lines, rows, strict=True)
    ]


def with_footnotes(text: str) -> str:
    """Return the text with the long links behind words at its end; each has one number."""
    numbers: dict[str, int] = {}
    text = _LONG_LINK.sub(lambda found: f"[{numbers.setdefault(found[1], len(numbers) + 1)}]", text)
    if not numbers:
        return text
    return text.rstrip("\n") + "\n\n" + "".join(f"[{number}] {link}\n" for link, number in numbers.items())
