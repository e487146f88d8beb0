"""The keys of campaign.yaml that say which rows of the lists are mailed."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import Field, PlainValidator, WithJsonSchema

from bulkmail.campaign.consent import ConsentRule, squeezed
from bulkmail.yamlfile import ErrorAt, one_line

_RULES = ("auto", "none")
_COLUMN = ("column", "yes")
_EXAMPLE = "{column: opted_in, yes: [yes]}"
_CELL = {"type": ["string", "boolean", "number"]}
_CONSENT = {
    "anyOf": [
        {"enum": list(_RULES)},
        {
            "type": "object",
            "properties": {
                "column": {"type": "string"},
                "yes": {"anyOf": [_CELL, {"type": "array", "items": _CELL}]},
            },
            "required": list(_COLUMN),
            "additionalProperties": False,
        },
    ]
}


def _consent(value: Any) -> ConsentRule:
    if isinstance(value, str) and value in _RULES:
        return value
    if not isinstance(value, Mapping):
        raise ValueError(f"must be auto, none, or a column as {_EXAMPLE}")  # noqa: TRY004 - pydantic takes ValueError
    for key in value:
        if key not in _COLUMN:
            near = get_close_matches(str(key)[:60], _COLUMN, 1)
            known = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(_COLUMN)}"
            raise ErrorAt((key,), f"`{str(key)[:60]}` is not a known key; {known}")
    for key in _COLUMN:
        if value.get(key) is None:
            raise ValueError(f"`{key}` is missing; write {_EXAMPLE}")
    column = value["column"]
    if not isinstance(column, str) or not column.strip():
        raise ErrorAt(("column",), "must be the name of a column")
    cells = [_as_cell(one) for one in (value["yes"] if isinstance(value["yes"], list) else [value["yes"]])]
    if not cells or not all(map(squeezed, cells)):
        raise ErrorAt(("yes",), "must be the values of rows that may be mailed, such as [yes, true], none empty")
    return {"column": one_line(column.strip()), "yes": cells}


def _as_cell(value: Any) -> str:
    """A value as a list's cells have it: YAML takes ``true`` and ``1`` for other things than text."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else ""


ConsentKey = Annotated[
    ConsentRule,
    PlainValidator(_consent),
    WithJsonSchema(_CONSENT),
    Field(
        description="whether rows whose own columns say that they may not be mailed are left out; or the column for it",
        examples=[{"column": "opted_in", "yes": ["yes", "true"]}],
    ),
]
