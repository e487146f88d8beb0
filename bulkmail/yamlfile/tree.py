"""From YAML text to plain values and the place of each.

Built from libyaml's event stream with a stack of its own, never by recursion, so nesting without end costs nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from bulkmail.files import read_regular
from bulkmail.mail import Problem, Refused

MAX_BYTES = 1_000_000
MAX_DEPTH = 50
MAX_VALUES = 20_000
MAX_PROBLEMS = 100

Path = tuple[str | int, ...]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OPENING = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_CLOSING = (yaml.MappingEndEvent, yaml.SequenceEndEvent)
_NULL = re.compile(r"(?:null|Null|NULL|~)?")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", re.ASCII
)
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_OPENS = re.compile(r"^[ ]*(?:- +)?[\w.-]+:[ ]+([\"'])", re.MULTILINE)
_IN_QUOTES = {'"': re.compile(r"(?:[^\"\\]|\\.)*+", re.DOTALL), "'": re.compile(r"(?:[^']|'')*+")}
_BARE_BRACES = re.compile(r"(?:^|[:\-\[,])\s*\{[{%]")

_QUOTE_BRACES = 'put text with braces in quotes, for example subject: "{{ first_name }}, hello"'

# libyaml's words -> ours
_TOO_DEEP = f"the values are nested more than {MAX_DEPTH} levels deep"
_SYNTAX = {
    "exceeded maximum nesting depth": _TOO_DEEP,  # libyaml has a limit of its own
    "mapping values are not allowed in this context": "the indentation is wrong, or a `:` stands in "
    "a text without quotes; give all keys of one level the same indentation, and put text that holds a colon in quotes",
    "found character that cannot start any token": "no value can start with this character; "
    "indent with spaces, never with TAB, and put text that starts with @, `, % or TAB in quotes",
    "could not find expected ':'": "a `:` is missing; every line here must be `key: value`",
    "found unexpected end of stream": "a quote that was opened is never closed",
    "found unknown escape character": "this backslash escape is unknown; "
    "inside double quotes write two backslashes, or use single quotes",
    "block sequence entries are not allowed in this context": "a list cannot start here; "
    "put each `- item` on a line of its own, or write [item, item]",
    "did not find expected ',' or ']'": "a list that was opened with [ is never closed, or a comma is missing",
    "did not find expected ',' or '}'": "a { is never closed with }, or a comma is missing",
    "did not find expected '-' indicator": "this line belongs neither to the list above nor to anything else",
    "did not find expected key": "the indentation is wrong, or a text ends before its "
    "line does; give all keys of one level the same indentation, and put text with quotes or braces inside in quotes "
    "as a whole",
}


@dataclass
class YamlFile:
    """The values of one file and where they stand. Paths are tuples of keys and list indexes; places count from 1."""

    path: str
    value: Any = None
    keys: dict[Path, tuple[int, int]] = field(default_factory=dict)
    values: dict[Path, tuple[int, int]] = field(default_factory=dict)
    texts: dict[Path, str] = field(default_factory=dict)  # plain scalars that are not text, as written: 1.10, null

    def known(self, loc: Path) -> Path:
        """Return the longest beginning of ``loc`` that stands in the file."""
        while loc and loc not in self.values:
            loc = loc[:-1]
        return loc

    def problem(self, loc: Path, message: str, *, at_key: bool = False) -> Problem:
        """Return a problem at the value of ``loc`` (or its key), or at the nearest thing around it in the file."""
        loc = self.known(loc)
        line, column = (self.keys if at_key else self.values)[loc] if loc else (0, 0)
        return Problem(self.path, line, column, shorten(message))

    def locate(self, name: str) -> Path:
        """Return the path called ``name``, or its longest beginning: ``headers.X-A`` -> ("headers", "X-A")."""
        best: Path = ()
        for loc in self.values:
            shown = dotted(loc)
            if (name == shown or (name.startswith(shown) and name[len(shown)] in ".[")) and len(loc) > len(best):
                best = loc
        return best


def dotted(loc: Path) -> str:
    """Return a path as people say it: ``shaping.providers.google.rate``, ``dkim[0].key``."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def load(path: str, text: str | bytes | None = None) -> YamlFile:
    """Return the values of the file at ``path``, or of ``text`` in its name. Raises Refused with every problem."""
    if text is None:
        text = _read(path)
    if isinstance(text, bytes):
        text = _decoded(path, text)
    text = text.removeprefix("\ufeff")
    bad = _UNPRINTABLE.search(text)
    if bad is not None:
        place = _place(text, bad.start())
        raise Refused([Problem(path, *place, f"the character {bad.group()!a} may not stand in a YAML file; remove it")])
    if not text.strip():
        raise Refused([Problem(path, 0, 0, "the file is empty")])
    return _Builder(path, text).build()


def _read(path: str) -> bytes:
    try:
        return read_regular(path, MAX_BYTES)
    except ValueError as error:
        raise Refused([Problem(path, 0, 0, f"the file {error}")]) from None


