from __future__ import annotations

import asyncio

import pytest

from bulkmail.mail import OwnFault
from bulkmail.preflight.sender import check_sender
from bulkmail.preflight.sender.lookup import found_nothing, is_unknown, lookup_by
from bulkmail.routing import Found
from bulkmail.routing.resolver import Resolver


def test_an_answer_without_a_proof_counts_as_none():
    """Forwarders such as dnsmasq leave the SOA out of their empty answers."""
    for kind, nothing, unknown in (
        ("data", False, False),
        ("empty", True, False),
        ("missing", True, False),
        ("bare", True, False),
        ("failed", False, True),
    ):
        answer = Found(kind, "a.test", 0.0)
        assert (found_nothing(answer), is_unknown(answer)) == (nothing, unknown)


def test_the_resolvers_process_is_asked_by_jobs(good, sender):
    """The jobs are plain data, with a PTR and an MX among the records."""

    async def run():
        resolver = Resolver()
        await resolver.handle(("configure", {"nameservers": [good.server.address]}))
        lookup = lookup_by(resolver.handle)
        mx = await lookup("shop.test", "MX")
        pointer = await lookup("10.2.0.192.in-addr.arpa", "PTR")
        missing = await lookup("gone.test", "TXT")
        return mx.records, pointer.records, missing.kind, await check_sender(sender(), lookup)

    assert asyncio.run(run()) == (((10, "mx.shop.test"),), ("mta1.shop.test",), "missing", [])


def test_a_resolver_that_is_dead():
    async def ask(_job):
        return "own-fault", "no nameserver gives any answer"

    with pytest.raises(OwnFault, match="no nameserver gives any answer"):
        asyncio.run(lookup_by(ask)("shop.test", "MX"))
