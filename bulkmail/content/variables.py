"""Which variables a template needs from outside, and on which line: read from Jinja2's syntax tree.

A variable used only where the template itself asks first is not needed: under ``x is defined``, behind
``x|default("...")``, in the branch of an ``if`` that such a test guards. What a template sets itself is not needed
either; Jinja2's own scoping (`jinja2.meta`) says what that is. Columns looked up by name, ``row["First Name"]``, are
reported under exactly that spelling.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from jinja2 import nodes
from jinja2.meta import find_undeclared_variables

_ROW_METHODS = frozenset({"get", "items", "keys", "values"})
_NONE: frozenset[str] = frozenset()


class Use(NamedTuple):
    """A variable, or ``row["..."]``, that must exist, and the line that first says so."""

    name: str
    line: int


class Reference(NamedTuple):
    """Another template that one includes, extends or imports. ``names``: any one of them will do."""

    names: tuple[str, ...]
    line: int
    required: bool


def needed(tree: nodes.Template) -> list[Use]:
    """Return the variables ``tree`` needs, by line. The tree is changed: what is guarded is cut out of it."""
    _cut(tree, _NONE)
    undeclared = find_undeclared_variables(tree)
    uses: dict[str, int] = {}
    for node in tree.find_all((nodes.Name, nodes.Getitem, nodes.Getattr)):
        name = _key(node) if not isinstance(node, nodes.Name) or node.ctx == "load" else ""
        if name in undeclared or (name.startswith("row[") and "row" in undeclared):
            uses[name] = min(node.lineno, uses.get(name, node.lineno))
    return sorted((Use(name, line) for name, line in uses.items()), key=lambda use: (use.line, use.name))


def assigned(tree: nodes.Template) -> set[str]:
    """Return every name the template gives a value anywhere. Templates it includes, and its parent, may see them."""
    names = {node.name for node in tree.find_all(nodes.Name) if node.ctx != "load"}
    names.update(node.name for node in tree.find_all(nodes.Macro))
    names.update(node.target for node in tree.find_all(nodes.Import))
    for found in tree.find_all(nodes.FromImport):
        names.update(name if isinstance(name, str) else name[1] for name in found.names)
    return names


def references(tree: nodes.Template) -> Iterator[Reference]:
    """Yield the other templates it names with constants; names made at run time cannot be known here."""
    for node in tree.find_all((nodes.Include, nodes.Extends, nodes.Import, nodes.FromImport)):
        template: nodes.Expr = node.template  # type: ignore[attr-defined]  # each of the four has one
        required = not (isinstance(node, nodes.Include) and node.ignore_missing)
        if isinstance(template, nodes.Const):
            names = template.value if isinstance(template.value, (list, tuple)) else [template.value]
        elif isinstance(template, (nodes.List, nodes.Tuple)) and all(
            isinstance(item, nodes.Const) for item in template.items
        ):
            names = [item.value for item in template.items if isinstance(item, nodes.Const)]
        else:
            continue
        yield Reference(tuple(str(name) for name in names), node.lineno, required)


def column_of(source: str, use: Use) -> int:
    """Return the column of ``use`` in its line, counted from 1; 0 when it is not to be found there."""
    lines = source.splitlines()
    if not 0 < use.line <= len(lines):
        return 0
    line = lines[use.line - 1]
    word = use.name[5:-2] if use.name.startswith("row[") else use.name
    places = [found.start() for found in re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", line)]
    for place in places:
        if max(line.rfind("{{", 0, place), line.rfind("{%", 0, place)) > line.rfind("}", 0, place):
            return place + 1
    return places[0] + 1 if places else 0  # the tag was opened on a line above


def _key(node: nodes.Node) -> str:
    """Return how a use is spelt: ``x``, ``row["x"]``, or ``""`` for everything else."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, (nodes.Getitem, nodes.Getattr)) and isinstance(node.node, nodes.Name):
        if node.node.name != "row":
            return ""
        if isinstance(node, nodes.Getattr):
            return "" if node.attr in _ROW_METHODS else f'row["{node.attr}"]'
        if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            return f'row["{node.arg.value}"]'
    return ""


def _cut(node: nodes.Node, known: frozenset[str]) -> None:
    """Replace the guarded uses below ``node`` by constants; ``known`` are the names proven to exist here."""
    if isinstance(node, nodes.If):
        proven, refuted = _proofs(node.test)
        node.test = _kept(node.test, known)
        _cut_all(node.body, known | proven)
        _cut_all(node.elif_, known | refuted)
        _cut_all(node.else_, known | refuted)
    elif isinstance(node, nodes.CondExpr):
        proven, refuted = _proofs(node.test)
        node.test = _kept(node.test, known)
        node.expr1 = _kept(node.expr1, known | proven)
        if node.expr2 is not None:
            node.expr2 = _kept(node.expr2, known | refuted)
    elif isinstance(node, (nodes.And, nodes.Or)):
        proofs = _proofs(node.left)[0 if isinstance(node, nodes.And) else 1]
        node.left = _kept(node.left, known)
        node.right = _kept(node.right, known | proofs)
    else:
        for field, value in list(node.iter_fields()):
            if isinstance(value, list):
                setattr(node, field, [_kept(item, known) if isinstance(item, nodes.Node) else item for item in value])
            elif isinstance(value, nodes.Node):
                setattr(node, field, _kept(value, known))


def _cut_all(body: list[nodes.Node] | list[nodes.If], known: frozenset[str]) -> None:
    for node in body:
        _cut(node, known)


def _kept(node: Any, known: frozenset[str]) -> Any:
    """Return ``node`` after cutting, or a constant in the place of a use that cannot fail."""
    asked = None
    if (isinstance(node, nodes.Test) and node.name in ("defined", "undefined")) or (
        isinstance(node, nodes.Filter) and node.name in ("default", "d")
    ):
        asked = node.node
    if asked is not None and _key(asked):
        node.node = nodes.Const("", lineno=asked.lineno)
    elif isinstance(node, nodes.Node) and _key(node) in known and getattr(node, "ctx", "load") == "load":
        return nodes.Const("", lineno=node.lineno)
    _cut(node, known)
    return node


def _proofs(test: nodes.Node) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names that exist if ``test`` is true, and those that exist if it is false."""
    if isinstance(test, nodes.Test) and test.name in ("defined", "undefined"):
        name = frozenset({_key(test.node)}) - {""}
        return (name, _NONE) if test.name == "defined" else (_NONE, name)
    if isinstance(test, nodes.Not):
        true, false = _proofs(test.node)
        return false, true
    if isinstance(test, (nodes.And, nodes.Or)):
        left, right = _proofs(test.left), _proofs(test.right)
        if isinstance(test, nodes.And):
            return left[0] | right[0], left[1] & right[1]
        return left[0] & right[0], left[1] | right[1]
    return _NONE, _NONE
