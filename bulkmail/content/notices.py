"""Content that is valid and probably not meant: reported by the check, and no reason to refuse a campaign.

Most of it is the work of programs that a template went through before it came here. CSS inliners and MJML do not know
Jinja2: they move ``{% if %}`` out of a table and leave it empty, so that every recipient gets the row; they
encode braces in links; they sort the words of a class. Tags that they have dropped as a whole leave no trace and cannot
be told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from jinja2 import TemplateSyntaxError, nodes

from bulkmail.content.foreign import foreign_marks
from bulkmail.content.letter import reason_for_letters
from bulkmail.content.linking import linking_of
from bulkmail.content.rows import Columns
from bulkmail.content.templates import TemplateSet
from bulkmail.content.variants import in_each_variant
from bulkmail.mail import Problem, variable_name

_MOST = 5  # places of one kind that are told of a file
_SAFE = frozenset({"token", "campaign"})  # nothing in their values needs an escape
_TAG = re.compile(r"\{%-?\+?\s*(?:if|for)\b")
_CLASS = re.compile(
    r"""\bclass\s*=\s*(?:"[^"{]*(?:\{\{[^}]*\}\}[^"{]*)*\{%|'[^'{]*(?:\{\{[^}]*\}\}[^'{]*)*\{%)""", re.IGNORECASE
)
_ENCODED = re.compile(
    r"%7B(?:%7B|%25|%)|&(?:#123|#x7b|lbrace|lcub);(?:%|\{|&(?:#123|#x7b|lbrace|lcub);)", re.IGNORECASE
)
_MJML = re.compile(r"<(/?)(mj-[a-z-]+|mjml)\b|\{%", re.IGNORECASE)
_TEXTUAL = frozenset(
    {"mj-raw", "mj-text", "mj-button", "mj-table", "mj-style", "mj-title", "mj-preview", "mj-navbar-link"}
)


def content_notices(content: dict[str, Any]) -> list[Problem]:
    """Return the notices about ``content``, which has passed `check_content`; places are as there."""
    found: dict[Problem, None] = {}
    for _, letter in in_each_variant(content):
        found |= dict.fromkeys(_of_letter(letter))
    return [*found]


def _of_letter(content: dict[str, Any]) -> list[Problem]:
    files = dict(content["includes"])
    for kind in ("html", "text"):
        if content[kind] is not None:
            files[content[f"{kind}_name"]] = content[kind]
    templates = TemplateSet(files, html=False)
    found = [*_unsubscribe(content, templates)]
    names = frozenset({"email"}).union(*(Columns(names, content["defaults"]).names for names in content["columns"]))
    columns = frozenset(filter(str.isidentifier, names))
    marks = foreign_marks(content["subject"], columns)
    key = content.get("subject_key", "subject")
    found += [Problem("", 0, 0, f"{key}: {mark.words}") for mark in marks if not mark.sure]
    if reason := reason_for_letters(content):
        words = f"each letter is inlined when it is composed, which costs 0.3 to 4 ms of a processor each: {reason}"
        found.append(Problem("", 0, 0, f"html.inline_css: {words}"))
    for left in linking_of(content).left:
        found.append(Problem(left.file, left.line, left.column, left.words))
    for name, source in sorted(files.items()):
        try:
            tree = templates.environment.parse(source, name)
        except TemplateSyntaxError:
            continue  # of a file that no template includes
        told = [*islice(_empty(tree, source), _MOST), *islice(_quoted(tree, columns), _MOST)]
        told += [(mark.line, mark.column, mark.words) for mark in foreign_marks(source, columns) if not mark.sure]
        if name != content["text_name"]:
            told += _marks(source)
        found += [Problem(name, line, column, words) for line, column, words in sorted(told)]
    return found


def _empty(tree: nodes.Template, source: str) -> Iterator[tuple[int, int, str]]:
    """Yield an ``if`` or ``for`` that prints nothing whatever its condition."""
    lines = source.split("\n")
    inner = {id(branch) for node in tree.find_all(nodes.If) for branch in node.elif_}
    for node in tree.find_all((nodes.If, nodes.For)):
        if id(node) in inner:
            continue
        branches = [node.body, node.else_]  # type: ignore[attr-defined]  # both have them
        branches += [branch.body for branch in getattr(node, "elif_", ())]
        if any(map(_does_something, branches)):
            continue
        what = "for" if isinstance(node, nodes.For) else "if"
        place = _TAG.search(lines[node.lineno - 1]) if node.lineno <= len(lines) else None
        words = (
            f"there is nothing in this `{what}`, so what it was meant for is printed for everybody; a CSS inliner or "
            "an HTML compiler may have moved it: put the tag back round what it is about"
        )
        yield node.lineno, place.start() + 1 if place else 0, words


def _quoted(tree: nodes.Template, columns: frozenset[str]) -> Iterator[tuple[int, int, str]]:
    """Yield a column's name in quotes, which is printed as it is written."""
    for node in tree.find_all(nodes.Output):
        for item in node.nodes:
            if isinstance(item, nodes.Const) and isinstance(item.value, str) and variable_name(item.value) in columns:
                name = variable_name(item.value)
                yield item.lineno, 0, f"{item.value!r} in quotes prints these letters; the column is {{{{ {name} }}}}"


def _does_something(body: list[nodes.Node]) -> bool:
    """Return whether a branch prints or sets anything; a space may be meant, an empty line is not."""
    for node in body:
        if not isinstance(node, nodes.Output):
            return True
        for item in node.nodes:
            text = item.data if isinstance(item, nodes.TemplateData) else "x"
            if text.strip() or (text and "\n" not in text):
                return True
    return False


def _marks(source: str) -> Iterator[tuple[int, int, str]]:
    """Yield what stands in the source of an HTML template and comes from another program, or will be spoilt by one."""
    for found in islice(_CLASS.finditer(source), _MOST):
        words = (
            "a {% %} tag stands in a class attribute: CSS inliners do not see which classes it prints, and minifiers "
            "sort its words; put the tag round the whole element, or look at the finished letter"
        )
        yield (*_place(source, found.end() - 2), words)
    for found in islice(_ENCODED.finditer(source), _MOST):
        words = (
            f"`{found[0]}` is an encoded brace, and printed as it stands: another program took a template tag for text"
        )
        yield (*_place(source, found.start()), words)
    yield from _mjml(source)


def _mjml(source: str) -> Iterator[tuple[int, int, str]]:
    inside = ""
    uncompiled = False
    for found in _MJML.finditer(source):
        name = (found[2] or "").lower()
        if not name:
            if uncompiled and not inside:
                words = "a {% %} tag stands between MJML components, where it gets lost; write <mj-raw> round it"
                yield (*_place(source, found.start()), words)
                return
            continue
        if not uncompiled:
            uncompiled = True
            words = f"<{name}> is MJML, which mail programs do not know; compile it, and name the HTML in `template`"
            yield (*_place(source, found.start()), words)
        if found[1]:
            inside = "" if name == inside else inside
        elif name in _TEXTUAL and not inside:
            inside = name


def _place(source: str, at: int) -> tuple[int, int]:
    """Return line and column of an index, from 1."""
    return source.count("\n", 0, at) + 1, at - source.rfind("\n", 0, at)


def _unsubscribe(content: dict[str, Any], templates: TemplateSet) -> Iterator[Problem]:
    url = (content["unsubscribe"] or {}).get("url")
    if not url or not templates.constants(url) or url.lstrip().startswith("{"):
        return  # a column holds the whole URL
    columns = {"email"}.union(*(Columns(names, content["defaults"]).names for names in content["columns"]))
    for name in dict.fromkeys(_bare(templates.environment.parse(url))):
        if name in columns - _SAFE or name.startswith("row["):
            words = (
                f"unsubscribe.url: `{name}` is printed without urlencode; where it has a `+` or `&` in it, the link "
                f"leads to another page: write {{{{ {name}|urlencode }}}}"
            )
            yield Problem("", 0, 0, words)
    if "#" in "".join(templates.constants(url)):
        words = (
            "unsubscribe.url: what stands behind # is not sent to the server, and one click does not tell it who it is"
        )
        yield Problem("", 0, 0, words)


def _bare(node: nodes.Node) -> Iterator[str]:
    """Yield the names that are printed without urlencode."""
    if isinstance(node, nodes.Filter) and node.name == "urlencode":
        return
    if isinstance(node, nodes.If | nodes.CondExpr):
        for child in node.iter_child_nodes(exclude=("test",)):
            yield from _bare(child)
        return
    if isinstance(node, nodes.Assign | nodes.AssignBlock):
        return
    if isinstance(node, nodes.Name):
        yield node.name
    elif isinstance(node, nodes.Getitem) and isinstance(node.node, nodes.Name) and node.node.name == "row":
        key = node.arg.value if isinstance(node.arg, nodes.Const) else ""
        if variable_name(str(key)) not in _SAFE:
            yield f"row[{key!r}]"
    else:
        for child in node.iter_child_nodes():
            yield from _bare(child)
