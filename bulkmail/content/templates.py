"""Jinja2 in a sandbox: strict about undefined variables, and a function of its variables alone.

Templates are code from outside. They see the campaign's own template files and the row, nothing else: no file, no
clock, no dice (a retry must have the same bytes), no state kept from one recipient to the next. What is printed must
be text or a number: ``{{ name.title }}`` with its parentheses forgotten is an error, not an address in memory.

Output is capped here. Time is not: a worker process that takes too long is killed by its parent, which knows the row.
"""

from __future__ import annotations

import contextlib
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from types import BuiltinMethodType, TracebackType
from typing import Any

from jinja2 import (
    BaseLoader,
    Environment,
    StrictUndefined,
    Template,
    TemplateNotFound,
    TemplateSyntaxError,
    Undefined,
    nodes,
)
from jinja2.compiler import CodeGenerator, Frame
from jinja2.environment import TemplateModule
from jinja2.exceptions import SecurityError, TemplateError, TemplateRuntimeError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

from bulkmail.content.headers import clean
from bulkmail.content.local_forms import local_filters
from bulkmail.content.numbers import to_float, to_int
from bulkmail.content.person_names import person
from bulkmail.mail import BulkmailError

OUTPUT_CAP = 5_000_000
"""Characters that one template may print for one recipient."""

_FIRST = 3  # pieces; a subject or a URL prints fewer
_TOGETHER = 96  # pieces
_LARGE = 100_000  # characters; a letter has fewer
_MANY_ASKED = 1000
_PRINTABLE = (str, int, float, list, tuple, dict, Undefined)
_SPECIAL = re.compile("[&<>\"']").search  # what `escape` changes


class RowError(BulkmailError):
    """The message of one recipient cannot be composed; the others are not concerned. One line."""


class CompiledTemplate:
    """One compiled template; ``label`` names it in error texts (``html body.html.j2``)."""

    def __init__(self, template: Template, label: str, *, lines: bool = True) -> None:
        self._template = template
        self._label = label
        self._lines = lines

    def render(self, variables: dict[str, Any]) -> str:
        """Return the text for one recipient. Raises RowError, whatever went wrong inside."""
        return "".join(self.pieces(variables))

    def pieces(self, variables: dict[str, Any]) -> list[str]:
        """Return the text in pieces, as Jinja2 prints it: the template's own, and the values between. Raises RowError.

        ``variables`` are seen as they are and not changed; `TemplateSet.globals` must be among them.
        """
        template = self._template
        try:
            # Not `new_context`: it would note the names of the globals each time, which `_Forgetful` has no use for
            context = Context(template.environment, variables, template.name, template.blocks)
            return _capped(template.root_render_func(context))
        except Exception as error:  # noqa: BLE001 - a template can raise anything; its row is told, the others go on
            raise RowError(self._words(error)) from None

    def _words(self, error: Exception) -> str:
        words = str(error) or type(error).__name__
        if isinstance(error, RecursionError):
            words = "a template includes itself, or a macro calls itself, without end"
        elif isinstance(error, MemoryError):
            words = "the template asks for more memory than one recipient's message may take"
        elif isinstance(error, TemplateNotFound):
            words = f"the template {words!r} is not in the campaign's folder"
        elif not isinstance(error, TemplateError):
            words = f"{words} ({type(error).__name__})"
            if isinstance(error, TypeError) and "str" in words:
                words += "; the values of a list are text: for a number write |int or |float behind the name"
        name, line = _place(error.__traceback__)
        where = self._label
        if self._lines and name:
            where = f"{where} line {line}" if name in where else f"{where}: {name} line {line}"
        return clean(f"{where}: {words}")[:400]


def _capped(pieces: Iterator[str]) -> list[str]:
    """Collect all pieces. Raises TemplateRuntimeError when they exceed the cap; an endless loop is left then.

    Most templates print a hundred pieces or less, which are counted in two steps instead of one by one. Once the
    output is large each piece is counted before the next is made, for one can be of any size.
    """
    taken = list(islice(pieces, _FIRST))
    size = sum(map(len, taken))
    if len(taken) < _FIRST and size <= OUTPUT_CAP:
        return taken
    while size <= OUTPUT_CAP:
        batch = list(islice(pieces, _TOGETHER if size < _LARGE else 1))
        if not batch:
            return taken
        taken += batch
        size += sum(map(len, batch))
    raise TemplateRuntimeError(f"the output is longer than {OUTPUT_CAP:,} characters")


def _place(trace: TracebackType | None) -> tuple[str, int]:
    """Return template and line of the innermost template frame in a traceback."""
    name, line = "", 0
    while trace is not None:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if isinstance(template, Template):
            name, line = template.name or "", template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return name, line


