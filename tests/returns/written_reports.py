"""The reports of written_reports.txt, each with what it says; its head tells how they are written down."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tests.returns.samples import HEADER, LETTER, PATH, octets

_TEXT = Path(__file__).with_suffix(".txt")
_NONE = ("-", "<>")


class Written(NamedTuple):
    """A message, its envelope, and the kind, the category and the weight that it has, "" without one."""

    message: bytes
    kind: str
    category: str
    weight: str
    recipient: str
    sender: str


def _written() -> dict[str, Written]:
    found = {}
    for entry in _TEXT.read_text("utf-8").split("\n=== ")[1:]:
        head, _, message = entry.partition("\n")
        kind, category, weight, recipient, sender, name = head.split(" ", 5)
        message = message.replace("{LETTER}", LETTER).replace("{HEADER}", HEADER)
        values = ("" if one in _NONE else one for one in (category, weight, recipient.format(PATH=PATH), sender))
        found[name] = Written(octets(message), kind, *values)
    return found


WRITTEN_REPORTS = _written()
