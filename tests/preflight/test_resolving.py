from __future__ import annotations

import pytest

from bulkmail.commands.event_loop import in_event_loop
from bulkmail.preflight.resolving import Resolving, resolver_options

pytestmark = pytest.mark.process


def test_the_options_are_those_of_the_settings(folder):
    folder.settings_text = 'dns: {nameservers: ["127.0.0.1:5353"], timeout: 2s, must_exist: []}\nrouting: {ip: v6}\n'
    assert resolver_options(folder.settings, 600) == {
        "nameservers": ["127.0.0.1:5353"],
        "timeout": 2.0,
        "must_exist": [],
        "allow_networks": [],
        "families": [6],
        "ttl_floor": 0.1,
        "mx_aliases": True,
    }
    folder.settings_text = "{}\n"
    assert resolver_options(folder.settings)["nameservers"] is None


def test_it_answers_and_a_process_that_is_gone_is_a_fault_of_our_own(folder, server):
    server.zone = {"x.example": {"TXT": ['"hello"']}}
    folder.settings_text = f'dns: {{nameservers: ["{server.address}"], must_exist: []}}\n'
    settings = folder.settings

    async def work(reactor):
        resolving = Resolving(reactor, settings)
        first = await resolving.ask(("texts", "x.example"))
        resolving._worker.kill()
        second = await resolving.ask(("texts", "x.example"))
        await resolving.close()
        return first, second

    first, second = in_event_loop(work)
    assert first == ("texts", ["hello"])
    assert second[0] == "own-fault"
    assert "the resolver process" in second[1]
