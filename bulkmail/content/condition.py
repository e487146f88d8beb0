"""A condition over the columns of a row (``where`` of campaign.yaml): one Jinja2 expression, in the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches

from jinja2 import TemplateSyntaxError, nodes
from jinja2.environment import TemplateExpression
from jinja2.exceptions import TemplateError
from jinja2.parser import Parser

from bulkmail.content.rows import OURS, Columns
from bulkmail.content.templates import TemplateSet
from bulkmail.content.variables import needed

_LONGEST = 300  # characters of what is said of one row


class Condition:
    """A compiled expression. Raises ValueError with the rest of a sentence where it is none."""

    def __init__(self, expression: str) -> None:
        environment = TemplateSet({}, html=False).environment
        try:
            parser = Parser(environment, expression, state="variable")
            parsed = parser.parse_expression()
            if not parser.stream.eos:
                parser.fail("something stands behind the condition", parser.stream.current.lineno)
            tree = nodes.Template([nodes.Output([parsed], lineno=1)], lineno=1)
            tree.set_environment(environment)
            self._known = frozenset(environment.globals)
            self._used = [use.name for use in needed(tree) if use.name not in self._known]
            made = environment.compile_expression(expression, undefined_to_none=False)
        except TemplateSyntaxError as error:
            raise ValueError(
                f"is not a condition ({error.message}); write it like plan == 'plus' and country in ['DE', 'AT']"
            ) from None
        assert isinstance(made, TemplateExpression)
        self._made = made

    def lacking(self, columns: Sequence[str]) -> str:
        """Return what it uses that a list with these columns has not, in words; "" where it has all."""
        there = Columns(columns, {})
        for name in self._used:
            if name == "row" or name in there.names - (OURS - {"email"}):
                continue
            bare = name[5:-2] if name.startswith("row[") else name
            if name.startswith("row[") and bare in there.in_row:
                continue
            near = get_close_matches(bare, sorted(there.in_row if name.startswith("row[") else there.names), 1)
            return f"`{name}` is no column of it" + (f"; did you mean `{near[0]}`?" if near else "")
        return ""

    def for_columns(self, columns: Sequence[str]) -> Callable[[Sequence[str]], bool]:
        """Return the test of a row's cells. It raises ValueError, with the reason, where it cannot be applied."""
        there = Columns(columns, {})

        def holds(cells: Sequence[str]) -> bool:
            try:
                return bool(self._made(there.variables(cells)))
            except Exception as error:  # noqa: BLE001 - an expression can raise anything; its row is told
                raise ValueError(_words(error)) from None

        return holds


def _words(error: Exception) -> str:
    words = str(error) or type(error).__name__
    if isinstance(error, TypeError) and "str" in words:
        words += "; the values of a list are text: for a number write |int or |float behind the name"
    elif not isinstance(error, TemplateError):
        words = f"{words} ({type(error).__name__})"
    return " ".join(words.split())[:_LONGEST]


def condition_problem(expression: str) -> str:
    """Return what is wrong with an expression, as the rest of a sentence; "" for nothing."""
    try:
        Condition(expression)
    except ValueError as error:
        return str(error)
    return ""
