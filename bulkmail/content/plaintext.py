"""A text template made from an HTML template, for campaigns that have none.

It is made once, from the template and not from each message: Jinja2's tags stay where they are, so loops, conditions
and variables work in the text as they do in the HTML. Each tag is hidden from the HTML parser behind a sign that no
text holds; afterwards ``{% ... %}`` always comes back (so that every ``if`` keeps its ``endif``, even in a part that
is dropped), ``{{ ... }}`` only where text is kept.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

from jinja2 import Environment

_SKIPPED = frozenset({"head", "style", "script", "template", "noscript", "svg", "select", "title"})
_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})
# Empty lines before and after: 2 is one empty line, 1 a line of its own
_BREAKS = {
    **dict.fromkeys(("div", "tr", "li", "dt", "dd", "center", "form", "caption", "body", "nav", "aside"), 1),
    **dict.fromkeys(("section", "article", "header", "footer", "main"), 1),
    **dict.fromkeys(("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "pre", "blockquote"), 2),
    **dict.fromkeys(("table", "figure"), 2),
}
_HIDDEN = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all", re.IGNORECASE)
_OPEN, _CLOSE = "\ufdd0", "\ufdd1"  # noncharacters: never in a text (Unicode 23.7)
_SIGN = re.compile(f"{_OPEN}(\\d+){_CLOSE}")
_BRACE = "{{ '{' }}"
_MARKED = re.compile(r"<!\[([^<>]*)>")  # ends at the next "<" too: a scan to the end for each would be quadratic
_SPACE = re.compile(r"[ \t\r\n\f]+")
_RULE = "-" * 30


def plain_text(source: str) -> str:
    """The Jinja2 source of a text template that says what the HTML template ``source`` says.

    Raises jinja2.TemplateSyntaxError for a template Jinja2 cannot read.
    """
    environment = Environment()  # noqa: S701 - it only reads; nothing is rendered
    environment.parse(source)
    return _written(*_hide(environment, source))


def fragment_text(html: object) -> str:
    """HTML that a row brings along (``{{ story|safe }}``), as text."""
    text = _written(str(html).replace(_OPEN, "").replace(_CLOSE, ""), [])
    return tidy_text(text.replace(_BRACE, "{")).strip("\n")


def tidy_text(text: str) -> str:
    """A rendered text with no more than one empty line in a row, and none at its ends."""
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text.strip("\n") + "\n"


def adapt(environment: Environment) -> None:
    """Let the filters that speak of HTML mean its text instead, in an environment for texts made from HTML."""
    for name in ("e", "escape", "forceescape", "urlize"):
        environment.filters[name] = lambda value, *_args, **_named: value
    environment.filters["safe"] = fragment_text
    environment.filters["striptags"] = fragment_text


def _written(hidden: str, tags: list[str]) -> str:
    # <![if !mso]> and its kin: what html.parser does not know of them it takes for a fault of its own
    hidden = _MARKED.sub(r"<!--\1-->", hidden).replace("<![", "&lt;![")
    writer = _Writer(tags)
    writer.feed(hidden)
    writer.close()
    return writer.text()


def _hide(environment: Environment, source: str) -> tuple[str, list[str]]:
    """The source with each tag as a sign, and the tags by number. Comments go; ``raw`` is resolved."""
    text: list[str] = []
    tags: list[str] = []
    tag: list[str] = []
    for _line, kind, value in environment.lex(source):
        if kind in ("block_begin", "variable_begin"):
            tag = [value.rstrip("-+")]
        elif kind in ("block_end", "variable_end"):
            tag.append(value.strip().lstrip("-+"))  # "-%}" would eat the line ends that are put in
            text.append(f"{_OPEN}{len(tags)}{_CLOSE}")
            tags.append("".join(tag))
            tag = []
        elif kind == "data":
            text.append(value.replace(_OPEN, "").replace(_CLOSE, ""))
        elif tag:
            tag.append(value)
    return "".join(text), tags


class _Writer(HTMLParser):
    """Collects the text. White space is owed, not written, until the next text shows how much is needed."""

    def __init__(self, tags: list[str]) -> None:
        super().__init__(convert_charrefs=True)
        self._tags = tags
        self._out: list[str] = []
        self._breaks = 1  # line ends owed
        self._space = ""  # else the white space owed
        self._skip: list[str] = []  # open elements that are dropped, with everything in them
        self._pre = 0
        self._links: list[tuple[str, int]] = []  # href, and where its text starts in `_out`
        self._lists: list[int] = []  # the number of the last item; -1 for unordered ones
        self._loops = 0

    def text(self) -> str:
        """The template written so far."""
        return "".join(self._out) + "\n"

    # What HTMLParser calls

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        used = values.get("href", "") if tag == "a" else values.get("alt", "") if tag == "img" else ""
        for name, value in attrs:  # a condition around an attribute: keep its tags, so that they stay paired
            if not (used and value == used):
                self._only_blocks(f"{name} {value or ''}")
        if self._skip:
            if tag == "body":
                self._skip.clear()
            elif tag == self._skip[-1]:
                self._skip.append(tag)
            if self._skip:
                self._only_blocks(used)
                return
        if (tag in _SKIPPED or _HIDDEN.search(values.get("style", ""))) and tag not in _VOID:
            self._skip.append(tag)
            self._only_blocks(used)
            return
        self._break(_BREAKS.get(tag, 0))
        if tag == "br":
            self._breaks = min(2, self._breaks + 1)
            self._space = ""
        elif tag == "hr":
            self._break(2)
            self._write(_RULE)
            self._break(2)
        elif tag == "img":
            self._text(used)
        elif tag == "a":
            self._links.append((used, len(self._out)))
        elif tag == "pre":
            self._pre += 1
        elif tag in ("ul", "ol"):
            self._lists.append(0 if tag == "ol" and not self._loops else -1)
            self._breaks = min(self._breaks, 1) if len(self._lists) > 1 else self._breaks
        elif tag == "li":
            self._item()

    def handle_endtag(self, tag: str) -> None:
        if self._skip:
            if tag == self._skip[-1]:
                self._skip.pop()
            return
        if tag == "a" and self._links:
            self._end_link(*self._links.pop())
        elif tag in ("td", "th") and not self._breaks:
            self._space = "  "
        elif tag == "pre" and self._pre:
            self._pre -= 1
        elif tag in ("ul", "ol") and self._lists:
            self._lists.pop()
            self._break(1 if self._lists else 2)
            return
        self._break(_BREAKS.get(tag, 0))

    def handle_data(self, data: str) -> None:
        self._text(data)

    def handle_comment(self, data: str) -> None:
        self._only_blocks(data)

    def handle_decl(self, decl: str) -> None:
        self._only_blocks(decl)

    def handle_pi(self, data: str) -> None:
        self._only_blocks(data)

    def unknown_decl(self, data: str) -> None:
        self._only_blocks(data)

    # Writing

    def _text(self, data: str) -> None:
        """Text with signs in it."""
        if self._skip:
            self._only_blocks(data)
            return
        for at, piece in enumerate(_SIGN.split(data)):
            if at % 2 == 0:
                self._words(piece)
            elif self._tag(int(piece)).startswith("{%"):
                self._block(self._tag(int(piece)))
            else:
                self._write(self._tag(int(piece)))

    def _words(self, data: str) -> None:
        if not data:
            return
        if self._pre:
            self._write(_inert(data))
            return
        words = _SPACE.sub(" ", data)
        if words.startswith(" ") and not self._breaks:
            self._space = self._space or " "
        bare = words.strip(" ")
        if bare:
            self._write(_inert(bare))
            self._space = " " if words.endswith(" ") else ""

    def _write(self, piece: str) -> None:
        """A visible piece, after the white space owed."""
        self._out.append("\n" * self._breaks or self._space)
        self._out.append(piece)
        self._breaks, self._space = 0, ""

    def _block(self, tag: str) -> None:
        """A ``{% %}``. One line end stays owed behind it: each turn of a loop needs its own."""
        if self._space:
            self._out.append(self._space)
            self._space = ""
        while self._breaks > 1:
            self._out.append("\n")
            self._breaks -= 1
        word = tag[2:].split(None, 1)[0] if tag[2:-2].strip() else ""
        self._loops += {"for": 1, "endfor": -1}.get(word, 0)
        if word not in ("autoescape", "endautoescape"):
            self._out.append(tag)

    def _only_blocks(self, data: str) -> None:
        for number in _SIGN.findall(data):
            if self._tag(int(number)).startswith("{%"):
                self._block(self._tag(int(number)))

    def _break(self, lines: int) -> None:
        if lines:
            self._breaks = max(self._breaks, lines)
            self._space = ""

    def _item(self) -> None:
        mark, depth = "-", max(0, len(self._lists) - 1)
        if self._lists and self._lists[-1] >= 0 and not self._loops:
            self._lists[-1] += 1
            mark = f"{self._lists[-1]}."
        self._write("  " * depth + mark)
        self._space = " "

    def _end_link(self, href: str, start: int) -> None:
        said = "".join(self._out[start:]).strip()
        target = self._restored(href).strip()
        if not target or target.startswith("#") or target.removeprefix("mailto:").removeprefix("tel:") == said:
            self._only_blocks(href)
            return
        visible = re.sub(r"\{%.*?%\}", "", said, flags=re.DOTALL).strip()
        if visible:
            self._space = self._space or " "
        self._write(f"({target})" if visible else target)

    def _restored(self, data: str) -> str:
        """An attribute with its tags put back."""
        pieces = _SIGN.split(data)
        return "".join(self._tag(int(piece)) if at % 2 else _inert(piece) for at, piece in enumerate(pieces))

    def _tag(self, number: int) -> str:
        return self._tags[number] if number < len(self._tags) else ""


def _inert(text: str) -> str:
    """Text that Jinja2 will not read as a tag: an entity may have hidden a brace from it."""
    return text.replace("{", _BRACE)
