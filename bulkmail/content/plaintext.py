"""A text template made from an HTML template, for campaigns that have none.

It is made once, from the template and not from each message: Jinja2's tags stay where they are, so loops, conditions
and variables work in the text as they do in the HTML. ``{% ... %}`` always stays (so that every ``if`` keeps its
``endif``, even in a part that is dropped), ``{{ ... }}`` only where text is kept.

What a reader does not see is dropped: `<style>`, `<title>`, comments, ``display: none``. What would print something
there (an include, a block that another template fills) is left out or put under ``{% if false %}``. Whether an element
is hidden may depend on the row; such a part is printed between two marks, and `tidy_text` drops it or keeps it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from jinja2 import Environment

from bulkmail.content.attributes import Attributes
from bulkmail.content.elements import (
    BREAKS,
    CELLS,
    DEEPEST,
    ENDS,
    HEAD,
    HEADINGS,
    INLINE,
    ROOMS,
    SKIPPED,
    TABULAR,
    VOID,
    Element,
    Nest,
    numbered,
)
from bulkmail.content.hiding import GONE, SHOWN, Look
from bulkmail.content.layout import COLUMNS, INDENTED, QUOTED, begun, ended
from bulkmail.content.lines import Lines, Owed
from bulkmail.content.markup import Token, attribute_value, text_value, tokens
from bulkmail.content.shield import OPEN, Tags, bare, ending_of, plain, shielded, word_of
from bulkmail.content.tidying import closing_mark, opening_mark, tidy_text

_MARKUP = re.compile(r"\(|\|\s*safe")  # what it prints may be elements with a size of their own
_RULE = "-" * 30


def plain_text(source: str) -> str:
    """Return the Jinja2 source of a text template that says what the HTML template ``source`` says.

    Raises jinja2.TemplateSyntaxError for a template Jinja2 cannot read.
    """
    environment = Environment()  # noqa: S701 - it only reads; nothing is rendered
    environment.parse(source)
    return _written(*shielded(environment, source))


def fragment_text(html: object) -> str:
    """Return as text the HTML that a row brings along (``{{ story|safe }}``). Without a tag it may be a URL."""
    source = bare(str(html))
    if "<" not in source:
        return attribute_value(source)
    return tidy_text(plain(_written(source, []))).strip("\n")


def adapt(environment: Environment) -> None:
    """Let the filters that speak of HTML mean its text instead, in an environment for texts made from HTML."""
    for name in ("e", "escape", "forceescape", "urlize"):
        environment.filters[name] = lambda value, *_args, **_named: value
    environment.filters["safe"] = fragment_text
    environment.filters["striptags"] = fragment_text


def _written(hidden: str, tags: Sequence[str]) -> str:
    writer = _Writer(Tags(tags))
    for token in tokens(hidden):
        writer.take(token)
    return writer.text()


class _Writer:
    """Writes the text of one document, token by token."""

    def __init__(self, tags: Tags) -> None:
        self._tags = tags
        self._lines = Lines()
        self._open: list[Element] = []
        self._nests: list[Nest] = []
        self._own_in_unseen: int | None = None  # in a part never seen: bodies of their own begun there
        self._loops = 0
        self._marks = 0

    def text(self) -> str:
        """Return the template written so far."""
        self._close(0)
        self._lines.flush()
        return f"{self._lines}\n"  # Jinja2 takes the last line end for the file's

    def take(self, token: Token) -> None:
        """Take the next token of the document."""
        if token.kind == "text":
            self._text(token.data)
        elif token.kind == "start":
            self._start(token.data, token.attributes)
        elif token.kind == "end":
            self._unseen(" ".join((token.data, *map(" ".join, token.attributes))))
            self._end(token.data)
        else:
            self._unseen(token.data)

    # Elements

    @property
    def _look(self) -> Look:
        """How a text looks here."""
        if self._own_in_unseen == 0:
            return GONE
        return self._open[-1].look if self._open else SHOWN

    def _start(self, tag: str, pairs: tuple[tuple[str, str], ...]) -> None:
        around = self._open[-1].name if self._open else ""
        if around == "head" == tag:
            return
        if (around == "head" and tag not in HEAD and OPEN not in tag) or (around in HEADINGS and tag in HEADINGS):
            self._close(len(self._open) - 1)
        if tag in ENDS:
            self._end_all(*ENDS[tag])
        attributes = Attributes(self._tags, tag, pairs)
        self._unseen(f"{tag} {attributes.rest}")
        look = GONE if tag in SKIPPED else self._look.inside(tag, attributes.style, styled=attributes.styled)
        if tag not in VOID:
            self._enter(tag, look, attributes)
        elif not look.lost:
            if attributes.varying:
                self._enter(tag, look, attributes)
            self._void(tag, attributes)
            if attributes.varying:
                self._close(len(self._open) - 1)

    def _enter(self, tag: str, look: Look, attributes: Attributes) -> None:
        around = self._open[-1] if self._open else Element("", SHOWN)
        element = Element(tag, look, hides=look.lost and not self._look.lost, lists=around.lists)
        element.pre = around.pre or tag == "pre"
        if element.hides:
            self._lines.keep("")  # the place of a mark
        elif not look.lost:
            self._enter_shown(element, around, attributes)
        if element.layout:
            self._lines.keep("")  # the place of a mark
        element.start = len(self._lines)
        if len(self._open) < DEEPEST or element.hides or element.mark:
            self._open.append(element)

    def _enter_shown(self, element: Element, around: Element, attributes: Attributes) -> None:
        tag = element.name
        self._lines.end(
            BREAKS.get(tag, 1 if OPEN in tag else 0), at_most=1 if tag in ("ul", "ol") and around.lists else 2
        )
        if tag in CELLS:
            element.owed = self._lines.enter_cell()
            table = next((each for each in reversed(self._open) if each.name == "table"), None)
            if table is not None and tag == "th":
                table.indent = 1  # its cells are data
        elif tag in ("ul", "ol"):
            element.lists += 1
            if tag == "ol" and not self._loops:
                element.item, element.kind, element.step = attributes.counting
        elif tag == "li":
            bullet = "  " * max(0, around.lists - 1) + self._bullet(around, attributes)
            self._lines.item(bullet)
            element.layout, element.indent = INDENTED, len(bullet) + 1
        elif tag == "blockquote":
            element.layout = QUOTED
        elif tag == "table":
            element.layout = COLUMNS
        elif tag == "a":
            element.target = attributes.target
        if attributes.varying:
            self._marks += 1
            element.mark = self._marks
            self._lines.flush()
            self._lines.keep(opening_mark(element.mark, attributes.varying))

    def _void(self, tag: str, attributes: Attributes) -> None:
        if tag == "br":
            self._lines.br()
        elif tag == "hr":
            self._lines.end(2)
            self._lines.write(_RULE)
            self._lines.end(2)
        elif tag == "img":
            self._text(attributes.alt, alt=True)
        elif tag == "area" and attributes.target:
            start = len(self._lines)
            self._text(attributes.alt, alt=True)
            self._lines.link(attributes.target, start)

    def _end(self, tag: str) -> None:
        if tag in ("html", "body") or (tag == "p" and not any(element.name == "p" for element in self._open)):
            # More may follow and stands in the body; a </p> alone is an empty paragraph
            self._lines.end(0 if self._look.lost else BREAKS.get(tag, 1))
            return
        bounds = {"table"} if tag in TABULAR else ROOMS - {tag}
        for at in range(len(self._open) - 1, -1, -1):
            if self._open[at].name == tag:
                if tag in INLINE and any(inner.name in BREAKS for inner in self._open[at + 1 :]):
                    self._end_alone(at)
                else:
                    self._close(at)
                return
            if self._open[at].name in bounds:
                return

    def _end_all(self, names: frozenset[str], bounds: frozenset[str]) -> None:
        """End the outermost element of these names within the innermost of ``bounds``, and what is open in it."""
        last = len(self._open)
        for at in range(len(self._open) - 1, -1, -1):
            if self._open[at].name in names:
                last = at
            elif self._open[at].name in bounds:
                break
        self._close(last)

    def _end_alone(self, at: int) -> None:
        """End an element of the line; what is open in it goes on behind it."""
        element = self._open.pop(at)
        if element.hides:
            look = self._open[at - 1].look if at else SHOWN
            for inner in self._open[at:]:
                inner.look = look
        self._leave(element)

    def _close(self, first: int) -> None:
        """End the open elements from the innermost to that of index ``first``."""
        while len(self._open) > first:
            self._leave(self._open.pop())

    def _leave(self, element: Element) -> None:
        if element.look.lost:
            return
        if element.target:
            self._lines.link(element.target, element.start)
        if element.layout:
            self._lay_out(element)
        if element.name in CELLS:
            self._lines.leave_cell(element.start, element.owed)
        elif element.name in ("ul", "ol") and element.lists > 1:
            self._lines.end(1)
        else:
            self._lines.end(BREAKS.get(element.name, 1 if OPEN in element.name else 0))
        if element.mark:
            self._lines.keep(closing_mark(element.mark))

    def _bullet(self, around: Element, attributes: Attributes) -> str:
        """Return what stands before an item of a list."""
        if around.item < 0 or self._loops:
            return "-"
        if attributes.value is not None:
            around.item = attributes.value
        bullet = numbered(around.item, around.kind)
        around.item += around.step
        return bullet

    def _lay_out(self, element: Element) -> None:
        """Let the lines of an element be laid out, where it has some."""
        lines = self._lines.broken_since(element.start)
        if element.layout == QUOTED or (lines and (element.layout == INDENTED or element.indent)):
            self._lines.replace(element.start - 1, begun(element.layout, element.indent))
            self._lines.keep(ended(element.layout))

    # Texts

    def _text(self, data: str, *, alt: bool = False) -> None:
        """Write a text with signs, or what stands for an image; where nothing is seen, only the tags that must stay."""
        for text, tag in self._tags.pieces(data):
            if text.strip() and self._open and self._open[-1].name == "head" and self._own_in_unseen is None:
                self._close(len(self._open) - 1)
            look = self._look
            if text and not look.lost and (alt or not look.tiny):
                words = text if alt else self._resolved(text)
                self._lines.words(words, pre=bool(self._open) and self._open[-1].pre)
            if tag.startswith("{%"):
                self._statement(tag)
            elif tag and not look.lost and (alt or not look.tiny or _MARKUP.search(tag)):
                self._lines.write(tag)

    def _resolved(self, text: str) -> str:
        """Resolve the character references of a text. A body that may become an attribute's value is read as one."""
        nest = self._nests[-1] if self._nests else None
        if nest is not None and nest.word == "block" and "://" in text and len(text.split()) == 1:
            return attribute_value(text)
        return attribute_value(text) if any(nest.own for nest in self._nests) else text_value(text)

    def _unseen(self, data: str) -> None:
        """Write the tags of a part that is never seen: a comment, an attribute."""
        if OPEN in data:
            self._own_in_unseen = 0
            self._text(data)
            self._own_in_unseen = None

    # Jinja2's statements

    def _statement(self, tag: str) -> None:
        """Take a ``{% %}``: write it where it must stay, and follow what it begins and ends."""
        word = word_of(tag)
        hidden = self._look.lost
        if word in ("autoescape", "endautoescape") or (hidden and word == "include"):
            return
        nest = self._nests[-1] if self._nests else None
        ended = nest if nest is not None and word == ending_of(nest.word) else None
        if ended is not None:
            self._before_end(ended)
        if not hidden and (ended is None or not ended.own):
            row = word == "for" and bool(self._open) and self._open[-1].name == "tr"
            self._lines.settle(loop=word == "endfor", row=row)
            if word in ("include", "block", "endblock"):  # what another file prints there knows of nothing owed
                self._lines.flush()
        self._loops += {"for": 1, "endfor": -1}.get(word, 0)
        if ended is not None:
            self._nests.pop()
            self._finish(ended, tag)
        elif ending_of(word):
            self._begin(word, tag, hidden=hidden)
        else:
            if nest is not None and word in ("else", "elif") and nest.word in ("if", "for"):
                self._end_branch(nest)
                nest.tags.append(tag)
                self._open = list(nest.open)
                self._lines.owe(nest.owed)
            self._lines.keep(tag)

    def _begin(self, word: str, tag: str, *, hidden: bool) -> None:
        wrapped = hidden and word in ("block", "call", "filter")
        nest = Nest(word, [tag], list(self._open), self._lines.owed(), wrapped=wrapped)
        self._lines.keep("{% if false %}" + tag if nest.wrapped else tag)
        if word in ("macro", "block set") or (hidden and word == "block"):
            nest.own = True
            self._lines.owe(Owed(0, fresh=nest.exact))
            self._open = []
            if self._own_in_unseen is not None:
                self._own_in_unseen += 1
        self._nests.append(nest)

    def _before_end(self, nest: Nest) -> None:
        """End what may not be open behind the end of ``nest``."""
        if nest.own:
            self._close(0)
            if not nest.exact:
                self._lines.flush()
            self._lines.owe(nest.owed)
        elif nest.word != "if":  # the variables of a link's target may be known in here only
            for element in self._open:
                if element.target and element not in nest.open:
                    self._lines.link(element.target, element.start)
                    element.target = ""

    def _end_branch(self, nest: Nest) -> None:
        nest.branches.append(self._open)
        nest.ends.append((len(self._lines), self._lines.owed().breaks))
        self._lines.keep("")

    def _finish(self, nest: Nest, tag: str) -> None:
        if nest.word in ("if", "for"):
            self._end_branch(nest)
            complete = any(word_of(each) == "else" for each in nest.tags)
            self._lines.join(nest.owed, nest.ends, complete=complete)
        self._lines.keep(tag + "{% endif %}" if nest.wrapped else tag)
        if nest.word == "if":
            self._merge(nest, tag)
        elif nest.word != "for":
            self._open = list(nest.open)
        if nest.own and self._own_in_unseen:
            self._own_in_unseen -= 1

    def _merge(self, nest: Nest, tag: str) -> None:
        """Find what is open behind an ``if``: its branches may have begun or ended different elements."""
        branches = nest.branches
        if not any(word_of(each) == "else" for each in nest.tags):
            branches.append(list(nest.open))
        merged = min(branches, key=len)
        for branch in branches:  # hidden in some branches: what follows is printed between marks
            at = next((at for at, each in enumerate(branch) if each.hides and each not in nest.open), -1)
            if at >= 0:
                self._marks += 1
                self._lines.replace(branch[at].start - 1, opening_mark(self._marks, "display:none"))
                look = branch[at - 1].look if at else SHOWN
                merged = [*branch[:at], replace(branch[at], mark=self._marks, hides=False, look=look)]
        targets = [
            next((each.target for each in branch if each.target and each not in nest.open), "") for branch in branches
        ]
        if any(targets):
            merged = [each for each in merged if not each.target or each in nest.open]
            target = "".join(map("".join, zip(nest.tags, targets, strict=False))) + tag
            merged.append(Element("a", merged[-1].look if merged else SHOWN, len(self._lines), target=target))
        for branch, (place, _breaks) in zip(branches, nest.ends, strict=False):
            for left in branch:  # no end tag is seen that ends it
                if left.mark and left not in nest.open and left not in merged:
                    self._lines.add(place, closing_mark(left.mark))
        self._open = merged
