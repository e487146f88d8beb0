"""Which columns a letter prints without asking first whether they have a value.

Such a column that is empty in a row leaves a hole in that row's letter: "Dear ,". A value that is only printed inside
an ``if`` about it, or behind ``default("...", true)`` or ``or "..."``, leaves none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from jinja2 import TemplateSyntaxError, nodes

from bulkmail.content.rows import OURS
from bulkmail.content.templates import TemplateSet
from bulkmail.content.variants import in_each_variant
from bulkmail.mail import variable_name

_NONE: frozenset[str] = frozenset()


def printed_columns(content: dict[str, Any]) -> list[list[int]]:
    """Return, for each recipients file, the columns (from 0, in order) that the letter prints as they are.

    ``content`` has passed `check_content`. The address and the token are always there, and left out.
    """
    environment = TemplateSet({}, html=False).environment
    unsubscribe = content["unsubscribe"] or {}
    preheader = (content.get("letter") or {}).get("preheader")
    sources = [*content["headers"].values(), *content["includes"].values(), unsubscribe.get("url"), preheader]
    invitation = content.get("invitation") or {}  # of its other keys an empty one leaves no hole
    sources += [invitation[key] for key in ("summary", "description") if invitation.get(key)]
    for _, letter in in_each_variant(content):
        sources += [letter["subject"], letter["html"], letter["text"]]
    names: set[str] = set()
    for source in dict.fromkeys(filter(None, sources)):
        try:
            names |= set(_printed(environment.parse(source), _NONE))
        except TemplateSyntaxError:
            continue  # of a file that no template includes
    return [_places(columns, names) for columns in content["columns"]]


def _places(columns: Sequence[str], names: set[str]) -> list[int]:
    """Return where the columns stand that are printed by one of ``names``, as templates spell them."""
    tidied = [variable_name(column) for column in columns]
    found = []
    for at, column in enumerate(columns):
        if column in OURS:
            continue
        unique = tidied.count(tidied[at]) == 1 and tidied[at] not in OURS.union(columns)
        if column in names or f"row[{column}]" in names or (unique and tidied[at] in names):
            found.append(at)
    return found


def _printed(node: nodes.Node, tested: frozenset[str]) -> Iterator[str]:
    """Yield the names that are printed below ``node``; ``tested``: those known to have a value there."""
    if isinstance(node, nodes.If):
        inside = tested | _names(node.test)
        for branch in (*node.body, *node.elif_, *node.else_):
            yield from _printed(branch, inside)
    elif isinstance(node, nodes.CondExpr):
        inside = tested | _names(node.test)
        yield from _printed(node.expr1, inside)
        if node.expr2 is not None:
            yield from _printed(node.expr2, inside)
    elif isinstance(node, nodes.Or | nodes.And):
        yield from _printed(node.right, tested | _names(node.left))
    elif isinstance(node, nodes.Filter) and node.name in ("default", "d"):
        for argument in node.args:
            yield from _printed(argument, tested)
    elif key := _key(node):
        if key not in tested:
            yield key
    else:
        for child in node.iter_child_nodes():
            yield from _printed(child, tested)


def _names(node: nodes.Node) -> frozenset[str]:
    """Return all names below ``node``, itself included."""
    found = {_key(node)}
    for child in node.iter_child_nodes():
        found |= _names(child)
    return frozenset(found - {""})


def _key(node: nodes.Node) -> str:
    """Return how a use is spelt: ``x``, or ``row[x]`` for ``row["x"]`` and ``row.x``; "" for everything else."""
    if isinstance(node, nodes.Name) and node.ctx == "load":
        return node.name
    if (
        isinstance(node, nodes.Getitem | nodes.Getattr)
        and isinstance(node.node, nodes.Name)
        and node.node.name == "row"
    ):
        if isinstance(node, nodes.Getattr):
            return f"row[{node.attr}]"
        if isinstance(node.arg, nodes.Const):
            return f"row[{node.arg.value}]"
    return ""
