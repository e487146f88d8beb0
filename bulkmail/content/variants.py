"""The letters of a content with variants: each row gets the one that belongs to its address.

What stands under ``variants``: ``shares`` as `mail.Variants` takes them; ``letters``, by name, what differs from the
content itself; ``winner``, the variant that those in none get, "" where they get the content's own letter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bulkmail.mail import REST, Variants, address_in


def by_variant(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the content of each variant's letter, by name, each without variants; its own under `REST`.

    ``variant``: its name, where it is one; ``compared``: whether it is one of several.
    """
    found = content.get("variants")
    own = {**content, "variants": None, "compared": True}
    if not found:
        return {REST: content}
    return {**{name: {**own, **letter, "variant": name} for name, letter in found["letters"].items()}, REST: own}


def variant_chooser(variants: Mapping[str, Any]) -> Callable[[str], str]:
    """Return what gives the name of the letter, as in `by_variant`, for an address. It raises AddressError."""
    chosen = Variants(variants["shares"])
    instead = dict.fromkeys(chosen.held_out, REST)
    if variants.get("winner"):
        instead[REST] = variants["winner"]

    def choose(email: str) -> str:
        name = chosen.of_key(address_in(email).key)
        return instead.get(name, name)

    return choose


def in_each_variant(content: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return each letter that may be sent, as (name, content); the one of a content without variants is called ""."""
    found = content.get("variants")
    if not found:
        return [("", content)]
    letters = by_variant(content)
    if not Variants(found["shares"]).has_rest or found.get("winner"):
        del letters[REST]
    return [*letters.items()]
