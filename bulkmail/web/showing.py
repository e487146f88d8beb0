"""What each page shows: asked of the API, in words for its template. The same for all who look, but for their role."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from bulkmail.control import Ask
from bulkmail.mail import Status, check_name
from bulkmail.report import category_words, status_words
from bulkmail.routing import first_host
from bulkmail.web.comparing import record, side, side_by_side
from bulkmail.web.users import Role
from bulkmail.web.views import (
    SHOWN,
    campaign_line,
    categories_of,
    counts_of,
    domains_of,
    holds_of,
    matrix,
    of_provider,
    plotted,
    possible,
    replies_of,
    resume_of,
    slowed,
    status_row,
    tone,
    tone_of,
    variants_of,
    waiting_of,
    when,
)

OF_SITES = ("pace", "forget")
"""What is asked for of a provider or site."""
NEEDED = {
    "pause": Role.STEER,
    "resume": Role.STEER,
    "cancel": Role.STEER,
    "try-now": Role.STEER,
    "approve": Role.APPROVE,
    **dict.fromkeys(OF_SITES, Role.STEER),
}
"""The operations that forms may ask for, each with the role that it needs."""
RENEWED = ("htmx.js", "sse.js", "idiomorph.js", "page.js")
PLOTS = ("uplot.js", "plots.js")
_ENDED = 50  # campaigns that have ended, on a page
_DIGITS = 6  # of the number of what is left out before a page
_DIGITS_OF_ROW = 13  # of the number of a row, which has 40 bits
_MOST_SITES = 200
_MOST_HOSTS = 50
_MOST_UNFETCHED = 50
_UNFETCHED = {"most": str(_MOST_UNFETCHED + 1)}
_MOST_OF_PROVIDER = 5  # campaigns whose replies stand on the page of a provider
_MOST_TRIED = 20  # campaigns whose deferred recipients can be tried on the page of a site
_MOST_RECORDS = 100
_MOST_SIDES = 6


class NoPageError(Exception):
    """There is no such page."""


class Sheet(NamedTuple):
    """A page: its template, and what that is given. ``live``: a part is renewed; ``scripts``: what else it needs."""

    template: str
    values: Mapping[str, Any]
    live: bool = False
    scripts: tuple[str, ...] = ()


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
        self._pages: Mapping[tuple[str, str, int], Callable[[Wanted], Awaitable[Sheet]]] = {
            ("", "", 0): self._campaigns,
            ("campaigns", "", 2): self._campaign,
            ("campaigns", "plots", 3): self._plots,
            ("campaigns", "rows", 4): self._rows,
            ("campaigns", "rows", 5): self._rows,
            ("campaigns", "replies", 5): self._replied,
            ("recipients", "", 1): self._recipients,
            ("holds", "", 1): self._holds,
            ("providers", "", 1): self._providers,
            ("providers", "", 2): self._provider,
            ("providers", "forget", 3): self._forgetting,
            ("sites", "", 2): self._site,
            ("sites", "forget", 3): self._forgetting,
            ("records", "", 1): self._records,
            ("compare", "", 1): self._compare,
        }

    async def show(self, wanted: Wanted) -> Sheet:
        """Return a page. Raises NoPageError, and what the API raises."""
        path = wanted.path
        shown = self._pages.get((path[0] if path else "", path[2] if len(path) > 2 else "", len(path)))
        if shown is None:
            raise NoPageError
        sheet = await shown(wanted)
        return sheet._replace(values={"can": allowed(wanted.role), **sheet.values})

    async def campaign(self, name: str) -> tuple[Mapping[str, Any], dict[str, Any]]:
        """Return a campaign as the API tells it, and as a list does."""
        found = await self._ask("campaign", {"name": name})
        return found, campaign_line(found)

    async def _campaigns(self, wanted: Wanted) -> Sheet:
        asked = wanted.query.get("from", "")
        first = int(asked) if asked.isdecimal() and len(asked) <= _DIGITS else 0
        found = await self._ask("campaigns", query={"ended": str(_ENDED + 1), "skip": str(first)})
        health = await self._ask("health")
        lines = [campaign_line(one) for one in reversed(found)]
        over = [line for line in lines if line["tone"] == "over"]
        values = {
            "slowed": slowed(await self._ask("providers")),
            "going": [line for line in lines if line["tone"] != "over"],
            "over": over[:_ENDED],
            "first": first,
            "newer": max(0, first - _ENDED) if first else None,
            "older": first + _ENDED if len(over) > _ENDED else None,
            "fault": health["fault"],
            "fault_since": when(health["fault_since"]),
        }
        return Sheet("campaigns", values, live=True)

    async def _campaign(self, wanted: Wanted) -> Sheet:
        name = wanted.path[1]
        found, line = await self.campaign(name)
        providers, recent = await self._ask("providers"), await self._ask("recent", {"name": name})
        variants = await self._ask("variants", {"name": name})
        values = {
            "variants": variants_of(variants),
            "winner": variants["winner"],
            "counted_at": variants["written_at"],
            "line": line,
            "actions": [one for one in possible(found) if one in allowed(wanted.role)],
            "resume": resume_of(found["holds"]),
            "told": found,
            "counts": counts_of(found["by_status"]),
            "categories": categories_of(found["by_category"]),
            "shown": [status for status in SHOWN if status == "delivered" or found["by_status"].get(status)],
            "matrix": matrix(found["by_provider"], providers, recent["providers"], found["in_flight"]),
            "recent": recent,
            "holds": holds_of([found]),
            "waiting": found["waiting_sites"],
        }
        return Sheet("campaign", values, live=line["tone"] != "over")

    async def _plots(self, wanted: Wanted) -> Sheet:
        name = wanted.path[1]
        told, line = await self.campaign(name)
        provider = wanted.query.get("provider", "")
        if provider in told["by_provider"]:
            found = await self._ask("over_time_of", {"name": name, "provider": provider})
        else:
            provider, found = "", await self._ask("over_time", {"name": name})
        values = {
            "line": line,
            "provider": provider,
            "providers": sorted(told["by_provider"]),
            "width": found["width"],
            "buckets": [plotted(bucket, found["width"]) for bucket in found["buckets"]],
        }
        return Sheet("plots", values, scripts=PLOTS)

    async def _rows(self, wanted: Wanted) -> Sheet:
        _, name, _, status, *at = wanted.path
        told, line = await self.campaign(name)
        before = wanted.query.get("before", "")
        query = {"before": before} if before.isdecimal() and len(before) <= _DIGITS_OF_ROW else {}
        if at:
            found = await self._ask("rows_of", {"name": name, "status": status, "provider": at[0]}, query=query)
            count = told["by_provider"].get(at[0], {}).get(status, 0)
        else:
            found = await self._ask("rows", {"name": name, "status": status}, query=query)
            count = told["by_status"][status]
        values = {
            "line": line,
            "status": status,
            "words": status_words(status),
            "waiting": not Status(status).final,
            "provider": at[0] if at else "",
            "count": count,
            "rows": [status_row(row) for row in found["rows"]],
            "before": bool(query),
            "more": found["next"],
        }
        return Sheet("rows", values)

    async def _replied(self, wanted: Wanted) -> Sheet:
        _, name, _, provider, wording = wanted.path
        _, line = await self.campaign(name)
        asked = wanted.query.get("from", "")
        first = int(asked) if asked.isdecimal() and len(asked) <= _DIGITS else 0
        path = {"name": name, "provider": provider, "wording": wording}
        found = await self._ask("replied", path, query={"skip": str(first)})
        why = category_words(found["category"]).title if found["category"] else ""
        return Sheet("replied", {"line": line, "told": found, "why": why, "wording": wording, "first": first})

    async def _recipients(self, wanted: Wanted) -> Sheet:
        email = wanted.query.get("email", "").strip()
        rows = await self._ask("recipients", query={"email": email}) if email else []
        found = [
            {**status_row(row), "tone": tone_of(row["status"]), "means": status_words(row["status"]).sentence}
            for row in reversed(rows)
        ]
        return Sheet("recipients", {"email": email, "rows": found})

    async def _holds(self, _wanted: Wanted) -> Sheet:
        found = await self._ask("campaigns", query={"ended": "0"})
        return Sheet("holds", {"holds": holds_of(found), "waiting": waiting_of(found)}, live=True)

    async def _providers(self, _wanted: Wanted) -> Sheet:
        known = {one["provider"]: one for one in await self._ask("providers")}
        sites = await self._ask("sites", query={"most": str(_MOST_SITES)})
        busy = sorted({site["provider"] for site in sites if site["provider"]} & set(known))
        shown = [{**known[name], "sites": [one for one in sites if one["provider"] == name]} for name in busy]
        values = {
            "providers": shown,
            "others": [site for site in sites if site["provider"] not in known],
            "quiet": sorted(set(known) - set(busy)),
            **self._of_unfetched(await self._ask("unfetched", query=_UNFETCHED)),
        }
        return Sheet("providers", values, live=True)

    async def _provider(self, wanted: Wanted) -> Sheet:
        name = wanted.path[1]
        known = {one["provider"]: one for one in await self._ask("providers")}
        check_name("provider", name, known)
        told = await self._ask("explain", query={"of": f"provider {name}"})
        sites = await self._ask("sites_of", {"name": name}, query={"most": str(_MOST_SITES + 1)})
        campaigns = await self._ask("campaigns", query={"ended": "0"})
        sent = [one for one in reversed(campaigns) if name in one["by_provider"]][:_MOST_OF_PROVIDER]
        recent = [await self._ask("recent", {"name": one["campaign"]}) for one in sent]
        domains = [await self._ask("domains", {"name": one["campaign"], "provider": name}) for one in sent]
        hosts = await self._ask("hosts_of", {"name": name}, query={"most": str(_MOST_HOSTS + 1)})
        values = {
            "one": known[name],
            "hosts": hosts[:_MOST_HOSTS],
            "more_hosts": len(hosts) > _MOST_HOSTS,
            **self._of_unfetched(await self._ask("unfetched_of", {"name": name}, query=_UNFETCHED)),
            "told": told,
            "sites": sites[:_MOST_SITES],
            "more_sites": len(sites) > _MOST_SITES,
            "campaigns": [of_provider(one, found, name) for one, found in zip(sent, recent, strict=True)],
            "domains": domains_of(domains),
            "replies": replies_of(recent, name),
            "holds": [hold for hold in holds_of(campaigns) if hold["provider"] in ("", name)],
        }
        return Sheet("provider", values, live=True)

    @staticmethod
    def _of_unfetched(found: list[Any]) -> dict[str, Any]:
        """Return the policies that could not be fetched, as a page has them, and whether there are more."""
        return {"unfetched": found[:_MOST_UNFETCHED], "more_unfetched": len(found) > _MOST_UNFETCHED}

    async def _site(self, wanted: Wanted) -> Sheet:
        of = wanted.path[1]
        told = await self._ask("explain", query={"of": of})
        found = await self._ask("campaigns", query={"ended": "0"})
        waiting = [one["campaign"] for one in reversed(found) if "try-now" in possible(one)][:_MOST_TRIED]
        domain = of if of not in (told["site"], told["key"]) and of not in told["hosts"] else ""
        values = {"key": told["key"], "domain": domain, "host": domain or first_host(told["key"])}
        return Sheet("site", {**values, "told": told, "campaigns": waiting})

    async def _forgetting(self, wanted: Wanted) -> Sheet:
        """Show what is lost where a provider's or site's facts are forgotten, before it is done."""
        what, of, _ = wanted.path
        if wanted.role < NEEDED["forget"]:
            raise NoPageError
        told = await self._ask("explain", query={"of": f"provider {of}" if what == "providers" else of})
        return Sheet("forget", {"what": what, "of": of, "told": told})

    async def _records(self, _wanted: Wanted) -> Sheet:
        found = await self._ask("campaigns", query={"ended": str(_MOST_RECORDS)})
        over = [one for one in reversed(found) if tone(one["situation"]["word"]) == "over"]
        bests = {one["campaign"]: one for one in await self._ask("bests", query={"ended": str(_MOST_RECORDS)})}
        return Sheet("records", {"records": [record(one, bests.get(one["campaign"], {})) for one in over]})

    async def _compare(self, wanted: Wanted) -> Sheet:
        names = list(dict.fromkeys(wanted.query.values()))[:_MOST_SIDES]
        sides = []
        for name in names:
            told, recent = await self._ask("campaign", {"name": name}), await self._ask("recent", {"name": name})
            sides.append(side(told, recent, await self._ask("best", {"name": name})))
        return Sheet("compare", {"sides": sides, "table": side_by_side(sides)})
