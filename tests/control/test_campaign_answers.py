from __future__ import annotations

import asyncio

import pytest
from pydantic import TypeAdapter
from twisted.internet.defer import Deferred, ensureDeferred

from bulkmail.control.campaign_answers import campaign_answers
from bulkmail.control.http import Call
from bulkmail.control.operations import OPERATIONS
from bulkmail.mail import UnknownName

BY_NAME = {operation.name: operation for operation in OPERATIONS}


@pytest.fixture
def ask(waiting):
    """Asks of a spool with one campaign whose rows wait; each answer is as its model says."""

    async def read(work):
        return work(waiting)

    answers = campaign_answers(read, lambda: 2000.0)

    def ask(name, query=None, *, campaign="spring", **path):
        operation = BY_NAME[name]
        answer = asyncio.run(answers[name](Call(operation, {"name": campaign, **path}, query or {}, None)))
        return TypeAdapter(operation.answer).validate_python(answer) and answer

    return ask


def test_what_is_told_of_one_campaign(ask):
    assert ask("recent")["attempts"] == 0
    assert ask("over_time")["provider"] == ""
    assert ask("over_time_of", provider="google")["provider"] == "google"
    assert [one["row"] for one in ask("rows", status="pending")["rows"]] == [str(n) for n in range(250, 150, -1)]
    assert [one["row"] for one in ask("rows", {"before": "3"}, status="pending")["rows"]] == ["2", "1"]
    assert ask("rows_of", status="pending", provider="google")["rows"] == []
    assert len(ask("rows_of", status="pending", provider="other")["rows"]) == 100
    assert ask("domains", provider="other")["domains"] == []
    assert ask("variants")["variants"] == []
    none = ask("replied", {"skip": "3", "most": "5"}, provider="google", wording="0" * 16)
    assert (none["reply"], none["rows"], none["next"]) == ("", [], None)


def test_whoever_asks_for_plots_waits_for_those_who_asked_before_and_holds_up_nobody_else(waiting):
    asked = []

    async def read(work):
        asked.append(Deferred())
        await asked[-1]
        return work(waiting)

    answers = campaign_answers(read, lambda: 2000.0)

    def ask(name, campaign="spring"):
        return ensureDeferred(answers[name](Call(BY_NAME[name], {"name": campaign}, {}, None)))

    first, second, third = ask("over_time"), ask("over_time", "sprin"), ask("over_time")
    recent = ask("recent")
    assert len(asked) == 2, "the first, and what is no plot"
    asked[1].callback(None)
    assert recent.called
    asked[0].callback(None)
    assert (first.called, second.called, len(asked)) == (True, False, 3)
    asked[2].callback(None)
    second.addErrback(lambda failure: failure.trap(UnknownName))
    asked[3].callback(None)
    assert third.result == first.result


@pytest.mark.parametrize(
    "name", ["recent", "over_time", "over_time_of", "rows", "rows_of", "variants", "replied", "domains"]
)
def test_the_nearest_campaign_is_told(ask, name):
    with pytest.raises(UnknownName, match="the nearest is 'spring'"):
        ask(name, campaign="sprin", status="pending", provider="google", wording="0")
