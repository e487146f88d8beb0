"""What a spreadsheet shows of a number: by the cell's number format (ECMA-376 part 1, 18.8.30 and 18.8.31).

Numbers, percent, dates, times and elapsed hours are formatted as the code says, with English names of months and days
and the marks ``.`` and ``,``. Dates whose look depends on the reader's own settings (the formats 14 and 22, and those
that name a language with its own month names) are written as ISO 8601 has them. What the code has beyond that
(fractions, exponents, conditions) is shown as a plain number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

Shown = Callable[[str], str]
"""From the stored number, as its file has it, to what people see."""

_BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 14: "yyyy-mm-dd", 15: "d-mmm-yy", 16: "d-mmm",
    17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss", 22: "yyyy-mm-dd h:mm",
    37: "#,##0;-#,##0", 38: "#,##0;-#,##0", 39: "#,##0.00;-#,##0.00", 40: "#,##0.00;-#,##0.00", 45: "mm:ss",
    46: "[h]:mm:ss", 47: "mm:ss.0", 49: "@",
}  # fmt: skip
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_PIECE = re.compile(
    r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]|AM/PM|A/P|General|y+|m+|d+|h+|s+(?:\.0+)?|[0#?]+|[.,%@]|.',
    re.IGNORECASE | re.DOTALL,
)
_DATE = re.compile(r"[ymdhs]", re.IGNORECASE)
_ENGLISH = frozenset({"", "409", "809", "c09", "1009", "1409", "f800", "f400"})
_SPELT = re.compile(r"m{3,}|d{3,}", re.IGNORECASE)
_LATEST = 2_958_466  # the day after 9999-12-31


def shown_by(number: int, codes: Mapping[int, str], *, from_1904: bool = False) -> Shown:
    """Return how the format ``number`` shows a value; ``codes``: the workbook's own, by number. Others are built in."""
    code = codes.get(number) or _BUILT_IN.get(number, "General")
    sections = _sections(code)
    first = sections[0]
    if _is_date(first):
        return _date(first, from_1904=from_1904)
    numbers = [_number(section) for section in sections[:3]]

    def shown(text: str) -> str:
        try:
            value = Decimal(text)
        except InvalidOperation:
            return text
        if not value.is_finite():
            return text
        if len(numbers) > 2 and not value:
            return numbers[2](value)
        if len(numbers) > 1 and value < 0:
            return numbers[1](-value)
        return ("-" if value < 0 else "") + numbers[0](abs(value))

    return shown


def plain(value: Decimal) -> str:
    """Return a number as the format General has it: up to 15 digits, whole ones without a point."""
    if value == value.to_integral_value():
        return str(int(value)) if abs(value) < Decimal(10) ** 21 else str(value.normalize())
    return format(Decimal(format(float(value), ".15g")), "f")


def _sections(code: str) -> list[list[str]]:
    sections: list[list[str]] = [[]]
    for piece in _PIECE.findall(code):
        if piece == ";":
            sections.append([])
        else:
            sections[-1].append(piece)
    return sections


def _is_date(pieces: list[str]) -> bool:
    return any(
        (_DATE.match(piece) and len(set(piece[:1].lower()) & set("ymdhs")) == 1) or _elapsed(piece) for piece in pieces
    )


def _elapsed(piece: str) -> bool:
    return re.fullmatch(r"\[(h+|m+|s+)\]", piece, re.IGNORECASE) is not None


def _literal(piece: str) -> str | None:
    """Return what a piece stands for that is no part of the number; None where it is one."""
    if piece[0] == '"':
        return piece[1:-1]
    if piece[0] == "\\" and len(piece) > 1:
        return piece[1]
    if piece[0] == "_" and len(piece) > 1:
        return " "
    if piece[0] == "*" and len(piece) > 1:
        return ""
    if piece[0] == "[" and piece[-1] == "]" and not _elapsed(piece):
        return piece[2:-1].partition("-")[0] if piece[1] == "$" else ""
    return None


def _number(pieces: list[str]) -> Callable[[Decimal], str]:
    """Return how a section of a code shows an absolute value."""
    if not pieces:
        return lambda _: ""
    if any(piece.lower() == "general" or piece == "@" for piece in pieces) or not any(
        piece[0] in "0#?" for piece in pieces
    ):
        if any(piece.lower() == "general" or piece == "@" for piece in pieces):
            return lambda value: "".join(_around(pieces, plain(value)))
        text = "".join(_literal(piece) if _literal(piece) is not None else piece for piece in pieces)  # type: ignore[misc]
        return lambda _: text
    if any(piece in ("E", "e", "/") for piece in pieces if _literal(piece) is None):
        return plain
    return _figures(pieces)


def _around(pieces: list[str], number: str) -> list[str]:
    """Return the literals of a section around its General."""
    return [number if piece.lower() == "general" or piece == "@" else _literal(piece) or "" for piece in pieces]


