"""Style sheets of an HTML template written into its elements: many mail programs read nothing else.

The author's text stays as it is: only the ``style`` of elements that a rule matches is written, and what has been
written there is taken out of the sheet. What each element gets is asked of css-inline, with a document that has the
same elements in the same order, each with a number, and none of the texts. So a template's own tags are never moved,
and comments for Outlook, the document type and line ends are not touched.

A template is inlined once, when it is loaded, where all rows have the same elements with the same classes as far as
the sheet can tell. Where that depends on the row, or cannot be told, each letter is inlined when it is composed
(`Inlined.reason` says why), by css-inline alone: it writes the letter anew.

The cascade (CSS Cascading and Inheritance Level 4, section 6): a sheet's declarations stand before the author's own
``style``, its ``!important`` ones behind it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple

from jinja2 import Environment, TemplateSyntaxError

from bulkmail.content.elements import VOID
from bulkmail.content.headers import clean
from bulkmail.content.markup import Written, placed_tokens, tokens, written_attributes
from bulkmail.content.sheets import Sheet, parted, prepared, rest_of
from bulkmail.content.shield import OPEN, SIGN, restored, signed
from bulkmail.content.templates import RowError

_NUMBER, _IGNORED = "data-bulkmail", ' data-css-inline="ignore"'
_MEDIA = frozenset({"", "all", "screen"})
_WORD = re.compile(r"\{%[-+]?\s*(\w+)")
_ELSEWHERE = frozenset({"include", "extends", "import", "from", "macro", "call", "filter", "block", "autoescape"})
_SAFE = re.compile(r"\|\s*safe\b|Markup")
_OUTLOOK = re.compile(r"<!--\[if[^>]*>(?:(?!<!\[endif\]).)*?(?:class|id)\s*=", re.DOTALL | re.IGNORECASE)
_MAY_STAY_OPEN = frozenset(
    {"p", "li", "dt", "dd", "tr", "td", "th", "tbody", "thead", "tfoot", "option", "colgroup", "html", "head", "body"}
)
_DOCTYPE = re.compile(r"\s*<!doctype[^>]*>", re.IGNORECASE)
_REVEALED = re.compile(r"<!(\[(?:if|endif)[^>]*\])>", re.IGNORECASE)
_REVEALED_AS = re.compile(r"<!--(\[(?:if|endif)[^>]*\])-->", re.IGNORECASE)
_STYLE_ELEMENT = re.compile(r"(<style\b[^>]*>)(.*?)(</style\s*>)", re.DOTALL | re.IGNORECASE)
_STYLE_OUT = re.compile(r' style="([^"]*)"')
_TOUCHED = re.compile(r"--bulkmail-fallback-|!\s*important", re.IGNORECASE)


class Inlined(NamedTuple):
    """A template with its sheets in its elements; or, with ``reason``, as it was, for letters are to be inlined."""

    source: str
    reason: str = ""


class _Reason(Exception):
    """Why a template cannot be inlined as a whole."""


def can_inline() -> bool:
    """Return whether the packages of the extra ``html`` are there."""
    return all(find_spec(name) is not None for name in ("css_inline", "tinycss2"))


def inlined(environment: Environment, source: str) -> Inlined:
    """Return an HTML template with its style sheets in its elements."""
    if "<style" not in source.lower():
        return Inlined(source)
    try:
        document = _Document(*signed(environment, source))
        return Inlined(document.written())
    except TemplateSyntaxError:
        return Inlined(source)  # told by the check of the templates
    except _Reason as reason:
        return Inlined(source, str(reason))


def inlined_letter(letter: str) -> str:
    """Return a rendered letter with its style sheets in its elements. Raises ValueError for CSS that is none."""
    keep = bool(_OUTLOOK.search(letter))
    document = _STYLE_ELEMENT.sub(_prepared_element, letter)
    made: str = _inliner(keep=keep).inline(document)
    made = _STYLE_OUT.sub(_put_right, made)
    made = _STYLE_ELEMENT.sub(lambda found: f"{found[1].replace(_IGNORED, '')}{rest_of(found[2])}{found[3]}", made)
    if _REVEALED.search(letter):
        made = _REVEALED_AS.sub(r"<!\1>", made)
    doctype = _DOCTYPE.match(letter)
    return _DOCTYPE.sub(lambda _: doctype[0], made, count=1) if doctype else made


@cache
def _inliner(*, keep: bool) -> Any:
    import css_inline  # noqa: PLC0415 - an extra

    return css_inline.CSSInliner(keep_style_tags=True, remove_inlined_selectors=not keep, load_remote_stylesheets=False)


def _prepared_element(found: re.Match[str]) -> str:
    start = next(iter(tokens(found[1])))
    if dict(start.attributes).get("media", "").strip().lower() not in _MEDIA:
        return f"{found[1][:-1]}{_IGNORED}>{found[2]}{found[3]}"
    return f"{found[1]}{prepared(found[2]).text}{found[3]}"


def _put_right(found: re.Match[str]) -> str:
    if not _TOUCHED.search(found[1]):
        return found[0]
    usual, important = parted(html.unescape(found[1]))
    return f' style="{_escaped("; ".join(filter(None, (usual, important))), chr(34))}"'


def _escaped(style: str, quote: str) -> str:
    return style.replace("&", "&amp;").replace(quote, "&quot;" if quote == '"' else "&#39;")


class _Document:
    """A template with signs, cut into its elements. Raises _Reason where the row decides what the sheet matches."""

    def __init__(self, text: str, tags: list[str]) -> None:
        self._signed = text
        self._tags = tags
        self._tree: list[str] = []
        self._starts: list[tuple[int, list[Written]]] = []
        self._sheets: list[tuple[int, int]] = []  # where their texts stand
        self._keep = bool(_OUTLOOK.search(text))
        self._branches = _Branches()
        self._varying: set[str] = set()
        words = {found[1] for tag in tags if (found := _WORD.match(tag))}
        if words & _ELSEWHERE:
            raise _Reason(f"the template is made of parts (`{{% {min(words & _ELSEWHERE)} %}}`)")
        if any(_SAFE.search(tag) for tag in tags):
            raise _Reason("a value may hold elements of its own (`|safe`)")
        self._read()

    def written(self) -> str:
        """Return the text with the styles of its elements."""
        styles, rests = self._ask()
        pieces: list[tuple[int, int, str]] = []
        for (at, attributes), style in zip(self._starts, styles, strict=True):
            if style:
                pieces.append(self._styled(at, attributes, style))
        if not self._keep:
            for (at, end), rest in zip(self._sheets, rests, strict=True):
                lines = "\n" * self._signed.count("\n", at, end)  # errors name lines of the author's text
                pieces.append((at, end, rest_of(rest).replace("\n", " ") + lines))
        text: list[str] = []
        done = 0
        for at, end, new in sorted(pieces):
            text += self._signed[done:at], new
            done = end
        return restored("".join([*text, self._signed[done:]]), self._tags)

    def _styled(self, at: int, attributes: list[Written], style: str) -> tuple[int, int, str]:
        usual, important = parted(style)
        for one in attributes:
            if one.name == "style" and one.value_at > one.at + len("style"):
                quote = self._signed[one.value_at - 1]
                quote = quote if quote in "\"'" else '"'
                own = self._signed[one.value_at : one.value_end].strip()
                whole = "; ".join(filter(None, (_escaped(usual, quote), own.rstrip(";"), _escaped(important, quote))))
                return one.at, one.end, f"style={quote}{whole}{quote}"
        whole = "; ".join(filter(None, (usual, important)))
        end = attributes[-1].end if attributes else _end_of_name(self._signed, at)
        return end, end, f' style="{_escaped(whole, chr(34))}"'

    def _ask(self) -> tuple[list[str], list[str]]:
        """Return what css-inline gives to each element, and what it leaves of each sheet."""
        try:
            made = _inliner(keep=self._keep).inline("".join(self._tree))
        except ValueError as error:
            raise _Reason(f"the style sheet cannot be read ({error})") from None
        styles = [""] * len(self._starts)
        rests: list[str] = []
        in_sheet = False
        for token in tokens(made):
            if token.kind == "start":
                attributes = dict(token.attributes)
                if _NUMBER in attributes:
                    styles[int(attributes[_NUMBER])] = attributes.get("style", "")
                in_sheet = token.data == "style"
                if in_sheet:
                    rests.append("")
            elif token.kind == "text" and in_sheet:
                rests[-1] += token.data
            elif token.kind == "end":
                in_sheet = False
        if len(rests) != len(self._sheets):
            raise _Reason("its style sheets do not stand where HTML wants them")
        return styles, rests

    def _read(self) -> None:
        sheets: list[Sheet] = []
        raw, media = "", ""  # the element whose text is read as it is, and its media
        for token, at, end in placed_tokens(self._signed):
            if token.kind == "start":
                media = self._start(token.data, token.attributes, at)
                raw = token.data if token.data in ("style", "script", "title", "textarea", "xmp") else ""
                if raw == "style":
                    self._sheets.append((end, end))
            elif token.kind == "end":
                self._branches.ended(token.data)
                self._tree.append(f"</{token.data}>")
                raw = ""
            elif token.kind == "text" and raw == "style":
                self._sheet(token.data, at, end, media, sheets)
            elif token.kind == "text" and not raw:
                self._text(token.data)
        self._branches.over()
        self._judge(sheets)

    def _start(self, name: str, attributes: Iterable[tuple[str, str]], at: int) -> str:
        kept: dict[str, str] = {}
        for key, value in attributes:
            if OPEN in key or OPEN in name:
                raise _Reason("a tag of Jinja2 stands inside of an element's tag, outside of its attributes' values")
            if OPEN in value:
                if key in ("class", "id"):
                    raise _Reason(f"the row decides the `{key}` of an element")
                self._varying.add(key)
            kept.setdefault(key, value)
        media = kept.get("media", "").strip().lower() if name == "style" else ""
        written = written_attributes(self._signed, at)
        number = len(self._starts)
        self._starts.append((at, written))
        self._branches.started(name)
        words = [f'{key}="{html.escape(SIGN.sub("x", value))}"' for key, value in kept.items() if _plain(key)]
        ignored = _IGNORED if media not in _MEDIA else ""
        self._tree.append(f'<{name} {" ".join(words)} {_NUMBER}="{number}"{ignored}>')
        return media

    def _sheet(self, text: str, at: int, end: int, media: str, sheets: list[Sheet]) -> None:
        if OPEN in text:
            raise _Reason("a tag of Jinja2 stands in a style sheet")
        self._sheets[-1] = at, end
        if media not in _MEDIA:
            self._tree.append(text)
            return
        sheet = prepared(text)
        if sheet.problem:
            raise _Reason(sheet.problem)
        sheets.append(sheet)
        self._tree.append(sheet.text)

    def _text(self, text: str) -> None:
        for found in SIGN.finditer(text):
            word = _WORD.match(self._tags[int(found[1])])
            self._branches.at(word[1] if word else "")
        if SIGN.sub("", text).strip():
            self._tree.append("x")

    def _judge(self, sheets: list[Sheet]) -> None:
        asked = frozenset().union(*(sheet.attributes for sheet in sheets)) if sheets else frozenset()
        if asked & self._varying:
            raise _Reason(f"a selector asks for the attribute `{min(asked & self._varying)}`, which the row decides")
        if self._tags and any(sheet.empty for sheet in sheets):
            raise _Reason("a selector asks for elements that are empty, and the row decides that")
        if "style" in asked:
            raise _Reason("a selector asks for the attribute `style`")
        if self._branches.enclose and any(sheet.siblings for sheet in sheets):
            raise _Reason("a selector asks for the neighbours of an element, and the row decides them")


class _Branches:
    """Whether each branch of an ``if`` or ``for`` closes the elements that it opens, and no others."""

    def __init__(self) -> None:
        self.enclose = False  # whether there is an element in one of them
        self._open: list[str] = []
        self._began: list[list[str]] = []

    def started(self, name: str) -> None:
        self.enclose = self.enclose or bool(self._began)
        if name not in VOID and name not in _MAY_STAY_OPEN:
            self._open.append(name)

    def ended(self, name: str) -> None:
        if name in _MAY_STAY_OPEN or name in VOID:
            return
        if not self._open or self._open.pop() != name:
            raise _Reason(f"`</{name}>` ends no element that is open where it stands")

    def at(self, word: str) -> None:
        if word in ("if", "for"):
            self._began.append(list(self._open))
        elif word in ("elif", "else", "endif", "endfor") and self._began:
            if self._open != self._began[-1]:
                raise _Reason(f"an element is opened on one side of `{{% {word} %}}` and closed on the other")
            if word.startswith("end"):
                self._began.pop()

    def over(self) -> None:
        if self._open:
            raise _Reason(f"`<{self._open[-1]}>` is not closed")


def _plain(name: str) -> bool:
    return re.fullmatch(r"[a-z_][a-z0-9_.:-]*", name) is not None and name not in ("style", _NUMBER)


def _end_of_name(text: str, at: int) -> int:
    end = at + 1
    while end < len(text) and text[end] not in " \t\r\n\f/>":
        end += 1
    return end


def inlined_row(letter: str) -> str:
    """Return one row's letter with its style sheets in its elements. Raises RowError for a ``style`` that is none."""
    try:
        return inlined_letter(letter)
    except ValueError as error:
        raise RowError(f"html.inline_css: the CSS of this row's letter cannot be read ({clean(str(error))})") from None
