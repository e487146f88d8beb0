from __future__ import annotations

import asyncio

import pytest

from bulkmail.content import new_pem, record
from bulkmail.preflight.sender import Sender, SenderKey
from bulkmail.routing import Lookup, parse_nameserver

PEM = new_pem("rsa")
IP = "192.0.2.10"
POINTER = "10.2.0.192.in-addr.arpa"


class Names:
    """A real name server on loopback and the mailer's own lookup. ``zone``: name -> {kind: [rdata, ...]}."""

    def __init__(self, server):
        self.server = server
        self.zone = server.zone
        self.moods = server.moods

    def text(self, name, *texts):
        """Publish TXT records: each a text, which is cut into strings, or a list of its strings."""
        self.zone.setdefault(name, {})["TXT"] = [
            " ".join('"' + string.replace("\\", "\\\\").replace('"', '\\"') + '"' for string in strings)
            for strings in (
                [one[at : at + 255] for at in range(0, len(one), 255)] if isinstance(one, str) else one for one in texts
            )
        ]

    def ask(self, work, *arguments, **options):
        """What ``work(*arguments, lookup)`` finds."""

        async def run():
            servers = [parse_nameserver(self.server.address)]
            clock = asyncio.get_running_loop().time
            lookup = Lookup(servers, clock=clock, timeout=self.server.patience)
            return await work(*arguments, lookup.ask, **options)

        return asyncio.run(run())

    def asked(self, name, kind="TXT"):
        return self.server.count(name, kind)


@pytest.fixture
def names(name_server):
    return Names(name_server())


@pytest.fixture
def good(names):
    """A sender of whom every record is right."""
    names.zone.update(
        {
            "shop.test": {"MX": ["10 mx.shop.test."]},
            "mx.shop.test": {"A": ["192.0.2.20"]},
            "mta1.shop.test": {"A": [IP]},
            POINTER: {"PTR": ["mta1.shop.test."]},
        }
    )
    names.text("shop.test", f"v=spf1 ip4:{IP} -all", "another=text")
    names.text("_dmarc.shop.test", "v=DMARC1; p=reject; rua=mailto:dmarc@shop.test")
    names.text("s1._domainkey.shop.test", record(PEM))
    return names


@pytest.fixture
def sender():
    """``sender(**changes)``: the one of `good`, changed."""

    def make(**changes):
        facts = {
            "from_domain": "shop.test",
            "envelope": "news@shop.test",
            "hostname": "mta1.shop.test",
            "addresses": (IP,),
            "keys": (SenderKey("shop.test", "s1", PEM),),
            **changes,
        }
        return Sender(**facts)

    return make


@pytest.fixture
def codes():
    """``codes(findings)``: {code: severity}; of several of one code the first."""
    return lambda findings: {finding.code: str(finding.severity) for finding in reversed(findings)}
