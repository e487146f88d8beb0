"""What is wrong with a template that Jinja2 cannot read, in words for the person who wrote it.

Jinja2 names a line and what its grammar expected. Here the tag at fault is looked for, which gives the column too, and
what stands in it is compared with the mistakes that people make: a column's name with a blank in it, typographic
quotes, what an HTML editor puts between the braces, a style sheet, the marks of other tools.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Collection, Iterator
from difflib import get_close_matches
from typing import NamedTuple

from bulkmail.mail import variable_name

_OPENING = re.compile(r"\{\{|\{%|\{#")
_CLOSING = {"{{": "}}", "{%": "%}", "{#": "#}"}
_RAW = re.compile(r"\{%[-+]?\s{0,9}(end)?raw\s{0,9}[-+]?%\}")
_BLOCK = re.compile(r"[-+]?\s*(\w+)(.*)", re.DOTALL)
_BLOCKS = frozenset({"if", "for", "block", "macro", "call", "filter"})
_ENTITY = re.compile(r"&(?:#\d+|#x[0-9a-fA-F]+|\w+);")
_ELEMENT = re.compile(r"</?[a-zA-Z][^>]*>")
_CURLY = re.compile("[\u2018-\u201f\u00ab\u00bb\u2039\u203a]")
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_STYLE = re.compile(r"\s*[a-z-]+\s*:\s*[^|'\"?]+;?\s*")
_WORDS = re.compile(r"[^\W\d_][\w' .-]*")
_ONE_EQUALS = re.compile(r"(?<![=!<>])=(?!=)")
_LONGEST = 60
_MOST_LOOKED = 500  # tags of a line that are tried
_LONGEST_INNER = 200  # characters of a tag that are looked at


class Tag(NamedTuple):
    """One tag of a template. ``closed``: whether its end is there before the next tag begins."""

    kind: str  # {{ or {% or {#
    start: int
    end: int
    inner: str
    closed: bool


class Mistake(NamedTuple):
    """What is wrong, and where: line and column from 1; column 0 where it cannot be known."""

    line: int
    column: int
    words: str


class Places:
    """Line and column of an index of a text, from 1."""

    def __init__(self, source: str) -> None:
        self._starts = [0, *(found.end() for found in re.finditer("\n", source))]

    def of(self, at: int) -> tuple[int, int]:
        """Return the line and the column of the character at ``at``."""
        line = bisect_right(self._starts, at)
        return line, at - self._starts[line - 1] + 1


def tags(source: str) -> Iterator[Tag]:
    """Yield the tags of a template in order, also of one that is broken; what stands in ``{% raw %}`` is none."""
    raw = _raw_texts(source)
    ends = dict.fromkeys(_CLOSING, 0)  # where the next closing of each kind is; len(source) for none
    at = 0
    while (found := _OPENING.search(source, at)) is not None:
        kind, start = found[0], found.start()
        while raw and raw[0][1] <= start:
            raw.popleft()
        if raw and raw[0][0] <= start:
            at = raw[0][1]
            continue
        if ends[kind] < found.end():
            ends[kind] = source.find(_CLOSING[kind], found.end()) % (len(source) + 1)  # -1 becomes the end
        end = ends[kind]
        following = None if kind == "{#" else _OPENING.search(source, found.end())
        if end == len(source) or (following is not None and following.start() < end):
            line = source.find("\n", start) % (len(source) + 1)
            last = min(line, following.start() if following else len(source))
            yield Tag(kind, start, last, source[start + 2 : last], closed=False)
            at = found.end() if kind != "{#" else len(source)
        else:
            yield Tag(kind, start, end + 2, source[start + 2 : end], closed=True)
            at = end + 2


def _raw_texts(source: str) -> deque[tuple[int, int]]:
    """Return beginning and end of what stands in ``{% raw %}``."""
    found: deque[tuple[int, int]] = deque()
    begun = -1
    for mark in _RAW.finditer(source):
        if mark[1] is None and begun < 0:
            begun = mark.start()
        elif mark[1] is not None and begun >= 0:
            found.append((begun, mark.end()))
            begun = -1
    return found


def explain(source: str, line: int, words: str, columns: Collection[str], reads: Callable[[str], bool]) -> Mistake:
    """Return what is wrong with a template of which Jinja2 says ``words`` on ``line``.

    ``columns``: the names by which templates print the columns. ``reads``: whether Jinja2 can read a text.
    """
    found, places = list(tags(source)), Places(source)
    if (
        "end of template" in words
        and all(tag.closed for tag in found)
        and (open_block := _unclosed_block(found)) is not None
    ):
        kind = (_BLOCK.match(open_block.inner) or [""])[1]
        return Mistake(
            *places.of(open_block.start),
            f"`{_shown(source, open_block)}` has no end; write {{% end{kind} %}} where it ends",
        )
    looked = 0
    for tag in found:
        first, last = places.of(tag.start)[0], places.of(tag.end)[0]
        if first > line or (tag.closed and last < line):
            continue
        looked += 1
        if looked > _MOST_LOOKED:
            break
        if tag.closed and tag.kind == "{{" and reads(source[tag.start : tag.end]):
            continue
        told = _of_tag(source, tag, words, columns)
        if not told and tag.closed and tag.kind == "{{":
            told = f"`{_shown(source, tag)}` cannot be read: {words}"
        if told:
            return Mistake(*places.of(tag.start), told)
    return Mistake(line, 0, "")


def meant(text: str, columns: Collection[str]) -> str:
    """Return the column that is meant by ``text``; "" where none is near."""
    wanted = variable_name(text[:_LONGEST_INNER])
    if wanted in columns:
        return wanted
    names = sorted(filter(str.isidentifier, columns))
    near = get_close_matches(wanted, names, 1) if wanted else []
    squeezed = {name.replace("_", ""): name for name in names}
    return near[0] if near else squeezed.get(wanted.replace("_", ""), "")


def shown(text: str) -> str:
    """Return a piece of a template for a message: one line, not too long, and nothing that moves a terminal."""
    text = " ".join(text[: 2 * _LONGEST].split())
    text = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _shown(source: str, tag: Tag) -> str:
    return shown(source[tag.start : tag.end])


def _unclosed_block(found: list[Tag]) -> Tag | None:
    """Return the innermost ``{% if %}`` or the like without its end."""
    ahead: list[tuple[str, Tag]] = []
    for tag in found:
        block = _BLOCK.match(tag.inner) if tag.kind == "{%" else None
        if block is None:
            continue
        if block[1] in _BLOCKS:
            ahead.append((block[1], tag))
        elif ahead and block[1] == f"end{ahead[-1][0]}":
            ahead.pop()
    return ahead[-1][1] if ahead else None


def _of_tag(source: str, tag: Tag, words: str, columns: Collection[str]) -> str:
    """Return what is wrong with one tag; "" where nothing is known."""
    text = _shown(source, tag)
    if len(tag.inner) > _LONGEST_INNER:
        tag = tag._replace(inner=tag.inner[:_LONGEST_INNER])
    if not tag.closed:
        return _open(tag, text, columns)
    if tag.kind == "{%":
        return _of_block(tag, text, words)
    return _of_value(tag, text, columns) if tag.kind == "{{" else ""


def _open(tag: Tag, text: str, columns: Collection[str]) -> str:
    if tag.kind == "{#":
        return "{# begins a remark, and no #} ends it; in a style sheet put a blank between { and #"
    if tag.kind == "{%":
        return f"`{text}` is not closed; write %}} at its end"
    inner = tag.inner.strip("{} \t")
    name = meant(inner, columns) if not set(inner) & set("|()[]") else ""
    return f"`{text}` is not closed; write {_print(name) if name else 'two braces, }}, at its end'}"


def _of_block(tag: Tag, text: str, words: str) -> str:
    block = _BLOCK.match(tag.inner)
    if block is None:
        return f"`{text}` says nothing; write {{% if column %}}, {{% endif %}} or the like"
    name, rest = block[1], block[2].strip().rstrip("-+").strip()
    if name in {"elseif", "elsif"} or (name == "else" and rest.startswith("if")):
        condition = rest.removeprefix("if").strip() if name == "else" else rest
        return f"`{text}` is written {{% elif {condition} %}}"
    if name in {"if", "elif"} and _ONE_EQUALS.search(rest) and "'='" in words:
        return f"`{text}`: two equal signs compare: {{% {name} {_ONE_EQUALS.sub('==', rest)} %}}"
    if name.startswith("end") and "unknown tag" in words and f"'{name}'" in words:
        return f"`{text}` ends nothing: no {{% {name[3:]} %}} is open here"
    what, remedy = _between(tag.inner, text)
    return what and f"{what}; {remedy}"


def _between(inner: str, text: str) -> tuple[str, str]:
    """Return what a program for HTML or text has put into a tag, and the remedy; "" where it is nothing."""
    if found := _ENTITY.search(inner):
        return f"`{found[0]}` stands inside the tag `{text}`, put there by an editor of HTML", "take it out"
    if found := _ELEMENT.search(inner):
        return f"the HTML `{found[0]}` stands inside the tag `{text}`", "put it outside"
    if found := _CURLY.search(inner):
        return f"the typographic quote {found[0]} stands in `{text}`", "write straight ones: ' or \""
    if found := _UNSEEN.search(inner):
        return f"a character that cannot be seen (U+{ord(found[0]):04X}) stands in `{text}`", "write the tag anew"
    return "", ""


def _of_value(tag: Tag, text: str, columns: Collection[str]) -> str:
    inner = tag.inner.strip().removeprefix("-").removesuffix("-").strip()
    plain = _UNSEEN.sub("", _CURLY.sub("", _ELEMENT.sub("", _ENTITY.sub(" ", inner)))).strip(" '\"")
    if inner.startswith("{"):
        return f"`{text}}}` has three braces; write two: {_print(meant(inner.strip('{} '), columns) or 'column')}"
    if inner[:1] in {"#", "/", "^", "&", ">", "!"} and not _ENTITY.match(inner):
        here = "{% if column %} … {% endif %}"
        return f"`{text}` is written for another tool (Handlebars, Mustache); here it is {here}"
    if inner.startswith("."):
        return f"`{text}` is written for another tool; here a column is printed by its name: {_like(inner, columns)}"
    what, remedy = _between(inner, text)
    if what:
        name = meant(plain, columns)
        return f"{what}; {f'write {_print(name)}' if name else remedy}"
    if not inner:
        return f"`{text}` names nothing; write a column's name into it: {_print(_any(columns))}"
    if _STYLE.fullmatch(inner):
        return f"`{text}` is taken for a template's tag; where it is a style sheet, put a blank between the two braces"
    name, bar, filters = inner.partition("|")
    if variable_name(name) in columns:
        whole = _print(f"{variable_name(name)} {bar}{filters}".strip())
        return f"`{text}`: a column's name is written in small letters, with _ in the place of all else: {whole}"
    if column := meant(name, columns):
        return f"`{text}` cannot be read; did you mean {_print(column)}?"
    if _WORDS.fullmatch(name.strip()):
        listed = ", ".join(sorted(filter(str.isidentifier, columns)))
        return f"`{text}` is no column; the columns are {listed}"
    return ""


def _like(inner: str, columns: Collection[str]) -> str:
    return _print(meant(inner.rpartition(".")[2], columns) or _any(columns))


def _any(columns: Collection[str]) -> str:
    return "first_name" if "first_name" in columns else "email"


def _print(name: str) -> str:
    return f"{{{{ {name} }}}}"
