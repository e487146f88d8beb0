"""What answers the operations that steer sites and providers, and what their hosts are like."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from bulkmail.control.http import Call
from bulkmail.control.orders import ForgetOrder, PaceOrder, SiteOrder
from bulkmail.control.overview import stamp
from bulkmail.control.problems import RequestProblem
from bulkmail.delivery import MetHost, SiteSteering
from bulkmail.mail import check_name, parse_rate, read_duration
from bulkmail.routing import Unfetched

_MOST_HOSTS = 100


def site_answers(
    steering: SiteSteering | None,
    providers: Callable[[], Collection[str]],
    hosts: Callable[[str, int], list[MetHost]],
    unfetched: Callable[[str], list[Unfetched]],
) -> Mapping[str, Callable[[Call], Awaitable[Any]]]:
    """Return what answers them, by name. ``providers()``: the names there are now; ``hosts``: as `Live.hosts`.

    ``unfetched``: as `Owners.unfetched`.
    """

    async def pace(call: Call) -> Any:
        order = call.order
        assert isinstance(order, PaceOrder)
        rate, lasts = parse_rate(order.rate), read_duration(order.for_)
        _there(steering).pace(order.of, rate, lasts, providers(), order.who)
        return _told(order, "paced", 1)

    async def forget(call: Call) -> Any:
        order = call.order
        assert isinstance(order, ForgetOrder)
        count = _there(steering).forget(order.of, providers(), order.who, order.reason)
        return _told(order, "forgotten", count)

    async def hosts_of(call: Call) -> Any:
        name = call.path["name"]
        check_name("provider", name, providers())
        return [_host(one) for one in hosts(name, int(call.query.get("most", _MOST_HOSTS)))]

    async def policies(call: Call) -> Any:
        found, provider = unfetched(""), call.path.get("name")
        if provider is not None:
            check_name("provider", provider, providers())
            found = [one for one in found if one.provider == provider]
        found = found[: int(call.query.get("most", _MOST_HOSTS))]
        return [{**one._asdict(), "at": stamp(one.at), "words": one.words} for one in found]

    answers = {"pace": pace, "forget": forget, "hosts_of": hosts_of}
    return {**answers, "unfetched": policies, "unfetched_of": policies}


def _host(met: MetHost) -> dict[str, Any]:
    """Return it as `site_models.HostAnswer` has it."""
    told = met._asdict()
    told["tls_policy"] = told.pop("policy")
    state = "works" if met.failed_at is None else "failed"
    times = {name: stamp(told[name]) for name in ("ready_at", "failed_at", "until")}
    return {**told, **times, "state": state, "tls": met.tls or ("" if met.ready_at is None else "none")}


def _there(steering: SiteSteering | None) -> SiteSteering:
    if steering is None:
        raise RequestProblem(503, "nothing is being sent by this process")
    return steering


def _told(order: SiteOrder, done: str, count: int) -> dict[str, Any]:
    return {"of": order.of, "done": done, "count": count}
