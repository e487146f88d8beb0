"""The names by which the receivers of a site are known: their provider's, and those of the routes that set limits.

A site's provider may be the group of routes: ``partner at google``, or ``a+b`` without a provider (`routing.routes`).
What is said of the route, or of the provider, is said of the group too.
"""

from __future__ import annotations

_AT = " at "


def provider_behind(provider: str) -> str:
    """Return the provider of a group that has one (``google`` of ``partner at google``), else the name itself."""
    return provider.rpartition(_AT)[2]


def names_of(provider: str) -> tuple[str, ...]:
    """Return all names that mean these receivers; () where they have none."""
    if not provider:
        return ()
    routes, at, behind = provider.rpartition(_AT)
    group = routes if at else behind
    return tuple(dict.fromkeys((provider, group, *group.split("+"), behind)))
