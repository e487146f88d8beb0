from __future__ import annotations

from types import SimpleNamespace

import pytest
from pydantic import TypeAdapter, ValidationError
from twisted.internet.defer import Deferred, succeed

from bulkmail.control.operations import OPERATIONS
from bulkmail.control.problems import RequestProblem
from bulkmail.control.suppressions import suppression_answers
from bulkmail.spool import SqliteStore

NOW = 1796133900.0
BY_NAME = {operation.name: operation for operation in OPERATIONS}


@pytest.fixture
def ask():
    store = SqliteStore()

    def wrapped(method):
        return lambda *given, **named: succeed(method(*given, **named))

    front = SimpleNamespace(**{n: wrapped(getattr(store, n)) for n in ("suppress", "unsuppress", "forget_addresses")})
    answers = suppression_answers(lambda work: succeed(work(store)), front, lambda: NOW, hashed=False)

    def asked(name, query=None, **order):
        operation = BY_NAME[name]
        order = None if operation.order is None else operation.order.model_validate(order)
        done = []
        work = Deferred.fromCoroutine(answers[name](SimpleNamespace(query=query or {}, order=order)))
        work.addBoth(done.append)
        (answer,) = done
        if hasattr(answer, "raiseException"):
            answer.raiseException()
        TypeAdapter(operation.answer).validate_python(answer)
        return answer

    yield asked
    store.close()


def test_added_asked_forgotten_and_removed(ask):
    entries = [
        {"address": "Ann@A.example", "scope": "list:news", "reason": "unsubscribed", "source": "a letter"},
        {"address": "b.example", "since": "2026-12-01T10:00:00+01:00"},
    ]
    assert ask("suppress", entries=entries) == {"changed": 2}
    assert ask("suppress", entries=entries[:1]) == {"changed": 0}
    (found,) = ask("suppressions", {"address": "ann@a.example"})
    assert found == {
        "address": "ann@a.example",
        "scope": "list:news",
        "reason": "unsubscribed",
        "source": "a letter",
        "since": "2026-12-01T14:05:00.000Z",
    }
    assert ask("suppressions", {"address": "bob@b.example"})[0]["since"] == "2026-12-01T09:00:00.000Z"
    assert ask("forget_addresses", addresses=["ann@a.example"]) == {"changed": 1}
    assert ask("suppressions", {"address": "ann@a.example"})[0]["address"] is None
    assert ask("unsuppress", addresses=["ann@a.example"], scope="everything") == {"changed": 0}
    assert ask("unsuppress", addresses=["ann@a.example", "@b.example"]) == {"changed": 2}
    assert ask("suppressions", {"address": "ann@a.example"}) == []


@pytest.mark.parametrize(
    ("name", "order", "words"),
    [
        ("suppress", {"entries": [{"address": "ann"}]}, "has no dot"),
        ("suppress", {"entries": [{"address": "a@a.example", "scope": "all"}]}, "is not a scope; write everything"),
        ("unsuppress", {"addresses": ["a@a.example"], "scope": "news"}, "'news' is not a scope"),
        ("forget_addresses", {"addresses": ["a b@c.example"]}, "more than a bare address"),
    ],
)
def test_what_makes_no_sense_is_a_problem(ask, name, order, words):
    with pytest.raises(RequestProblem, match=words) as problem:
        ask(name, **order)
    assert problem.value.status == 422


@pytest.mark.parametrize(
    "entry",
    [{}, {"address": "a@a.example", "reason": "why"}, {"address": "a@a.example", "since": "2026-12-01T10:00:00"}],
)
def test_what_the_model_does_not_take(ask, entry):
    with pytest.raises(ValidationError):
        ask("suppress", entries=[entry])
