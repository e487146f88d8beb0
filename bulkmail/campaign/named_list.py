"""A list that campaign.yaml names with what is to be read of it: a workbook's sheet, the column of the addresses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from bulkmail.yamlfile import ErrorAt, one_line

_KEYS = ("file", "sheet", "email")

NAMED_LIST = {
    "type": "object",
    "properties": {key: {"type": "string"} for key in _KEYS},
    "required": ["file"],
    "additionalProperties": False,
}
"""As JSON Schema has it."""


class NamedList(str):
    """The name of a list's file, with the sheet and the column of the addresses, each ``""`` where it is not named."""

    __slots__ = ("email", "sheet")

    sheet: str
    email: str


def named_list(given: Mapping[Any, Any], read: Callable[[Any], str]) -> NamedList:
    """Check a mapping; ``read`` checks the name of the file. Raises ValueError."""
    for key in given:
        if key not in _KEYS:
            near = get_close_matches(str(key)[:60], _KEYS, 1)
            known = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(_KEYS)}"
            raise ErrorAt((key,), f"`{str(key)[:60]}` is not a known key; {known}")
    if "file" not in given:
        raise ValueError("`file` is missing: name the list, as {file: people.xlsx}")
    for key in given:
        if not isinstance(given[key], str) or not given[key].strip():
            raise ErrorAt((key,), "must be text")
    found = NamedList(read(given["file"]))
    found.sheet = one_line(given.get("sheet", ""))
    found.email = one_line(given.get("email", ""))
    return found
