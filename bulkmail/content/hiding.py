"""What a browser does not show, as far as a tag itself says so (CSS in ``style``, the attribute ``hidden``).

Only what hides everywhere counts: ``mso-hide: all`` hides in Outlook alone. Style sheets are not read.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")
_RELATIVE = re.compile(r"[+-]?[0-9.]+(?:em|%|ex|ch)\Z|inherit\Z|unset\Z|smaller\Z|larger\Z")
_RESETTING = frozenset({"table", "font", "button", "input", "select", "textarea"})  # have a font size of their own


class Look(NamedTuple):
    """How a text looks where it stands; each of the three hides it."""

    gone: bool = False
    """With all that stands in it, whatever that says of itself."""
    unseen: bool = False
    """``visibility: hidden``: an element inside may be visible."""
    tiny: bool = False
    """``font-size: 0``: a text is not seen, but an image is, and an element inside may have a size."""

    @property
    def lost(self) -> bool:
        """Whether an element is not seen, be it an image."""
        return self.gone or self.unseen

    def inside(self, tag: str, style: str, *, styled: bool) -> Look:
        """Return the look inside an element; ``styled``: a style sheet may say more about it (``class`` or ``id``)."""
        if self.gone:
            return self
        if not style:
            return self._replace(tiny=False) if self.tiny and (styled or tag in _RESETTING) else self
        declared = declarations(style)
        visibility, size = declared.get("visibility", ""), declared.get("font-size", "")
        unseen = visibility in ("hidden", "collapse") if visibility not in ("", "inherit", "unset") else self.unseen
        tiny = self.tiny and not styled and tag not in _RESETTING
        if size and not (self.tiny and _RELATIVE.match(size)):
            tiny = _is_zero(size)
        return Look(_gone(declared), unseen, tiny)


SHOWN, GONE = Look(), Look(gone=True)


def hides(style: str) -> bool:
    """Return whether a ``style`` hides its element with all that stands in it or nearly all."""
    declared = declarations(style)
    return _gone(declared) or declared.get("visibility") in ("hidden", "collapse")


def declarations(style: str) -> dict[str, str]:
    """Return the values of a ``style`` by property, in lower case; the last one counts, ``!important`` first."""
    found: dict[str, str] = {}
    important: dict[str, str] = {}
    for declaration in _COMMENT.sub(" ", style).lower().split(";"):
        name, colon, value = declaration.partition(":")
        value, mark, _rest = value.partition("!")
        if colon:
            (important if mark else found)[name.strip()] = value.strip()
    return {**found, **important}


def _gone(declared: dict[str, str]) -> bool:
    if declared.get("display") == "none" or _is_zero(declared.get("opacity", "")):
        return True
    clipped = declared.get("overflow", "").startswith("hidden")
    inline = declared.get("display", "").startswith("inline")
    return clipped and not inline and any(_is_zero(declared.get(name, "")) for name in ("max-height", "height"))


def _is_zero(value: str) -> bool:
    found = _NUMBER.match(value)
    return found is not None and float(found[0]) == 0
