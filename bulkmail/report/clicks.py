"""How often the links of a campaign were followed, for the report: by link, never by person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bulkmail.mail import ClickCount

MOST_LINKS = 100


def clicks_of(counts: Iterable[ClickCount]) -> list[dict[str, Any]]:
    """Return the links as plain data, those that most people followed first; [] where clicks are not counted."""
    links = [
        {"link": one.label or one.link, "variant": one.variant, "people": one.people, "scanners": one.scanners}
        for one in counts
    ]
    return sorted(links, key=lambda link: (-link["people"], link["link"], link["variant"]))


def clicks_in_figures(links: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the figures of summary.json: the sums, and the first links; None where clicks are not counted."""
    if not links:
        return None
    sums = {who: sum(link[who] for link in links) for who in ("people", "scanners")}
    return {**sums, "links": [dict(link) for link in links[:MOST_LINKS]]}


def clicks_in_words(people: int, scanners: int) -> str:
    """Return the sums as ``1,204 clicks (and 310 by programs that look at links)``."""
    words = f"{people:,} {'click' if people == 1 else 'clicks'}"
    return words + (f" (and {scanners:,} by programs that look at links)" if scanners else "")


def clicks_to_show(links: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return what the page shows; None where clicks are not counted."""
    figures = clicks_in_figures(links)
    if figures is None:
        return None
    most = max(1, *(link["people"] for link in links))
    shown = [
        {
            "link": link["link"] + (f" ({link['variant']})" if link["variant"] else ""),
            "people": f"{link['people']:,}",
            "scanners": f"{link['scanners']:,}",
            "bar": round(100 * link["people"] / most, 1),
        }
        for link in figures["links"]
    ]
    return {"sentence": clicks_in_words(figures["people"], figures["scanners"]), "links": shown}
