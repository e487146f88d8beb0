from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from twisted.internet.task import Clock

from bulkmail.control.http import Call
from bulkmail.control.operations import OPERATIONS
from bulkmail.control.problems import RequestProblem
from bulkmail.control.trace_answers import trace_answers
from bulkmail.delivery import Clocks, Traces
from bulkmail.routing import MxHost, RouteFailure, Site
from bulkmail.smtp import What

TRACE = next(operation for operation in OPERATIONS if operation.name == "trace")
SITE = Site("mx.a.example~1", (MxHost(10, "mx.a.example", ()),), "", "mx.a.example")


class Connection:
    peer = SimpleNamespace(host="mx.a.example", ip="192.0.2.1")

    def tell(self, told):
        self.told = told


@pytest.fixture
def ask():
    clock = Clock()
    traces = Traces(Clocks(clock, clock.seconds))
    connection = Connection()
    traces.opened(connection, SITE)
    live = SimpleNamespace(site="mx.a.example", key=SITE.key)

    def named(name):
        return [live] if name in ("mx.a.example", SITE.key) else []

    async def route(domain):
        return SITE if domain == "a.example" else RouteFailure(True, "bad-domain", f"{domain} does not exist")

    def of(what, **more):
        answers = trace_answers(of.traces, lambda: ["google"], named, route)
        answer = asyncio.run(answers["trace"](Call(TRACE, {}, {"of": what, **more}, None)))
        return TRACE.answer.model_validate(answer).model_dump()

    of.traces, of.connection = traces, connection
    return of


def test_a_site_is_found_by_its_domain_its_host_or_its_key(ask):
    assert ask("Ann@a.example") == {"site": "mx.a.example", "lines": [], "dropped": 0, "newest": 0}
    ask.connection.told(What.COMMAND, "EHLO me.example")
    (line,) = ask("mx.a.example")["lines"]
    assert line == {
        "number": 1, "at": "1970-01-01T00:00:00.000Z", "connection": 1, "host": "mx.a.example", "ip": "192.0.2.1",
        "what": "command", "text": "EHLO me.example",
    }  # fmt: skip
    assert ask(SITE.key, after="1")["lines"] == []
    assert ask("provider google")["site"] == "google"


def test_what_cannot_be_traced_is_told(ask):
    with pytest.raises(RequestProblem, match=r"nowhere to send mail for nowhere\.example to") as told:
        ask("nowhere.example")
    assert told.value.status == 404
    with pytest.raises(RequestProblem, match="neither a domain nor an address"):
        ask("nowhere")
    ask.traces = None
    with pytest.raises(RequestProblem, match="nothing is being sent"):
        ask("a.example")
