from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import dns.name
import pytest

from bulkmail.mail import OwnFault
from bulkmail.routing.answers import Said
from bulkmail.routing.candour import Candour, lies


@pytest.mark.parametrize(
    ("witnesses", "lying"),
    [
        ([True], False),
        ([False, True], False),
        ([None, True], False),
        ([False], True),
        ([None, False], True),
        ([None, None], None),
        ([], None),
    ],
)
def test_what_witnesses_say(witnesses: list[bool | None], lying: bool | None) -> None:
    assert lies(witnesses) is lying


FOUND = Said("data", dns.name.root, False, 60)
DENIED = Said("missing", dns.name.root, False, 60)


class Nameserver:
    """Answers by the book; every question takes a second."""

    def __init__(self, **says: Said | str) -> None:
        self.now, self.asked, self.says = 0.0, [], says
        self.candour = Candour(["first", "second"], self.ask, "192.0.2.53:53", lambda: self.now)

    async def ask(self, name: str, kind: str) -> Said | str:
        self.asked.append((name, kind))
        self.now += 1.0
        said = self.says.get(name, "says SERVFAIL")
        if not isinstance(said, str):
            self.candour.useful(name, kind)
        return said

    def fails(self, since: float) -> None:
        asyncio.run(self.candour.believe_failure(since))


def test_a_failure_stands_where_another_question_had_an_answer_since() -> None:
    server = Nameserver()
    server.now = 10.0
    server.candour.useful("own.test", "MX")
    server.fails(since=9.0)
    assert server.asked == []


def test_a_failure_stands_where_a_name_that_must_exist_is_found() -> None:
    server = Nameserver(second=FOUND)
    server.fails(since=0.0)
    assert server.asked == [("first", "NS"), ("second", "NS")]


def test_a_failure_stands_where_a_name_that_had_an_answer_still_has_one_and_is_not_asked_for_all_the_time() -> None:
    server = Nameserver(own=FOUND)
    server.candour.useful("own", "MX")
    server.now = 100.0
    server.fails(since=99.0)
    server.fails(since=150.0)
    assert server.asked == [("first", "NS"), ("second", "NS"), ("own", "MX")]
    server.now = 170.0
    server.fails(since=170.0)
    assert len(server.asked) == 6


@pytest.mark.parametrize("known", [[], ["own"]])
def test_where_nothing_has_an_answer_the_fault_is_our_own(known: list[str]) -> None:
    server = Nameserver()
    for name in known:
        server.candour.useful(name, "MX")
    with pytest.raises(OwnFault, match=r"answers no question, not even for first, second: says SERVFAIL"):
        server.fails(since=1.0)
    assert not server.candour.denies


def test_where_what_must_exist_is_denied_nothing_is_believed_until_it_is_found() -> None:
    server = Nameserver(first=DENIED)
    judged: list[Coroutine[Any, Any, None]] = [server.candour.believe_denial(), server.candour.vouch()]
    for one in judged:
        with pytest.raises(OwnFault, match="denies that there is first, second"):
            asyncio.run(one)
    assert server.candour.denies
    server.says["second"] = FOUND
    asyncio.run(server.candour.vouch())
    assert not server.candour.denies


def test_without_names_that_must_exist_nothing_is_asked() -> None:
    server = Nameserver()
    candour = Candour([], server.ask, "", lambda: 0.0)
    asyncio.run(candour.believe_denial())
    asyncio.run(candour.believe_failure(0.0))
    asyncio.run(candour.vouch())
    assert server.asked == []
