"""What answers the operation that shows what is said to a receiver."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any

from bulkmail.control.explaining import domain_of
from bulkmail.control.http import Call
from bulkmail.control.overview import stamp
from bulkmail.control.problems import RequestProblem
from bulkmail.delivery import LiveSite, Traces
from bulkmail.mail import AddressError
from bulkmail.routing import RouteFailure, Site


def trace_answers(
    traces: Traces | None,
    providers: Callable[[], Collection[str]],
    named: Callable[[str], Iterable[LiveSite]],
    route: Callable[[str], Awaitable[Site | RouteFailure]],
) -> Mapping[str, Callable[[Call], Awaitable[Any]]]:
    """Return what answers it, by name.

    ``providers()``: the names there are now; ``named(name)``: the sites called so that are sent to; ``route(domain)``:
    gives its site, or why there is none.
    """

    async def trace(call: Call) -> Any:
        if traces is None:
            raise RequestProblem(503, "nothing is being sent by this process")
        key, provider, name = await found(call.query["of"])
        seen = traces.look(key, provider, int(call.query.get("after", 0)))
        lines = [{**line._asdict(), "at": stamp(line.at)} for line in seen.lines]
        return {"site": name, "lines": lines, "dropped": seen.dropped, "newest": seen.newest}

    async def found(of: str) -> tuple[str, str, str]:
        """Return the key of a site or the name of a provider, and what to call it."""
        asked = of.strip().lower()
        provider = asked.removeprefix("provider ")
        if provider in providers():
            return "", provider, provider
        for site in named(asked):
            return site.key, "", site.site
        try:
            routed = await route(domain_of(of))
        except AddressError as error:
            raise RequestProblem(404, str(error)) from None
        if isinstance(routed, RouteFailure):
            raise RequestProblem(404, f"there is nowhere to send mail for {of} to: {routed.text}")
        return routed.key, "", routed.name

    return {"trace": trace}
