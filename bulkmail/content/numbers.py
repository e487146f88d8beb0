"""The filters ``int`` and ``float``: what is no number is told, where Jinja2's own make 0 of it.

With a default they give that, as Jinja2's do.
"""

from __future__ import annotations

import math
from typing import Any

from jinja2 import TemplateRuntimeError
from jinja2.filters import do_float, do_int

_SHOWN = 40  # characters of a value
_NONE = object()


def to_int(value: Any, default: Any = _NONE, base: int = 10) -> Any:
    """Return a whole number, cut off towards zero. Raises TemplateRuntimeError where it is none without a default."""
    found = do_int(value, default, base)
    return _told(value, "int") if found is _NONE else found


def to_float(value: Any, default: Any = _NONE) -> Any:
    """Return a number. Raises TemplateRuntimeError where it is none, or not finite, without a default."""
    found = do_float(value, default)
    if isinstance(found, float) and not math.isfinite(found) and isinstance(value, str):
        found = default
    return _told(value, "float") if found is _NONE else found


def _told(value: Any, name: str) -> Any:
    remedy = f"correct it in the list, or give a default: |{name}(0)"
    if isinstance(value, str) and not value.strip():
        raise TemplateRuntimeError(f"an empty value is no number for |{name}; {remedy}")
    shown = repr(value)
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
    if isinstance(value, str) and "," in value:
        remedy = f"write it with a dot and without separators of thousands (12.50), or give a default: |{name}(0)"
    raise TemplateRuntimeError(f"{shown} is no number for |{name}; {remedy}")
