"""The input files as the report names them."""

from __future__ import annotations

from collections.abc import Sequence

Files = Sequence[tuple[str, Sequence[str]]]
"""The input files in order: their names as a person knows them, and their columns; the address column is ``email``."""


def file_prefixes(files: Files) -> list[str]:
    """Return what stands before the row number in the ``row`` column, for each file: nothing when there is only one."""
    return [f"{name}:" for name, _ in files] if len(files) > 1 else [""]
