from __future__ import annotations

import asyncio

import pytest

from bulkmail.routing.resolver import Resolver


@pytest.fixture
def server(name_server):
    return name_server()


@pytest.fixture
def second(name_server):
    return name_server()


@pytest.fixture
def handle(server):
    """Send jobs to one configured resolver, one after the other, in one event loop; their answers in a list."""

    def run(*jobs, **options):
        async def all_jobs():
            resolver = Resolver()
            given = {"nameservers": [server.address], "timeout": server.patience, **options}
            assert await resolver.handle(("configure", given)) == ("configured",)
            return [await (job() if callable(job) else resolver.handle(job)) for job in jobs]

        return asyncio.run(all_jobs())

    return run


@pytest.fixture
def route(handle):
    def run(domain, families=(4,), **options):
        return handle(("route", domain), families=families, **options)[0]

    return run
