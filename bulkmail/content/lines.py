"""The pieces of a text template in their order, with the white space between them.

White space is owed, not written, until the next text shows how much is needed.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from bulkmail.content.shield import inert
from bulkmail.content.tidying import NOTHING, unmarked

_SPACE = re.compile(r"[ \t\r\n\f]+")
_STATEMENT = re.compile(r"\{%.*?%\}", re.DOTALL)
_FOLLOWS = frozenset(".,;:!?)]}\u2019\u201d\u00bb\u2026")  # what stands right behind a link


class Owed(NamedTuple):
    """What the next text is owed."""

    breaks: int = 0
    """Line ends."""
    space: str = ""
    """Else the white space."""
    fresh: bool = False
    """Behind a bullet or at the start of a further cell: no line end."""
    linked: bool = False
    """Behind a link."""


class Lines:
    """Pieces: texts, white space, a template's tags."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._breaks = 1  # line ends owed: a file begins its own line
        self._space = ""  # else the white space owed
        self._fresh = False  # behind a bullet or at the start of a further cell: no line end
        self._beside = False  # behind a cell of one line: another one stands beside it
        self._linked = False  # behind a link
        self._broken = -1  # the last piece with a line end

    def __len__(self) -> int:
        return len(self._pieces)

    def __str__(self) -> str:
        return "".join(self._pieces)

    def words(self, text: str, *, pre: bool = False) -> None:
        """Write a text; its white space is one space where it is not ``pre``."""
        if pre:
            if text:
                self.write(inert(text))
            return
        words = _SPACE.sub(" ", text)
        if words.startswith(" ") and not self._breaks and not self._fresh:
            self._space = self._space or " "
        core = words.strip(" ")
        if not core:
            return
        if NOTHING.fullmatch(core):  # it may part two words, but makes no line
            self._space = self._space if self._breaks else core
            return
        self.write(inert(core))
        self._space = " " if words.endswith(" ") else ""

    def write(self, piece: str) -> None:
        """Write a visible piece, after the white space owed."""
        owed = "\n" * self._breaks or self._space
        if not owed and self._linked and piece[0] not in _FOLLOWS:
            owed = " "
        if owed:
            self._put(owed)
        self._put(piece)
        self._breaks, self._space = 0, ""
        self._fresh = self._beside = self._linked = False

    def item(self, bullet: str) -> None:
        """Write the bullet of a list's item, in a line of its own; what follows stands beside it."""
        self.write(bullet)
        self._space, self._fresh = " ", True

    def keep(self, piece: str) -> None:
        """Append a piece that prints nothing by itself, or prints what is no part of the text."""
        self._pieces.append(piece)

    def replace(self, at: int, piece: str) -> None:
        """Change the piece of index ``at``."""
        self._pieces[at] = piece

    def broken_since(self, at: int) -> bool:
        """Return whether a line has ended in the pieces from index ``at`` on, which may be a value's."""
        return any("\n" in piece for piece in self._pieces[at:])

    def add(self, at: int, piece: str) -> None:
        """Lengthen the piece of index ``at``."""
        self._pieces[at] += piece

    def end(self, lines: int, *, at_most: int = 2) -> None:
        """Owe ``lines`` line ends: 1 ends the line, 2 leave an empty one. 0 changes nothing."""
        if lines and not self._fresh:
            self._breaks = min(at_most, max(self._breaks, lines))
            self._space, self._beside = "", False

    def owed(self) -> Owed:
        """Return what is owed here."""
        return Owed(self._breaks, self._space, self._fresh, self._linked)

    def owe(self, owed: Owed) -> None:
        """Owe what was owed elsewhere: each branch of an ``if`` begins with the same."""
        self._breaks, self._space, self._fresh, self._linked = owed
        self._beside = False

    def br(self) -> None:
        """Owe one line end more, up to one empty line."""
        self._breaks = min(2, self._breaks + 1)
        self._space, self._beside = "", False

    def settle(self, *, loop: bool, row: bool) -> None:
        """Write, before a statement, of the white space owed what may not wait until behind it.

        One line end stays owed: each turn of a loop needs its own; not when it prints the cells of a ``row``. ``loop``:
        the statement ends a loop, whose next turn may begin with a link as this one ended.
        """
        if self._beside:
            self._put("  ")
            self._breaks = 0
            self._space = ""
            self._beside = False
        elif self._space or (loop and self._linked and not self._breaks):
            self._put(self._space or " ")
            self._space, self._linked = "", False
        rest = 0 if row else min(1, self._breaks)
        self._put("\n" * (self._breaks - rest))
        self._breaks = rest
        self._fresh = self._fresh or row

    def flush(self) -> None:
        """Write all the white space owed."""
        self._put("\n" * self._breaks or self._space)
        self._breaks, self._space = 0, ""

    def join(self, begun: Owed, ends: list[tuple[int, int]], *, complete: bool) -> None:
        """Let the branches of a statement end alike, so that what follows is owed the same behind each of them.

        ``ends`` has for each branch a place at its end, and how many line ends are owed there. Unless ``complete``
        there may be a turn with none of them, which is an ``else`` then.
        """
        owed = [breaks for _place, breaks in ends] + ([] if complete else [begun.breaks])
        least = min(owed)
        for place, breaks in ends:
            self._pieces[place] = "\n" * (breaks - least)
        if not complete and begun.breaks > least:
            self.keep("{% else %}" + "\n" * (begun.breaks - least))
        self._breaks = least

    def enter_cell(self) -> int:
        """Begin a cell, in the same line as one of a single line before it. The line ends owed otherwise."""
        owed = self._breaks
        if self._beside:
            self._breaks = 0
            self._space = "  "
            self._fresh = True
        self._beside = False
        return owed

    def leave_cell(self, start: int, owed: int) -> None:
        """End a cell whose pieces begin at ``start``."""
        first = next((at for at in range(start, len(self._pieces)) if self._is_text(at)), -1)
        if first < 0:
            if self._fresh:
                self._breaks = owed
                self._space = ""
                self._fresh = False
                self._beside = True
        elif self._broken < first:
            self._beside = True
            self._space = ""
        else:
            self.end(1)

    def link(self, target: str, start: int) -> None:
        """Write where the link leads whose pieces begin at ``start``; a target with a condition in it may be empty."""
        said = "".join(self._pieces[start:]).strip()
        if target.startswith("#") or target.removeprefix("mailto:").removeprefix("tel:") == said:
            return
        visible = bool(_STATEMENT.sub("", unmarked(said)).strip())
        if "{%" in target:
            if not visible:
                self.flush()
            self.keep("{% set bulkmail_link %}" + target + "{% endset %}{% if bulkmail_link %}")
            self._write_target("{{ bulkmail_link }}", visible=visible)
            self.keep("{% endif %}")
        else:
            self._write_target(target, visible=visible)

    def _write_target(self, target: str, *, visible: bool) -> None:
        if visible and not self._breaks:
            self._space = self._space or " "
        self.write(f"({target})" if visible else target)
        self._linked = True

    def _is_text(self, at: int) -> bool:
        piece = self._pieces[at]
        return not piece.startswith("{%") and not unmarked(piece).isspace() and unmarked(piece) != ""

    def _put(self, piece: str) -> None:
        if "\n" in piece:
            self._broken = len(self._pieces)
        if piece:
            self._pieces.append(piece)
