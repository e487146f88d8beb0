"""A real resolver process, and a real name server on loopback."""

from __future__ import annotations

import pytest

from bulkmail.commands.event_loop import in_event_loop
from bulkmail.preflight import domains as module
from bulkmail.preflight.domains import Domains
from bulkmail.preflight.resolving import Resolving
from bulkmail.routing import Router

pytestmark = pytest.mark.process


@pytest.fixture
def look(folder, server):
    def run(*names, must_exist="[]", fail=False):
        folder.settings_text = (
            f'dns: {{nameservers: ["{server.address}"], timeout: {server.patience}s, must_exist: {must_exist}}}\n'
            "routing: {allow_networks: [127.0.0.0/8]}\n"
        )
        settings = folder.settings

        async def work(reactor):
            resolving = Resolving(reactor, settings)
            found = Domains(Router(resolving.ask, reactor.seconds, {}, size=1), lambda: None)
            try:
                for number, name in enumerate(names, 1):
                    found.add(name, number)
                await found.drain()
            finally:
                await resolving.close()
            return found

        return in_event_loop(work)

    return run


def test_a_row_that_repeats_an_earlier_one_is_counted_no_more(monkeypatch):
    monkeypatch.setattr(module, "MOST", 1)
    found = Domains(None, lambda: None)
    for number, name in enumerate(["a.example", "a.example", "b.example", "b.example"], 1):
        found.add(name, number, held=number in (2, 4))
    assert (found.known["a.example"].count, found.beyond) == (2, 2)
    found.repeated(2)
    found.repeated(4)
    assert (found.known["a.example"].count, found.known["a.example"].rows, found.beyond) == (1, [1], 1)


def test_domains_that_take_mail_and_others(look, server):
    server.zone = {
        "good.example": {"MX": ["10 mx.good.example."]},
        "mx.good.example": {"A": ["127.0.0.1"]},
        "null.example": {"MX": ["0 ."]},
        "inside.test": {"MX": ["10 mx.inside.test."]},
        "mx.inside.test": {"A": ["10.0.0.1"]},
    }
    server.moods = {"broken.example": "servfail"}
    names = ["good.example", "null.example", "gone.example", "null.example", "inside.test", "broken.example"]
    found = look(*names)
    told = {one.where: (one.code, one.rows, one.count, one.severity.value) for one in found.findings()}
    assert told == {
        "null.example": ("domain-takes-no-mail", (2, 4), 2, "warning"),
        "gone.example": ("domain-does-not-exist", (3,), 1, "warning"),
        "inside.test": ("domain-unreachable", (5,), 1, "warning"),
        "broken.example": ("domain-not-looked-up", (6,), 1, "warning"),
    }
    assert server.count("good.example", "MX") == 1
    assert found.known["good.example"].route.hosts[0].name == "mx.good.example"


def test_a_name_server_that_is_not_believed_is_told_once(look, server):
    found = look("a.example", "b.example", must_exist='["exists.example"]')
    (told,) = found.findings()
    assert told.code == "no-resolver"
    assert "denies that there is exists.example" in told.message
    assert told.severity == "warning"


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "MOST", 3)
    found = Domains(None, lambda: None)
    for n in range(40):
        found.add(f"d{n % 5}.example", n)
    assert len(found.known) == 3
    assert (found.beyond, found.known["d0.example"].count) == (16, 8)
    (told,) = found.findings()
    assert (told.code, told.count) == ("domains", 16)


def test_of_very_many_bad_domains_some_are_named(look, monkeypatch):
    monkeypatch.setattr(module, "_TOLD", 2)
    found = look("a.example", "b.example", "b.example", "c.example")
    told = [(one.where, one.count) for one in found.findings()]
    assert told == [("b.example", 2), ("a.example", 1), ("dns", 0)]
