from __future__ import annotations

import asyncio

import pytest

from bulkmail.control.problems import RequestProblem
from bulkmail.control.within import ask_within


async def answering(call):
    order = None if call.order is None else call.order.model_dump(by_alias=True)
    return {"asked": call.operation.name, "path": call.path, "query": call.query, "order": order}


def asked(*given, **named):
    return asyncio.run(ask_within(answering)(*given, **named))


def test_an_operation_is_asked_by_its_name():
    assert asked("sites") == {"asked": "sites", "path": {}, "query": {}, "order": None}
    found = asked("pause", {"name": "spring"}, order={"for": "2h", "who": "ann"})
    assert found["order"] == {"provider": "", "for": "2h", "reason": "", "who": "ann"}
    assert asked("recipients", query={"email": "a@b.example"})["query"] == {"email": "a@b.example"}


def test_an_order_that_is_none_is_told_with_its_place():
    with pytest.raises(RequestProblem, match=r"^for: ") as caught:
        asked("pause", {"name": "spring"}, order={"for": "tomorrow"})
    assert caught.value.status == 422
