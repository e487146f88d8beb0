"""Against a real name server on loopback: a plain "no" is a no, all else is a perhaps."""

from __future__ import annotations

import asyncio

import pytest

from bulkmail.routing import parse_nameserver, txt_hints
from bulkmail.routing.txt_hints import TxtHints
from tests.ports import free_port

pytestmark = pytest.mark.loopback


@pytest.fixture
def zone(server):
    server.zone |= {"with.test": {"TXT": ["hello"]}, "without.test": {"A": ["192.0.2.1"]}}
    server.zone["alias.test"] = {"CNAME": ["nowhere.test."]}
    server.zone["long.test"] = {"TXT": ['"' + "x" * 200 + '"'] * 9}
    return server


def perhaps(server, *names):
    async def all_at_once():
        hints = TxtHints(parse_nameserver(server.address))
        return await asyncio.gather(*map(hints.perhaps, names))

    return asyncio.run(all_at_once())


def test_a_plain_no_is_a_no_and_all_else_is_perhaps(zone):
    names = ["with.test", "without.test", "absent.test", "WITH.Test", "alias.test", "long.test"]
    assert perhaps(zone, *names) == [True, False, False, True, True, True]


@pytest.mark.parametrize("mood", ["servfail", "refused", "silence", "garbage", "wrong-id", "wrong-question", "echo"])
def test_an_answer_that_is_none_is_no_no(zone, monkeypatch, mood):
    monkeypatch.setattr(txt_hints, "_WITHIN", 0.2)
    zone.moods["absent.test"] = mood
    assert perhaps(zone, "absent.test", "without.test") == [True, False]


@pytest.mark.parametrize("name", ["a..test", "", "x" * 64 + ".test", "t\u00e4st.test", ".".join(["abcdefg"] * 40)])
def test_what_the_dns_cannot_hold_is_not_asked_for(zone, name):
    assert perhaps(zone, name) == [False]
    assert zone.asked == []


def test_very_many_at_once(zone):
    zone.zone |= {f"d{n}.test": {"TXT": ["x"]} for n in range(0, 300, 7)}
    assert perhaps(zone, *(f"d{n}.test" for n in range(300))) == [n % 7 == 0 for n in range(300)]


def test_nobody_listens_there_or_there_is_no_name_server():
    async def ask(nameserver):
        return await TxtHints(nameserver).perhaps("with.test")

    assert asyncio.run(ask(parse_nameserver(f"127.0.0.1:{free_port()}"))) is True
    assert asyncio.run(ask(None)) is True
