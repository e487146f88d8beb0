"""The last steps of a text made from HTML, for each message: hidden parts go, and so do needless empty lines.

A part of which only the row tells whether it is seen stands between two marks: ``number,style`` before it, the number
alone behind it.
"""

from __future__ import annotations

import re

from bulkmail.content.hiding import hides
from bulkmail.content.layout import END, OPEN, laid_out, with_footnotes

_UNSEEN = "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufe00-\ufe0f"
_UNSEEN += "\u00a0\u1680\u2000-\u200f\u202f\u205f\u2800\u3000"
_MARK = re.compile(f"{OPEN}[^{OPEN}{END}]*{END}")
NOTHING = re.compile(f"[ \t{_UNSEEN}]*")
_EMPTY_LINE = re.compile(f"\n[ \t\r\f{_UNSEEN}]+(?=\n)")


def opening_mark(number: int, style: str) -> str:
    """Return what stands before part ``number``, which ``style`` hides or not; both may hold a template's tags."""
    return f"{OPEN}{number},{style}{END}"


def closing_mark(number: int) -> str:
    """Return what stands behind part ``number``."""
    return f"{OPEN}{number}{END}"


def unmarked(text: str) -> str:
    """Return the text without its marks, whatever they say."""
    return _MARK.sub("", text)


def tidy_text(text: str) -> str:
    """Return a rendered text without its hidden parts, with at most one empty line in a row, and none at its ends."""
    if OPEN in text:
        text = laid_out(_shown(text))
    if " \n" in text:
        text = "\n".join([line.rstrip(" ") for line in text.split("\n")])
    text = _EMPTY_LINE.sub("\n", f"\n{text}\n")
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text.strip(" \n") + "\n"


def finished_text(text: str) -> str:
    """Return the text of a whole message, tidied by `tidy_text`, with its long links at the end."""
    text = tidy_text(text)
    return with_footnotes(text) if "(http" in text else text


def _shown(text: str) -> str:
    """Return a rendered text without its marks and without what stands between two marks that hide."""
    first, *rest = text.split(OPEN)
    kept, hiding = [first], ""
    for part in rest:
        mark, _end, following = part.partition(END)
        if not mark[:1].isdigit():
            if not hiding:
                kept.append(f"{OPEN}{part}")  # of the layout
            continue
        number, comma, style = mark.partition(",")
        if comma and hiding in ("", number):  # the same again: its end tag is left out in a loop
            hiding = number if hides(style) else ""
        elif hiding == number:
            hiding = ""
            if kept[-1].endswith("\n"):
                following = following.removeprefix("\n")
        if not hiding:
            kept.append(following)
    return "".join(kept)
