"""The variants of a campaign in its report: which one a row has, and how they compare.

What is told of them, ``Facts.variants``: ``shares`` as `mail.Variants` takes them; ``winner``, the variant that those
in none get, or "", with ``why``; ``subjects``, by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bulkmail.mail import REST, Category, RecipientRow, Status, Variants

_NONE = frozenset({Status.INVALID, Status.DUPLICATE, Status.SUPPRESSED})


def variant_of(told: Mapping[str, Any]) -> Callable[[RecipientRow], str] | None:
    """Return what gives the variant of a row, None where the campaign has none.

    A row that was not to be mailed has none, "", except in a group that is held out.
    """
    if not told:
        return None
    variants = Variants(told["shares"])
    winner = told.get("winner") or REST

    def of(row: RecipientRow) -> str:
        if row.status in _NONE and row.category != Category.HOLD_OUT:
            return ""
        name = variants.of(row.email)
        return winner if name == REST else name

    return of
