"""The templates of our own pages: the report's, the public page's and the operator's.

Every value is escaped, whatever the template is called, and a value that is missing is an error instead of nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

__all__ = ["Environment", "page_environment", "page_template"]


def page_environment(folder: str, *, finalize: Callable[[Any], Any] | None = None) -> Environment:
    """Return a new environment with the templates of a folder. ``finalize``: called with each value that is printed."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,  # by name would miss ours: they end in .j2
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


@cache
def page_template(folder: str, name: str) -> Template:
    """Return a template of a folder."""
    return page_environment(folder).get_template(name)
