from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import dns.name
import pytest

from bulkmail.mail import OwnFault
from bulkmail.routing.answers import Said
from bulkmail.routing.resolver_check import ResolverCheck, falsifies


@pytest.mark.parametrize(
    ("findings", "false"),
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
def test_one_name_found_clears_a_resolver_and_one_denied_convicts_it(
    findings: list[bool | None], false: bool | None
) -> None:
    assert falsifies(findings) is false


FOUND = Said("data", dns.name.root, False, 60)
DENIED = Said("missing", dns.name.root, False, 60)


class Nameserver:
    """Answers by the book; every question takes a second."""

    def __init__(self, **says: Said | str) -> None:
        self.now, self.asked, self.says = 0.0, [], says
        self.resolver_check = ResolverCheck(["first", "second"], self.ask, "192.0.2.53:53", lambda: self.now)

    async def ask(self, name: str, kind: str) -> Said | str:
        self.asked.append((name, kind))
        self.now += 1.0
        said = self.says.get(name, "says SERVFAIL")
        if not isinstance(said, str):
            self.resolver_check.record_answer(name, kind)
        return said

    def fails(self, since: float) -> None:
        asyncio.run(self.resolver_check.verify_failure(since))


def test_a_failure_stands_where_another_question_had_an_answer_since() -> None:
    server = Nameserver()
    server.now = 10.0
    server.resolver_check.record_answer("own.test", "MX")
    server.fails(since=9.0)
    assert server.asked == []


def test_a_failure_stands_where_a_name_that_must_exist_is_found() -> None:
    server = Nameserver(second=FOUND)
    server.fails(since=0.0)
    assert server.asked == [("first", "NS"), ("second", "NS")]


def test_a_failure_stands_where_a_name_that_had_an_answer_still_has_one_and_is_not_asked_for_all_the_time() -> None:
    server = Nameserver(own=FOUND)
    server.resolver_check.record_answer("own", "MX")
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
        server.resolver_check.record_answer(name, "MX")
    with pytest.raises(OwnFault, match=r"answers no question, not even for first, second: says SERVFAIL"):
        server.fails(since=1.0)
    assert not server.resolver_check.denies


def test_where_what_must_exist_is_denied_nothing_is_believed_until_it_is_found() -> None:
    server = Nameserver(first=DENIED)
    judged: list[Coroutine[Any, Any, None]] = [
        server.resolver_check.verify_negative(),
        server.resolver_check.verify_resolver(),
    ]
    for one in judged:
        with pytest.raises(OwnFault, match="denies that there is first, second"):
            asyncio.run(one)
    assert server.resolver_check.denies
    server.says["second"] = FOUND
    asyncio.run(server.resolver_check.verify_resolver())
    assert not server.resolver_check.denies


def test_without_names_that_must_exist_nothing_is_asked() -> None:
    server = Nameserver()
    resolver_check = ResolverCheck([], server.ask, "", lambda: 0.0)
    asyncio.run(resolver_check.verify_negative())
    asyncio.run(resolver_check.verify_failure(0.0))
    asyncio.run(resolver_check.verify_resolver())
    assert server.asked == []
