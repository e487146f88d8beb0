"""The attributes of a tag as far as a text needs them, with a template's own tags in values and around attributes."""

from __future__ import annotations

import re

from bulkmail.content.shield import OPEN, SIGN, Tags, balanced, word_of

_DIGITS = 10
_USED = {"a": ("href",), "area": ("href", "alt"), "img": ("alt",)}
_CHOOSING = frozenset({"if", "elif", "else", "endif", "for", "endfor", ""})
_MAY_HIDE = re.compile("display|visib|opacity|overflow|hid")
_DECLARED_ELSEWHERE = re.compile(rf"(?:^|;)\s*{OPEN}")


class Attributes:
    """What ``pairs``, the attributes of an element ``tag``, say; the names in them are in lower case."""

    def __init__(self, tags: Tags, tag: str, pairs: tuple[tuple[str, str], ...]) -> None:
        self._tags = tags
        self._pairs = pairs
        self._whole = " ".join(f"{name} {value}" for name, value in pairs)
        self._signed = OPEN in self._whole
        self._sound = not self._signed or balanced(tags.blocks(self._whole))
        self._around = self._signed and any(tags.blocks(name) for name, _value in pairs)
        self._used = _USED.get(tag, ())
        self.styled = any(name in ("class", "id") or OPEN in name for name, _value in pairs)
        """Whether a style sheet may say more about the element."""
        self.alt = self._value("alt") if "alt" in self._used else ""
        """With signs."""
        self.target = tags.restored(self._value("href")).strip() if "href" in self._used else ""
        """Where a link leads, with its tags put back; "" for no link."""
        self.style = ""
        """The declarations that hold for each row."""
        self.varying = ""
        """The style with its tags put back, when they decide whether the element is seen."""
        style = self._value("style", "hidden")
        if OPEN in style and self._may_hide(style):
            self.varying = tags.restored(style)
        else:
            self.style = SIGN.sub(" ", style)

    @property
    def rest(self) -> str:
        """What must stay of the attributes that are not used: tags that do more than choose between texts."""
        if not self._signed:
            return ""
        used = self._used + (("style",) if self.varying else ())
        rest = " ".join(
            f"{name} {value}"
            for name, value in self._pairs
            if name not in used or not balanced(self._tags.blocks(value))
        )
        return rest if not self._sound or {word_of(tag) for tag in self._tags.blocks(rest)} - _CHOOSING else ""

    @property
    def value(self) -> int | None:
        """The number that an item of a list says of itself."""
        return self._number("value")

    @property
    def counting(self) -> tuple[int, str, int]:
        """How a list counts: its first number, its ``type``, and the step. -1 for a list without numbers.

        A ``reversed`` list begins with as many as it has items, which are not known yet: without ``start`` it has none.
        """
        kind = next((value for name, value in self._pairs if name == "type"), "")
        first = self._number("start")
        backwards = any(name == "reversed" for name, _ in self._pairs)
        if first is None:
            first = -1 if backwards else 1
        return first, kind if kind in ("a", "A", "i", "I") else "1", -1 if backwards else 1

    def _number(self, wanted: str) -> int | None:
        text = next((value.strip() for name, value in self._pairs if name == wanted), "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < _DIGITS else None

    def _value(self, *names: str) -> str:
        """Return the value of an attribute; with the signs of the conditions around it, where there are any."""
        pieces: list[str] = []
        for name, value in self._pairs:
            if name in names:
                pieces.append("display:none;" if name == "hidden" else f"{value};" if name == "style" else value)
                if not (self._around and self._sound) and len(names) == 1:
                    break
            elif self._around and self._sound:
                pieces += [found[0] for found in SIGN.finditer(f"{name} {value}") if self._chooses(found[0])]
        found = "".join(pieces)
        return found if balanced(self._tags.blocks(found)) else ""

    def _chooses(self, sign: str) -> bool:
        return any(word_of(tag) in _CHOOSING for tag in self._tags.blocks(sign))

    def _may_hide(self, style: str) -> bool:
        tags = "".join(tag for _text, tag in self._tags.pieces(style))
        if "none" in tags or _MAY_HIDE.search(self._tags.restored(style).lower()):
            return True
        return any(self._printed_first(found.end() - 1, style) for found in _DECLARED_ELSEWHERE.finditer(style))

    def _printed_first(self, at: int, style: str) -> bool:
        """Return whether the tag at the beginning of a declaration prints it."""
        found = SIGN.match(style, at)
        return found is not None and not self._tags.blocks(found[0])
