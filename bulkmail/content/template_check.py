"""The check of a campaign's templates: syntax, the templates they name, and variables that no column gives."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from jinja2 import TemplateSyntaxError, nodes

from bulkmail.content.arithmetic import texts_as_numbers
from bulkmail.content.foreign import foreign_marks
from bulkmail.content.mistakes import Places, Tag, explain, meant, shown, tags
from bulkmail.content.pictures import carried_pictures, lost_pictures
from bulkmail.content.plaintext import adapt, plain_text
from bulkmail.content.rows import OURS, Columns
from bulkmail.content.templates import TemplateSet
from bulkmail.content.variables import Use, assigned, column_of, needed, references
from bulkmail.mail import Problem, variable_name

_BARE = re.compile(r"[-+]?\s*([^|{}()\[\]\"']+?)\s*(\|.*)?[-+]?", re.DOTALL)  # a name and filters

_SHOWN = 20  # columns that are named
_LONGEST_TAG = 200  # characters of a tag that may be a column's name


class TemplateCheck:
    """Checks the templates of one ``content``, given the columns of its recipients files."""

    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content
        self._columns = [Columns(columns, content["defaults"]) for columns in content["columns"] or [[]]]
        self._all = frozenset[str]().union(*(columns.names for columns in self._columns))
        self._printed = frozenset(filter(str.isidentifier, self._all)) | {"email"}
        files = dict(content["includes"])
        for kind in ("html", "text"):
            if content[kind] is not None:
                files[content[f"{kind}_name"]] = content[kind]
        self._files = {posixpath.normpath(name): source for name, source in files.items()}
        self._template_set = TemplateSet(files, html=False)
        self._carried = carried_pictures(content)
        local = {"locale", "dir"} if content.get("locale") else set[str]()
        local |= {"variant"} if content.get("compared") else set()
        self._ours = OURS | {"campaign"} | local | frozenset(self._template_set.environment.globals)
        unsubscribe = content["unsubscribe"] or {}
        self._links = {"unsubscribe_url"} if unsubscribe.get("url") or unsubscribe.get("mailto") else set[str]()

    def value(self, key: str, source: str) -> list[Problem]:
        """Return the problems of a template that stands in campaign.yaml under ``key``."""
        tree = self._parsed(source)
        if isinstance(tree, TemplateSyntaxError):
            return [Problem("", 0, 0, f"{key}: {self._syntax(tree, source)[2]}")]
        known = self._ours if key == "unsubscribe.url" else self._ours | self._links
        problems = [
            Problem("", 0, 0, f"{key}: there is no template {' or '.join(map(repr, found.names))}")
            for found in references(tree)
            if found.required and not self._existing(found.names)
        ]
        found = [words for _, words in texts_as_numbers(tree, self._columns_of([tree]))]
        found += [mark.words for mark in foreign_marks(source, self._printed) if mark.sure]
        found += [words for _line, _column, words in self._lacking(needed(tree), known, source)]
        return problems + [Problem("", 0, 0, f"{key}: {words}") for words in found]

    def files(self) -> list[Problem]:
        """Return the problems of the template files; each one that is reached is checked once, under its own name."""
        problems: list[Problem] = []
        content = self._content
        roots = [posixpath.normpath(content[f"{kind}_name"]) for kind in ("html", "text") if content[kind] is not None]
        trees: dict[str, nodes.Template] = {}
        waiting = list(roots)
        seen = set(roots)
        while waiting:
            name = waiting.pop(0)
            tree = self._parsed(self._files[name], name)
            if isinstance(tree, TemplateSyntaxError):
                problems.append(Problem(name, *self._syntax(tree, self._files[name])))
                continue
            trees[name] = tree
            for found in references(tree):
                existing = self._existing(found.names)
                if not existing and found.required:
                    problems.append(Problem(name, found.line, 0, self._missing(found.names)))
                waiting += [file for file in existing if file not in seen]
                seen.update(existing)
        problems += self._variables(trees, roots)
        problems += self._literal(trees)
        if content["text"] is None and content["html"] is not None and not problems:
            problems += self._made_text(roots[0], trees)
        return sorted(problems, key=lambda problem: (problem.file not in roots, problem.file, problem.line))

    def _variables(self, trees: dict[str, nodes.Template], roots: list[str]) -> list[Problem]:
        problems = []
        shared = {name: assigned(tree) for name, tree in trees.items()}
        for name, tree in trees.items():
            known = self._ours | self._links
            if name not in roots or tree.find(nodes.Extends):
                # It sees what the templates around it have set; which of them are, only a rendering would tell
                known = known.union(*(names for other, names in shared.items() if other != name))
            source = self._files[name]
            for use, words in texts_as_numbers(tree, self._columns_of(trees.values())):
                problems.append(Problem(name, use.line, column_of(source, use), words))
            problems += [Problem(name, *found) for found in self._lacking(needed(tree), known, source)]
        return problems

    def _literal(self, trees: Iterable[str]) -> list[Problem]:
        """Return what is printed as it stands and cannot be meant: other tools' marks, pictures that are not there."""
        problems = []
        for name in trees:
            source = self._files[name]
            marks = foreign_marks(source, self._printed)
            problems += [Problem(name, mark.line, mark.column, mark.words) for mark in marks if mark.sure]
            if name != posixpath.normpath(self._content["text_name"] or "."):
                lost = lost_pictures(self._template_set.environment, source, self._carried)
                problems += [Problem(name, *found) for found in lost]
        return problems

    def _columns_of(self, trees: Iterable[nodes.Template]) -> frozenset[str]:
        """Return the columns by the names that templates print, without those that one of the templates sets itself."""
        return self._printed.difference(*map(assigned, trees))

    def _made_text(self, root: str, trees: Iterable[str]) -> list[Problem]:
        made = TemplateSet(self._files, html=False, convert=plain_text)
        adapt(made.environment)
        for name in trees:
            try:
                made.environment.get_template(name)
            except TemplateSyntaxError as error:
                words = f"no text version can be made from this template ({error.message}); add one: template.text"
                return [Problem(root, 0, 0, words if name == root else f"{words} (in {name})")]
        return []

    def _parsed(self, source: str, name: str | None = None) -> nodes.Template | TemplateSyntaxError:
        environment = self._template_set.environment
        try:
            environment.compile(source, name)  # the parser alone does not know the filters and tests
            return environment.parse(source, name)
        except TemplateSyntaxError as error:
            return error
        except RecursionError:
            return TemplateSyntaxError("it is nested too deeply", 1, name)

    def _syntax(self, error: TemplateSyntaxError, source: str) -> tuple[int, int, str]:
        """Return line, column and words for what Jinja2 cannot read: the mistake if it is known, else what Jinja2 says.

        Where a filter or test does not exist, the nearest one that does.
        """
        words = (error.message or "syntax error").rstrip(".")
        for kind, known in (
            ("filter", self._template_set.environment.filters),
            ("test", self._template_set.environment.tests),
        ):
            if words.startswith(f"No {kind} named "):
                return error.lineno, 0, words + _did_you_mean(words.rpartition(" named ")[2].strip("'\""), known)
        found = explain(source, error.lineno, words, self._printed, self._reads)
        return found.line, found.column, found.words or f"the template cannot be read: {words}"

    def _reads(self, source: str) -> bool:
        try:
            self._template_set.environment.parse(source)
        except (TemplateSyntaxError, RecursionError):
            return False
        return True

    def _lacking(self, uses: Iterable[Use], known: Iterable[str], source: str) -> Iterator[tuple[int, int, str]]:
        """Yield the uses that some row would fail on: line, column, words. What one tag lacks is told once."""
        found, places, told = list(tags(source)), Places(source), set[Tag]()
        spans = [(places.of(tag.start), places.of(tag.end), tag) for tag in found if len(tag.inner) <= _LONGEST_TAG]
        for use, words in self._unknown(uses, known):
            at = use.line, column_of(source, use)
            tag = next((tag for start, end, tag in spans if start <= at <= end), None)
            other = self._another(tag, use) if tag is not None else ""
            if tag is None or not other:
                yield (*at, words)
            elif tag not in told:
                told.add(tag)
                yield (*places.of(tag.start), other)

    def _another(self, tag: Tag, use: Use) -> str:
        """Tell what is wrong with a tag whose text is a column's name, but not as templates print it; "" for others."""
        bare = _BARE.fullmatch(tag.inner.strip()) if tag.kind == "{{" else None
        if bare is None or bare[1].isidentifier() or use.name.startswith("row["):
            return ""
        name, text = bare[1].strip(), shown(f"{{{{{tag.inner}}}}}")
        if "." in name and (column := meant(name.rpartition(".")[2], self._printed)):
            there = f"there is no {use.name!r} here; a column is printed by its name alone: {{{{ {column} }}}}"
            return f"`{text}`: {there}"
        squeezed = {column.replace("_", ""): column for column in self._printed}
        column = squeezed.get(variable_name(name).replace("_", ""), "")
        if not column:
            return ""
        in_rows = [name for columns in self._columns for name in columns.in_row]
        written = next(
            (one for one in in_rows if not one.isidentifier() and variable_name(one) == variable_name(name)), ""
        )
        row = f", or {{{{ row[{json.dumps(written, ensure_ascii=False)}] }}}}" if written else ""
        return f"`{text}` is read as a calculation; write {{{{ {column} }}}}{row}"

    def _existing(self, names: Iterable[str]) -> list[str]:
        return [name for name in map(posixpath.normpath, names) if name in self._files]

    def _missing(self, names: tuple[str, ...]) -> str:
        wanted = " or ".join(repr(name) for name in names)
        return f"there is no template {wanted} in the campaign's folder" + _did_you_mean(names[0], self._files)

    def _unknown(self, uses: Iterable[Use], known: Iterable[str]) -> Iterable[tuple[Use, str]]:
        """Yield the uses that some row would fail on, each with the words for it."""
        known = frozenset(known)
        for use in uses:
            if use.name in known:
                continue
            lacking = [number for number, columns in enumerate(self._columns) if not _has(columns, use.name)]
            if len(lacking) == len(self._columns):
                if use.name == "unsubscribe_url":
                    yield use, "unsubscribe_url is used, but the campaign has no `unsubscribe`"
                elif use.name.startswith("row["):
                    column = use.name[5:-2]
                    in_rows = frozenset[str]().union(*(columns.in_row for columns in self._columns))
                    yield use, f"no recipients file has a column {column!r}{_did_you_mean(column, in_rows)}"
                else:
                    near = _did_you_mean(use.name, sorted(filter(str.isidentifier, self._all | known)))
                    other = f"{near} Else" if near else f"{self._there(use.name)},"
                    yield use, f"unknown variable {use.name!r}{other} {_remedy(use)}"
            elif lacking:
                files = ", ".join(self._file(number) for number in lacking)
                yield use, f"{use.name!r} is not a column of {files}; {_remedy(use)}"

    def _there(self, name: str) -> str:
        """Say which columns there are, where none is near; of many those first that are most like ``name``."""
        written = {
            "email",
            *(variable_name(one) or one for columns in self._content["columns"] or [] for one in columns),
        }
        names = sorted(
            one
            for one in self._printed
            if (variable_name(one) in (one, "") or variable_name(one) not in self._printed)
            and (variable_name(one) or one) in written
        )
        names.sort(key=str.casefold)
        if len(names) > _SHOWN:
            like = get_close_matches(name, names, _SHOWN, 0.3)
            names = [*like, *(one for one in names if one not in like)]
        shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
        lists = " and ".join(map(self._file, range(len(self._columns))))
        return f"; {lists} {'has' if len(self._columns) == 1 else 'have'} {shown}: add the column"

    def _file(self, number: int) -> str:
        names = self._content.get("recipients") or []
        return str(names[number]) if number < len(names) else f"recipients file {number + 1}"


def _has(columns: Columns, name: str) -> bool:
    return name[5:-2] in columns.in_row if name.startswith("row[") else name in columns.names


def _remedy(use: Use) -> str:
    """Return what to do about a variable that is rightly there, but has no column."""
    name = use.name[5:-2] if use.name.startswith("row[") else use.name
    return f"give it a default (defaults: {{{name}: ...}}) or write {use.name}|default('...')"


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    candidates = [candidate for candidate in known if candidate.isprintable()]
    near = get_close_matches(name, candidates, 1) or get_close_matches(variable_name(name), candidates, 1)
    return f"; did you mean {near[0]!r}?" if near else ""
