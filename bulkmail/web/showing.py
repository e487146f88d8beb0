"""What each page shows: asked of the API, in words for its template. The same for all who look, but for their role."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from bulkmail.control import Ask
from bulkmail.web.users import Role
from bulkmail.web.views import campaign_line, holds_of, matrix, possible, tone_of, waiting_of, when

NEEDED = {"pause": Role.STEER, "resume": Role.STEER, "cancel": Role.STEER, "approve": Role.APPROVE}
"""The operations that forms may ask for, each with the role that it needs."""
_ENDED, _MOST_ENDED = 50, 1000  # campaigns that have ended, on the first page and on the last
_DIGITS = 6
_MOST_SITES = 200


class NoPageError(Exception):
    """There is no such page."""


class Sheet(NamedTuple):
    """A page: its template, and what that is given. ``live``: a part of it is renewed."""

    template: str
    values: Mapping[str, Any]
    live: bool = False


class Wanted(NamedTuple):
    """Which page: its path and query, and the role of who looks."""

    path: tuple[str, ...]
    query: Mapping[str, str]
    role: Role


def allowed(role: Role) -> list[str]:
    """Return the operations that a role may ask for."""
    return [name for name, needed in NEEDED.items() if role >= needed]


class Showing:
    """Shows pages. ``ask``: of the API."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._pages: Mapping[str, tuple[int, Callable[[Wanted], Awaitable[Sheet]]]] = {
            "": (0, self._campaigns),
            "campaigns": (2, self._campaign),
            "recipients": (1, self._recipients),
            "holds": (1, self._holds),
            "providers": (1, self._providers),
        }

    async def show(self, wanted: Wanted) -> Sheet:
        """Return a page. Raises NoPageError, and what the API raises."""
        first = wanted.path[0] if wanted.path else ""
        if first not in self._pages or self._pages[first][0] != len(wanted.path):
            raise NoPageError
        sheet = await self._pages[first][1](wanted)
        return sheet._replace(values={"can": allowed(wanted.role), **sheet.values})

    async def campaign(self, name: str) -> tuple[Mapping[str, Any], dict[str, Any]]:
        """Return a campaign as the API tells it, and as a list does."""
        found = await self._ask("campaign", {"name": name})
        return found, campaign_line(found)

    async def _campaigns(self, wanted: Wanted) -> Sheet:
        asked = wanted.query.get("ended", "")
        most = min(int(asked), _MOST_ENDED) if asked.isdecimal() and len(asked) <= _DIGITS else _ENDED
        found = await self._ask("campaigns", query={"ended": str(most)})
        health = await self._ask("health")
        lines = [campaign_line(one) for one in reversed(found)]
        over = [line for line in lines if line["tone"] == "over"]
        values = {
            "going": [line for line in lines if line["tone"] != "over"],
            "over": over,
            "more": min(most * 10, _MOST_ENDED) if len(over) >= most < _MOST_ENDED else 0,
            "fault": health["fault"],
            "fault_since": when(health["fault_since"]),
        }
        return Sheet("campaigns", values, live=True)

    async def _campaign(self, wanted: Wanted) -> Sheet:
        name = wanted.path[1]
        found, line = await self.campaign(name)
        providers, recent = await self._ask("providers"), await self._ask("recent", {"name": name})
        values = {
            "line": line,
            "actions": [one for one in possible(found) if one in allowed(wanted.role)],
            "told": found,
            "counts": {status: count for status, count in found["by_status"].items() if count},
            "categories": sorted(found["by_category"].items(), key=lambda pair: (-pair[1], pair[0])),
            "matrix": matrix(found["by_provider"], providers, recent["providers"]),
            "recent": recent,
            "holds": holds_of([found]),
            "waiting": found["waiting_sites"],
        }
        return Sheet("campaign", values, live=line["tone"] != "over")

    async def _recipients(self, wanted: Wanted) -> Sheet:
        email = wanted.query.get("email", "").strip()
        rows = await self._ask("recipients", query={"email": email}) if email else []
        found = [{**row, "tone": tone_of(row["status"])} for row in reversed(rows)]
        return Sheet("recipients", {"email": email, "rows": found})

    async def _holds(self, _wanted: Wanted) -> Sheet:
        found = await self._ask("campaigns", query={"ended": "0"})
        return Sheet("holds", {"holds": holds_of(found), "waiting": waiting_of(found)}, live=True)

    async def _providers(self, _wanted: Wanted) -> Sheet:
        known = {one["provider"]: one for one in await self._ask("providers")}
        sites = await self._ask("sites", query={"most": str(_MOST_SITES)})
        busy = sorted({site["provider"] for site in sites if site["provider"]} & set(known))
        shown = [{**known[name], "sites": [one for one in sites if one["provider"] == name]} for name in busy]
        others = [site for site in sites if site["provider"] not in known]
        return Sheet("providers", {"providers": shown, "others": others}, live=True)
