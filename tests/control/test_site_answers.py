from __future__ import annotations

import asyncio

import pytest
from pydantic import TypeAdapter

from bulkmail.control.http import Call
from bulkmail.control.operations import OPERATIONS
from bulkmail.control.problems import RequestProblem
from bulkmail.control.site_answers import site_answers
from bulkmail.mail import UnknownName, parse_rate
from bulkmail.routing import Unfetched

BY_NAME = {operation.name: operation for operation in OPERATIONS}


class Steered:
    def __init__(self):
        self.asked = []

    def pace(self, *given):
        self.asked.append(("pace", *given))

    def forget(self, *given):
        self.asked.append(("forget", *given))
        return 2


def ask(steering, name, **order):
    operation = BY_NAME[name]
    answers = site_answers(steering, lambda: ["google"], lambda _provider, _most: [], lambda _domain: [])
    call = Call(operation, {}, {}, operation.order.model_validate(order))
    return operation.answer.model_validate(asyncio.run(answers[name](call))).model_dump()


def test_the_one_that_steers_sites_is_asked():
    steered = Steered()
    assert ask(steered, "pace", of="mx.a.example", rate="5/s", **{"for": "2 hours"})["done"] == "paced"
    assert ask(steered, "forget", of="google", who="ann", reason="why") == {
        "of": "google",
        "done": "forgotten",
        "count": 2,
    }
    assert steered.asked == [
        ("pace", "mx.a.example", parse_rate("5/s"), 7200.0, ["google"], ""),
        ("forget", "google", ["google"], "ann", "why"),
    ]


def test_where_nothing_is_sent_nothing_is_steered():
    with pytest.raises(RequestProblem, match="nothing is being sent"):
        ask(None, "forget", of="google")


def test_policies_that_could_not_be_had_are_told():
    lacking = Unfetched("a.example", "google", "HTTP status 404", 1796133900.0, in_force=False)
    answers = site_answers(None, list, lambda _provider, _most: [], lambda _domain: [lacking] * 200)
    operation = BY_NAME["unfetched"]
    for most, count in ((None, 100), ("2", 2)):
        call = Call(operation, {}, {} if most is None else {"most": most}, None)
        found = TypeAdapter(operation.answer).validate_python(asyncio.run(answers["unfetched"](call)))
        assert len(found) == count
    words = "the policy of a.example (MTA-STS) could not be fetched (HTTP status 404): mail goes as without one"
    assert (found[0].provider, found[0].words) == ("google", words)


def test_the_policies_of_one_provider_are_looked_for_among_all():
    lacking = [Unfetched(f"d{n}.example", "", "HTTP status 404", 1796133900.0, in_force=False) for n in range(999)]
    lacking.append(Unfetched("a.example", "google", "HTTP status 404", 1796133900.0, in_force=False))
    answers = site_answers(None, lambda: ["google"], lambda _provider, _most: [], lambda _domain: lacking)

    def found(name):
        return asyncio.run(answers["unfetched_of"](Call(BY_NAME["unfetched_of"], {"name": name}, {}, None)))

    assert [one["domain"] for one in found("google")] == ["a.example"]
    with pytest.raises(UnknownName, match="'gogle'; the nearest is 'google'"):
        found("gogle")
