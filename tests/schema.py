"""The keys of a model as people write them, for tests that walk over all of them."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel


def sections(annotation: Any) -> Iterator[tuple[str, type[BaseModel]]]:
    """The models inside an annotation, each with what stands between its key and theirs in a dotted name."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield "", annotation
    elif origin is typing.Annotated:
        yield from sections(arguments[0])
    elif origin in (typing.Union, types.UnionType):
        for argument in arguments:
            yield from sections(argument)
    elif origin is tuple:
        yield from ((f"[]{between}", model) for between, model in sections(arguments[0]))
    elif origin is Mapping:
        yield from ((f".<name>{between}", model) for between, model in sections(arguments[1]))


def keys(model: type[BaseModel], start: str = "") -> Iterator[tuple[str, Any]]:
    """Every key of a model as people write it, and its default as people write it."""
    schema = model.model_json_schema()["properties"]
    for name, known in model.model_fields.items():
        key = f"{start}{known.alias or name}"
        inner = [*sections(known.annotation)]
        for between, section in inner:
            yield from keys(section, f"{key}{between}.")
        if not inner or inner[0][0]:
            yield key, schema[known.alias or name].get("default")
