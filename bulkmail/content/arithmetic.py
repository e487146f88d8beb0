"""Values of a list used as numbers: they are text, so a sum fails, a product repeats them, and none equals a number."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from jinja2 import nodes

from bulkmail.content.variables import Use

_SIGNS = {
    nodes.Add: "+",
    nodes.Sub: "-",
    nodes.Mul: "*",
    nodes.Div: "/",
    nodes.FloorDiv: "//",
    nodes.Mod: "%",
    nodes.Pow: "**",
}
_OF_NUMBERS = frozenset({"round", "abs"})


def texts_as_numbers(tree: nodes.Template, columns: Collection[str]) -> Iterator[tuple[Use, str]]:
    """Yield each use of a column as a number, with the words for it. ``columns``: as templates print them."""
    seen: set[Use] = set()
    for node in tree.find_all((nodes.BinExpr, nodes.Compare, nodes.Filter, nodes.Call)):
        for name in _numbers(node):
            use = Use(name, node.lineno)
            if name in columns and use not in seen:
                seen.add(use)
                yield use, f"`{name}` is text, as each value of a list; for a number write {name}|int or {name}|float"


def _numbers(node: nodes.Node) -> Iterator[str]:
    """Yield the names that a node takes for numbers."""
    if isinstance(node, nodes.BinExpr):
        left, right = _name(node.left), _name(node.right)
        if type(node) not in _SIGNS:
            return
        if left and right and not isinstance(node, nodes.Add | nodes.Mod):
            yield left
            yield right
        elif left and _is_number(node.right):
            yield left
        elif right and _is_number(node.left):
            yield right
    elif isinstance(node, nodes.Compare):
        sides = [node.expr, *(operand.expr for operand in node.ops if operand.op not in ("in", "notin"))]
        if any(map(_is_number, sides)):
            yield from filter(None, map(_name, sides))
    elif isinstance(node, nodes.Filter):
        if node.name in _OF_NUMBERS and node.node is not None:
            yield _name(node.node)
    elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name == "range":
        yield from filter(None, map(_name, node.args))


def _name(node: nodes.Node) -> str:
    return node.name if isinstance(node, nodes.Name) else ""


def _is_number(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Const) and isinstance(node.value, int | float) and not isinstance(node.value, bool)
