"""HTML's elements: which are dropped, where lines break, and which end tags may be left out (HTML standard 13.2.6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from string import ascii_lowercase

from bulkmail.content.hiding import Look
from bulkmail.content.lines import Owed

HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
HEAD = frozenset({"base", "link", "meta", "title", "noscript", "style", "script", "template", "head", "noframes"})
SKIPPED = frozenset({"head", "style", "script", "template", "noscript", "svg", "select", "title"}) | frozenset(
    {"iframe", "textarea", "noframes", "noembed", "xmp", "datalist"}
)
VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})
INLINE = frozenset({"a", "b", "i", "u", "s", "em", "strong", "font", "small", "big", "code", "tt", "strike", "span"})
CELLS = frozenset({"td", "th"})
TABULAR = frozenset({"table", "tbody", "thead", "tfoot", "tr", "td", "th"})
ROOMS = frozenset({"td", "th", "caption", "table"})
# Empty lines before and after: 2 is one empty line, 1 a line of its own
BREAKS = {
    **dict.fromkeys(("div", "tr", "li", "dt", "dd", "center", "form", "caption", "body", "nav", "aside"), 1),
    **dict.fromkeys(("section", "article", "header", "footer", "main"), 1),
    **dict.fromkeys(("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "pre", "blockquote"), 2),
    **dict.fromkeys(("table", "figure"), 2),
}
# What a start tag ends, and what the search for it does not look beyond (HTML standard 13.2.6)
ENDS = {
    **dict.fromkeys(BREAKS.keys() - {"table"} | {"hr"}, (frozenset({"p"}), ROOMS | {"button"})),
    "li": (frozenset({"li", "p"}), ROOMS | {"ul", "ol"}),
    **dict.fromkeys(("dt", "dd"), (frozenset({"dt", "dd", "p"}), ROOMS | {"dl"})),
    **dict.fromkeys(CELLS, (CELLS, frozenset({"table", "tr"}))),
    "tr": (CELLS | {"tr"}, frozenset({"table"})),
    **dict.fromkeys(("tbody", "thead", "tfoot"), (CELLS | {"tr", "tbody", "thead", "tfoot"}, frozenset({"table"}))),
    "a": (frozenset({"a"}), ROOMS),
}
DEEPEST = 256  # open elements; browsers have such a bound too


_ROMAN = [(1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl")]
_ROMAN += [(10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")]


def numbered(number: int, kind: str) -> str:
    """Return the number of an item as the ``type`` of its list has it (HTML standard 4.4.5): ``1 a A i I``."""
    word = str(number)
    if kind in ("a", "A") and 0 < number <= len(ascii_lowercase):
        word = ascii_lowercase[number - 1]
    elif kind in ("i", "I") and 0 < number < 4000:
        word, left = "", number
        for value, letters in _ROMAN:
            word += letters * (left // value)
            left %= value
    return f"{word.upper() if kind.isupper() else word}."


@dataclass(slots=True, eq=False)
class Element:
    """An open element."""

    name: str
    look: Look
    start: int = 0
    """Where its text begins in the pieces written."""
    hides: bool = False
    """Whether it hides what would be seen without it."""
    pre: bool = False
    lists: int = 0
    """How many lists it stands in."""
    item: int = -1
    """The number of a list's last item; -1 when its items have none."""
    mark: int = 0
    """The number of its marks when only the row tells whether it is seen."""
    target: str = ""
    """Where a link leads; "" for no link."""
    owed: int = 0
    """A cell's: the line ends owed before it."""
    layout: str = ""
    """What its lines are laid out as; "" for nothing."""
    indent: int = 0
    """By how many columns the further lines of an item are indented."""
    kind: str = "1"
    """How a list counts, as its ``type`` has it."""
    step: int = 1
    """The number of an item less that of the one before it."""


@dataclass(slots=True)
class Nest:
    """A ``{% %}`` that waits for its end, with what was open at its beginning."""

    word: str
    tags: list[str]
    open: list[Element]
    owed: Owed
    """What was owed at its beginning."""
    wrapped: bool = False
    own: bool = False
    """Whether its body is a text of its own, printed elsewhere."""
    branches: list[list[Element]] = field(default_factory=list)
    ends: list[tuple[int, int]] = field(default_factory=list)
    """For each branch a place at its end, and the line ends owed there."""

    @property
    def exact(self) -> bool:
        """Whether its body may be a value, in which white space counts."""
        return self.word != "macro"