def _decoded(path: str, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        place = _place(data[: error.start].decode("utf-8"), error.start)
        raise Refused([Problem(path, *place, "this is not UTF-8; save the file as UTF-8")]) from None


def _place(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


@dataclass
class _Open:
    """A mapping or list that is being read."""

    loc: Path
    into: dict[str, Any] | list[Any]
    key: str | None = None  # a mapping's key that waits for its value


class _Builder:
    """From events to a YamlFile, with a stack of its own instead of recursion."""

    def __init__(self, path: str, text: str) -> None:
        self.file = YamlFile(path)
        self.lines = text.splitlines()
        self.text = text
        self.problems: list[Problem] = []
        self.stack: list[_Open] = []

    def build(self) -> YamlFile:
        try:
            self._read()
        except yaml.MarkedYAMLError as error:
            self._syntax(error)
        except yaml.YAMLError as error:
            self.problems.append(Problem(self.file.path, 0, 0, shorten(f"this is not YAML: {error}")))
        if self.problems:
            raise Refused(self.problems[:MAX_PROBLEMS])
        return self.file

    def _say(self, mark: Any, message: str) -> None:
        self.problems.append(Problem(self.file.path, mark.line + 1, mark.column + 1, message))

    def _bare_braces(self, mark: Any) -> bool:
        return mark.line < len(self.lines) and _BARE_BRACES.search(self.lines[mark.line]) is not None

    def _open_quote(self, line: int) -> int | None:
        """Return where the quote opens that runs on into the lines before ``line`` (from 0); None where none does.

        The scanner takes all up to the next quote for one text, and fails behind it. A text over several lines that
        was meant has nothing behind its end.
        """
        at = 0
        while (found := _OPENS.search(self.text, at)) is not None and self.text.count("\n", 0, found.end()) < line:
            end = _IN_QUOTES[found[1]].match(self.text, found.end())
            assert end is not None
            at = end.end() + 1
            rest = self.text[at:].partition("\n")[0].strip()
            if "\n" in end[0] and rest and not rest.startswith("#"):
                return found.start(1)
        return None

    def _syntax(self, error: yaml.MarkedYAMLError) -> None:
        mark: Any = error.problem_mark or error.context_mark
        words = str(error.problem)
        opened = self._open_quote(mark.line)
        if opened is not None:
            place = _place(self.text, opened)
            self.problems.append(
                Problem(self.file.path, *place, "the quote that opens here is not closed on this line")
            )
            return
        if self._bare_braces(mark):
            message = _QUOTE_BRACES
        elif words == "found unexpected end of stream" or "did not find expected ','" in words:
            mark = error.context_mark  # where it was opened says more than the end of the file
            message = _SYNTAX[words]
        else:
            message = _SYNTAX.get(words) or f"this is not YAML: {words}"
        self._say(mark, message)

    def _read(self) -> None:
        documents = 0
        for event in yaml.parse(self.text, Loader=_LOADER):
            if isinstance(event, _CLOSING):
                self.stack.pop()
                continue
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._say(event.start_mark, "a second document starts here; keep only one in a file")
                    return
            if not isinstance(event, yaml.NodeEvent):
                continue
            message = self._node(event)
            if message:
                self._say(event.start_mark, message)
                return

    def _node(self, event: Any) -> str:
        """Take one scalar, alias, or the start of a mapping or list. Gives the message that ends the reading, or ""."""
        if isinstance(event, yaml.AliasEvent):
            self._say(event.start_mark, f"aliases (*{event.anchor}) are not taken; quote text that starts with *")
        else:
            if event.anchor is not None:
                self._say(event.start_mark, f"anchors (&{event.anchor}) are not taken; quote text that starts with &")
            if event.tag is not None:
                self._say(event.start_mark, f"tags ({event.tag}) are not taken; quote text that starts with !")
        top = self.stack[-1] if self.stack else None
        if top is not None and isinstance(top.into, dict) and top.key is None:
            if not isinstance(event, yaml.ScalarEvent):
                if self._bare_braces(event.start_mark):
                    return _QUOTE_BRACES
                return "a key must be plain text"
            self._key(top, event)
            return ""
        if len(self.file.values) >= MAX_VALUES:
            return f"the file holds more than {MAX_VALUES:,} values"
        return self._value(top, event)

    def _key(self, top: _Open, event: Any) -> None:
        top.key = str(event.value)
        assert isinstance(top.into, dict)
        if top.key == "<<" and not event.style:
            self._say(event.start_mark, "merge keys (<<) are not taken; write the values out")
        if top.key in top.into:
            line, _ = self.file.keys[*top.loc, top.key]
            self._say(event.start_mark, f"`{shorten(top.key, 60)}` is given twice; the first is on line {line}")
        self.file.keys[*top.loc, top.key] = (event.start_mark.line + 1, event.start_mark.column + 1)

    def _value(self, top: _Open | None, event: Any) -> str:
        place = (event.start_mark.line + 1, event.start_mark.column + 1)
        loc: Path = ()
        value: Any = None
        if isinstance(event, _OPENING):
            if len(self.stack) >= MAX_DEPTH:
                return _TOO_DEEP
            value = {} if isinstance(event, yaml.MappingStartEvent) else []
        elif isinstance(event, yaml.ScalarEvent):
            value = event.value if event.style else _plain(event.value)
        if top is None:
            self.file.value = value
        elif isinstance(top.into, dict):
            assert top.key is not None
            loc = (*top.loc, top.key)
            top.into[top.key], top.key = value, None
        else:
            loc = (*top.loc, len(top.into))
            top.into.append(value)
            self.file.keys[loc] = place
        self.file.values[loc] = place
        if isinstance(event, _OPENING):
            self.stack.append(_Open(loc, value))
        elif not isinstance(value, str) and isinstance(event, yaml.ScalarEvent):
            self.file.texts[loc] = event.value
        return ""


def _plain(text: str) -> str | int | float | bool | None:
    """Return an unquoted scalar by the YAML 1.2 core schema (chapter 10.3.2). Numbers of absurd length stay text."""
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text[0] in "tT"
    if len(text) > 40:
        return text
    if _INT.fullmatch(text):
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def shorten(text: str, limit: int = 500) -> str:
    """Return one line of at most ``limit`` characters: a message carries neither a megabyte nor an escape sequence."""
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
