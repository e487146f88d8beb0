"""The keys of campaign.yaml that say which rows of the lists are mailed, and from where."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from bulkmail.campaign.consent import ConsentRule, squeezed
from bulkmail.yamlfile import ErrorAt, Line, one_line

_RULES = ("auto", "none")
_COLUMN = ("column", "yes")
_EXAMPLE = "{column: opted_in, yes: [yes]}"
_PERCENT = re.compile(r"(\d+(?:\.\d+)?) ?%", re.ASCII)
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
    """Return a value as a list's cells have it: YAML takes ``true`` and ``1`` for other things than text."""
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


def _where(expression: str) -> str:
    from bulkmail.content import condition_problem  # noqa: PLC0415 - most campaigns have none, and need no Jinja2

    if problem := condition_problem(expression):
        raise ValueError(problem)
    return expression


def share_of(value: Any) -> float:
    """Return a share, from ``10%`` or ``0.1``; raises ValueError with a sentence."""
    found = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    if found is not None:
        share = float(found[1]) / 100
    elif isinstance(value, int | float) and not isinstance(value, bool):
        share = float(value)
    else:
        raise ValueError("must be a share, such as 10%")
    if not 0 < share <= 1:
        raise ValueError("must be more than 0% and at most 100%")
    return share


def _column_name(text: str) -> str:
    if not text.removeprefix("-").strip():
        raise ValueError("must be the name of a column, with a - before it for the highest first")
    return text.strip()


WhereKey = Annotated[
    Annotated[Line, AfterValidator(_where)] | None,
    Field(
        description="a condition over the columns: only rows of which it is true belong to the campaign",
        examples=["plan == 'plus' and country in ['DE', 'AT']"],
    ),
]
SampleKey = Annotated[
    float,
    PlainValidator(share_of),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": _PERCENT.pattern}, {"type": "number"}]}),
    Field(description="the share of the rows that belong to the campaign, by the address", examples=["10%"]),
]
LimitKey = Annotated[
    Annotated[int, Field(ge=1)] | None,
    Field(description="how many rows are mailed at most; reading ends there", examples=[1000]),
]
OrderKey = Annotated[
    Annotated[Line, AfterValidator(_column_name)] | None,
    Field(description="the column by which rows are sorted, with a - for the highest first", examples=["-last_open"]),
]

SourcesKey = Annotated[
    Line | None, Field(description="the pool of source addresses it is sent from", examples=["pool-a"])
]