class TemplateSet:
    """The template files of one campaign, in an environment for HTML or for text.

    ``convert`` is applied to every file's source first (the HTML templates as plain text). ``locale``: how its filters
    write dates and numbers.
    """

    def __init__(
        self,
        files: Mapping[str, str],
        *,
        html: bool,
        convert: Callable[[str], str] | None = None,
        locale: str = "en",
    ) -> None:
        self._loader = _Files(files, convert)
        self.environment = environment = _Closed(
            loader=self._loader,
            undefined=StrictUndefined,
            autoescape=html,
            finalize=_printable,
            auto_reload=False,
            cache_size=-1,
        )
        environment.template_class = _Forgetful
        environment.filters["int"], environment.filters["float"] = to_int, to_float
        environment.filters.update(local_filters(locale))
        environment.filters["person"] = person
        del environment.globals["lipsum"], environment.filters["random"]  # dice

    @property
    def globals(self) -> dict[str, Any]:
        """What templates may use beside the row: range, dict, namespace, cycler, joiner."""
        return dict(self.environment.globals)

    def texts(self) -> list[str]:
        """Return what stands between the tags, of every file that Jinja2 can read."""
        texts: list[str] = []
        for name in self._loader.list_templates():
            texts += self.constants(self._loader.get_source(self.environment, name)[0])
        return texts

    def constants(self, source: str) -> list[str]:
        """Return what stands between the tags of a template; nothing where it is not one."""
        with contextlib.suppress(TemplateSyntaxError):
            return [text for _line, kind, text in self.environment.lex(source) if kind == "data"]
        return []

    def file(self, name: str, label: str, *, lines: bool = True) -> CompiledTemplate:
        """Return the template file ``name``. Raises jinja2.TemplateSyntaxError, TemplateNotFound."""
        return CompiledTemplate(self.environment.get_template(name), label, lines=lines)

    def text(self, source: str, label: str) -> CompiledTemplate:
        """Compile a value of campaign.yaml: a subject, a header field's value, a URL. Raises TemplateSyntaxError."""
        return CompiledTemplate(self.environment.from_string(source), label, lines=False)


class _Files(BaseLoader):
    """The files that were read when the campaign was loaded; no path leads out of them."""

    def __init__(self, files: Mapping[str, str], convert: Callable[[str], str] | None) -> None:
        self._files = {posixpath.normpath(name): source for name, source in files.items()}
        self._convert = convert

    def get_source(
        self,
        environment: Environment,  # noqa: ARG002 - Jinja2's signature
        template: str,
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        source = self._files.get(posixpath.normpath(template))
        if source is None:
            raise TemplateNotFound(template)
        return source if self._convert is None else self._convert(source), None, None

    def list_templates(self) -> list[str]:
        return sorted(self._files)


class _Printing(CodeGenerator):
    """Prints a value with one call, where Jinja2's own code makes three and a Markup of the result."""

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        if frame.eval_ctx.volatile:  # whether to escape is only known when it runs
            super()._output_child_pre(node, frame, finalize)
        else:
            self.write("environment.in_html(" if frame.eval_ctx.autoescape else "environment.in_text(")

    def _output_child_post(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        if frame.eval_ctx.volatile:
            super()._output_child_post(node, frame, finalize)
        else:
            self.write(")")


class Printed(str):
    """What a macro printed, with the pieces that it is made of: most of them are texts that are encoded already."""

    __slots__ = ("pieces",)

    pieces: tuple[str, ...]


def printed(pieces: Iterable[str]) -> Printed:
    """Join the pieces to a text that keeps them."""
    kept = tuple(pieces)
    text = Printed("".join(kept))
    text.pieces = kept
    return text


class _Closed(ImmutableSandboxedEnvironment):
    """The sandbox, which leaves ``'-' * 10**9`` alone, with a limit on what an operator may make."""

    code_generator_class = _Printing
    intercepted_binops = frozenset({"*", "**"})

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._last: str = printed(())
        self._safe: dict[tuple[type, str], bool] = {}

    def concat(self, pieces: Iterable[str]) -> str:
        """Return what a macro returns; its caller makes a Markup of it, and mostly prints it at once."""
        self._last = printed(pieces)
        return str(self._last)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Ask the sandbox, once for each type and name: it looks at nothing else."""
        asked = type(obj), attr
        safe = self._safe.get(asked)
        if safe is None:
            if len(self._safe) >= _MANY_ASKED:
                self._safe.clear()
            safe = self._safe[asked] = super().is_safe_attribute(obj, attr, value)
        return safe

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call as the sandbox does, but go straight on to a method of a text, a list or a dict: it wants no context."""
        if type(obj) is not BuiltinMethodType or obj.__name__.startswith("format"):
            return super().call(context, obj, *args, **kwargs)
        kwargs.pop("_loop_vars", None)
        kwargs.pop("_block_vars", None)
        return obj(*args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "*":
            for many, times in ((left, right), (right, left)):
                if isinstance(many, (str, list, tuple)) and isinstance(times, int) and len(many) * times > OUTPUT_CAP:
                    raise SecurityError(f"the product is longer than {OUTPUT_CAP:,}")
        elif isinstance(left, int) and isinstance(right, int) and left.bit_length() * right > 4096:
            raise SecurityError("the power is too large")
        return super().call_binop(context, operator, left, right)

    def in_html(self, value: Any) -> str:
        """Return what ``{{ value }}`` prints where texts are escaped."""
        if type(value) is str and _SPECIAL(value) is None:
            return value
        if type(value) is Markup and value == self._last:
            return self._last
        return str(escape(_printable(value)))

    @staticmethod
    def in_text(value: Any) -> str:
        """Return what ``{{ value }}`` prints where texts are not escaped."""
        return value if type(value) is str else str(_printable(value))


class _Forgetful(Template):
    """Imported templates start anew for every recipient; Jinja2 would keep what they set in a namespace."""

    def _get_default_module(self, ctx: Context | None = None) -> TemplateModule:
        if ctx is not None:
            keys = ctx.globals_keys - self.globals.keys()
            if keys:
                return self.make_module({key: ctx.parent[key] for key in keys})
        return self.make_module()


def _printable(value: Any) -> Any:
    """Return what ``{{ }}`` may print."""
    if isinstance(value, _PRINTABLE) or hasattr(value, "__html__"):
        return value
    if value is None:
        raise TemplateRuntimeError('the value is None; give another with default("...", true)')
    if callable(value):
        raise TemplateRuntimeError(f"this is a function; call it with parentheses: {getattr(value, '__name__', '')}()")
    raise TemplateRuntimeError(f"a {type(value).__name__} cannot be printed; join it or take one of its values")
