"""What answers the operations that steer sites and providers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from bulkmail.control.http import Call
from bulkmail.control.orders import PaceOrder, SiteOrder
from bulkmail.control.problems import RequestProblem
from bulkmail.delivery import SiteSteering
from bulkmail.mail import parse_duration, parse_rate


def site_answers(
    steering: SiteSteering | None, providers: Callable[[], Collection[str]]
) -> Mapping[str, Callable[[Call], Awaitable[Any]]]:
    """Return what answers them, by name. ``providers()``: the names there are now."""

    async def pace(call: Call) -> Any:
        order = call.order
        assert isinstance(order, PaceOrder)
        rate, lasts = parse_rate(order.rate), parse_duration(order.for_)
        _there(steering).pace(order.of, rate, lasts, providers(), order.who)
        return _told(order, "paced", 1)

    async def forget(call: Call) -> Any:
        order = call.order
        assert isinstance(order, SiteOrder)
        return _told(order, "forgotten", _there(steering).forget(order.of, providers(), order.who))

    return {"pace": pace, "forget": forget}


def _there(steering: SiteSteering | None) -> SiteSteering:
    if steering is None:
        raise RequestProblem(503, "nothing is being sent by this process")
    return steering


def _told(order: SiteOrder, done: str, count: int) -> dict[str, Any]:
    return {"of": order.of, "done": done, "count": count}
