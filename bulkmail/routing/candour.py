"""Whether a nameserver's "no such name" may be believed.

A resolver that says so of everything (a filter whose licence ran out, a forwarder that lost its upstream) would bounce
a whole list in seconds. So a denial counts only when a name that must exist is found right after it.
"""

from __future__ import annotations

from collections.abc import Iterable


def lies(witnesses: Iterable[bool | None]) -> bool | None:
    """What names that must exist say of a resolver: each was found, denied, or (None) not answered for.

    One found clears it (the others may be filtered, or gone). None: not one was even answered for; it may know some
    zones only, and what it says of those stands.
    """
    seen = list(witnesses)
    if True in seen:
        return False
    return True if False in seen else None