def _figures(pieces: list[str]) -> Callable[[Decimal], str]:
    """Return how a section with places for digits shows an absolute value."""
    before, after = "", ""
    front: list[str] = []
    back: list[str] = []
    point = grouped = False
    percent = thousands = 0
    for index, piece in enumerate(pieces):
        literal = _literal(piece)
        if literal is None and piece[0] in "0#?":
            if point:
                after += piece
            else:
                before += piece
        elif literal is None and piece == "." and not point:
            point = True
        elif literal is None and piece == ",":
            more = any(one[0] in "0#?" for one in pieces[index + 1 :] if _literal(one) is None)
            grouped, thousands = grouped or more, thousands + (not more)
        else:
            percent += literal is None and piece == "%"
            (back if before or point else front).append(piece if literal is None else literal)
    least, most, whole = after.count("0"), len(after), before.count("0")
    scale = Decimal(100) ** percent / Decimal(1000) ** thousands
    prefix, suffix = "".join(front), "".join(back)

    def shown(value: Decimal) -> str:
        rounded = (value * scale).quantize(Decimal(1).scaleb(-most), ROUND_HALF_UP)
        digits, _, fraction = format(rounded, "f").partition(".")
        digits = digits.lstrip("0").rjust(whole, "0")
        if grouped:
            digits = re.sub(r"(?<=\d)(?=(?:\d{3})+$)", ",", digits)
        while len(fraction) > least and fraction.endswith("0"):
            fraction = fraction[:-1]
        return f"{prefix}{digits}{'.' if fraction or (point and not most) else ''}{fraction}{suffix}".strip()

    def safely(value: Decimal) -> str:
        try:
            return shown(value)
        except InvalidOperation:  # more digits than a decimal has
            return plain(value)

    return safely


def _date(pieces: list[str], *, from_1904: bool) -> Shown:
    """Return how a section of a code shows a date, a time, or elapsed time."""
    spelt = any(_SPELT.fullmatch(piece) for piece in pieces)
    languages = {piece.rpartition("-")[2].rstrip("]").lower() for piece in pieces if piece.startswith("[$-")}
    if spelt and not languages <= _ENGLISH:
        timed = any(piece[:1].lower() in ("h", "s") for piece in pieces)
        pieces = ["yyyy", "-", "mm", "-", "dd", *((" ", "h", ":", "mm") if timed else ())]
    finest = max((len(piece.partition(".")[2]) for piece in pieces if piece[:1].lower() == "s"), default=0)
    timed = any(piece[:1].lower() in ("h", "s") or _elapsed(piece) for piece in pieces)
    unit = Decimal(10) ** finest
    half = any(piece.upper() in ("AM/PM", "A/P") for piece in pieces)
    plan = _minutes(pieces)

    def shown(text: str) -> str:
        try:
            serial = Decimal(text)
        except InvalidOperation:
            return text
        if not (serial.is_finite() and 0 <= serial < _LATEST):
            return text
        ticks = (
            int((serial * 86400 * unit).to_integral_value(ROUND_HALF_UP)) if timed else int(serial) * 86400 * int(unit)
        )
        moment = _moment(ticks // (86400 * int(unit)), from_1904=from_1904)
        if moment is None:
            return plain(serial)
        return "".join(_part(piece, moment, ticks, int(unit), half=half) for piece in plan)

    return shown


def _moment(days: int, *, from_1904: bool) -> datetime | None:
    """Return the date of a serial number; None for the 29 February 1900, which only spreadsheets have."""
    if from_1904:
        return datetime(1904, 1, 1) + timedelta(days=days)  # noqa: DTZ001 - a cell has no zone
    if days == 60:
        return None
    return datetime(1899, 12, 30 if days > 60 else 31) + timedelta(days=days)  # noqa: DTZ001


def _minutes(pieces: list[str]) -> list[str]:
    """Return the pieces with those ``m`` written ``M`` that are minutes: behind hours, or before seconds."""
    found = [piece if (_elapsed(piece) or _literal(piece) is None) else f'"{_literal(piece)}"' for piece in pieces]
    fields = [index for index, piece in enumerate(found) if piece[0].lower() in "ymdhs" or _elapsed(piece)]
    for position, index in enumerate(fields):
        if found[index].lower() not in ("m", "mm"):
            found[index] = found[index] if found[index].upper() in ("AM/PM", "A/P") else found[index].lower()
            continue
        before = found[fields[position - 1]].lower().strip("[") if position else ""
        behind = found[fields[position + 1]].lower() if position + 1 < len(fields) else ""
        found[index] = (
            found[index].upper() if before.startswith("h") or behind.startswith("s") else found[index].lower()
        )
    return found


def _part(piece: str, moment: datetime, ticks: int, unit: int, *, half: bool) -> str:
    """Return what one piece of a plan shows."""
    if piece[0] == '"':
        return piece[1:-1]
    seconds, fraction = divmod(ticks, unit)
    of_day = seconds % 86400
    hour, minute, second = of_day // 3600, of_day // 60 % 60, of_day % 60
    if piece[0] == "[" and len(piece) > 1:  # alone it is text
        total = seconds // {"h": 3600, "m": 60, "s": 1}[piece[1].lower()]
        return str(total).rjust(len(piece) - 2, "0")
    if piece.upper() in ("AM/PM", "A/P"):
        word = "PM" if hour >= 12 else "AM"
        return word if piece.upper() == "AM/PM" else word[0]
    kind, wide = piece[0], len(piece) > 1
    if kind == "h":
        shown = (hour % 12 or 12) if half else hour
        return f"{shown:02d}" if wide else str(shown)
    if kind == "M":
        return f"{minute:02d}" if wide else str(minute)
    if kind == "s":
        name, _, digits = piece.partition(".")
        text = f"{second:02d}" if len(name) > 1 else str(second)
        return f"{text}.{fraction:0{len(digits)}d}" if digits else text
    return _of_day(piece, moment)


def _of_day(piece: str, moment: datetime) -> str:
    kind, length = piece[0], len(piece)
    if kind == "y":
        return f"{moment.year:04d}" if length > 2 else f"{moment.year % 100:02d}"
    if kind == "m":
        name = _MONTHS[moment.month - 1]
        return (str(moment.month), f"{moment.month:02d}", name[:3], name, name[0])[min(length, 5) - 1]
    if kind == "d":
        name = _DAYS[moment.weekday()]
        return (str(moment.day), f"{moment.day:02d}", name[:3], name)[min(length, 4) - 1]
    return "" if piece == "@" else piece
