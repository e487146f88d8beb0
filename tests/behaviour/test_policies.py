"""The policies of receivers (MTA-STS), with a real name server, a real HTTPS server and real mail servers under TLS."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

from tests.net.authority import Authority
from tests.policyhost import PolicyHost, answer
from tests.ports import free_port

pytestmark = [pytest.mark.loopback, pytest.mark.process]

POLICY = "version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: 604800\n"


class MailHost(Controller):
    """aiosmtpd at one address; with a certificate it offers STARTTLS. ``kept``: recipient, and whether under TLS."""

    def __init__(self, ip: str, port: int, context: Any = None) -> None:
        self.kept: list[tuple[str, bool]] = []
        self._tls_context = context
        super().__init__(self, hostname=ip, port=port)
        self.start()

    def factory(self) -> SMTP:
        return SMTP(self, hostname="mx.shop.test", tls_context=self._tls_context)

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:
        self.kept += [(one, session.ssl is not None) for one in envelope.rcpt_tos]
        return "250 2.0.0 OK"


class Receivers:
    """The world of a test: hosts are added, then the names are served."""

    def __init__(self, world: Any, missing: Callable[[str], Any]) -> None:
        self.world = world
        self.authority = Authority(world.folder)
        self.port = free_port()
        self._missing = missing
        self._mx: dict[str, list[str]] = {}
        self._hosts: dict[str, str] = {}
        self._texts: list[str] = []
        self.close: list[Callable[[], None]] = []

    def mail(self, name: str, ip: str, certificate: str | None = "", **lasts: Any) -> MailHost:
        """A mail host; ``certificate``: the name in it, its own if "", and no TLS at all with None."""
        self._hosts[name] = ip
        context = None if certificate is None else self.authority.server(certificate or name, **lasts)
        made = MailHost(ip, self.port, context)
        self.close.append(made.stop)
        return made

    def policy(self, domain: str, text: str, network: str = "127.0.3") -> PolicyHost:
        """A policy host at port 443, which nothing else can be told; so each worker of the tests has an address."""
        ip = f"{network}.{100 + int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0').removeprefix('gw'))}"
        self._texts.append(f"txt-record=_mta-sts.{domain},v=STSv1; id=one")
        self._hosts[f"mta-sts.{domain}"] = ip
        try:
            made = PolicyHost(self.authority.server(f"mta-sts.{domain}"), answer(text), ip, 443)
        except PermissionError:
            self._missing("port 443 of a loopback address cannot be listened at without being root")
        self.close.append(made.close)
        return made

    def forget(self) -> None:
        """Serve no policies from the next `serve` on."""
        self._texts.clear()
        self._hosts = {name: ip for name, ip in self._hosts.items() if not name.startswith("mta-sts.")}

    def serve(self, mx: dict[str, list[str]], **settings: Any) -> None:
        self.world.start_names(mx, self._hosts)
        with (self.world.folder / "dnsmasq.conf").open("a") as conf:
            conf.writelines(f"{line}\n" for line in self._texts)
        self.world.names_refuse(False)  # it reads its file anew
        retry = {"schedule": ["500ms"], "expire_after": "2s"}
        self.world.settings(port=self.port, **{"retry": retry, **settings})

    def send(self, *addresses: str, campaign: str = "spring") -> list[dict[str, str]]:
        made = self.world.campaign(campaign, addresses)
        environment = {"SSL_CERT_FILE": str(self.authority.file)}
        ended = self.world.start("-c", campaign, environment=environment).wait(120)
        assert ended.status == 0, ended.said
        rows: list[dict[str, str]] = made.rows()
        return rows


@pytest.fixture
def receivers(world_in: Callable[[Path], Any], tmp_path: Path, missing: Any) -> Iterator[Receivers]:
    world = world_in(tmp_path)
    made = Receivers(world, missing)
    try:
        yield made
    finally:
        for close in made.close:
            close()
        world.close()


def test_enforced_mail_goes_to_the_allowed_host_with_a_good_certificate_and_other_domains_as_ever(
    receivers: Any,
) -> None:
    """The better host is one that the policy does not allow; without the policy it gets the mail, in clear."""
    bad = receivers.mail("mx.evil.test", "127.0.3.1", None)
    good = receivers.mail("mx1.shop.test", "127.0.3.2")
    host = receivers.policy("shop.test", POLICY.format(mode="enforce", mx="mx1.shop.test"))
    hosts = ["mx.evil.test", "mx1.shop.test"]
    receivers.serve({"shop.test": hosts, "plain.test": hosts})

    rows = receivers.send("a@shop.test", "b@shop.test", "c@plain.test")

    told = [(row["status"], row["tls_policy"]) for row in rows]
    assert told == [("delivered", "sts-enforce"), ("delivered", "sts-enforce"), ("delivered", "opportunistic")]
    assert sorted(good.kept) == [("a@shop.test", True), ("b@shop.test", True)]
    assert bad.kept == [("c@plain.test", False)]
    assert host.asked


@pytest.mark.parametrize(
    ("certificate", "lasts", "words"),
    [
        (None, {}, "TLS is required and the server does not offer STARTTLS"),
        ("mx2.shop.test", {}, "the certificate is not for mx1.shop.test"),
        ("", {"lasts": dt.timedelta(days=-3)}, "certificate verify failed"),
    ],
    ids=["no TLS", "another name", "expired"],
)
def test_enforced_mail_never_goes_to_a_host_that_fails_and_never_bounces(
    receivers: Any, certificate: str | None, lasts: Any, words: str
) -> None:
    mail = receivers.mail("mx1.shop.test", "127.0.3.2", certificate, **lasts)
    receivers.policy("shop.test", POLICY.format(mode="enforce", mx="*.shop.test"))
    receivers.serve({"shop.test": ["mx1.shop.test"]})

    (row,) = receivers.send("a@shop.test")

    assert (row["status"], row["category"], row["stage"]) == ("expired", "tls", "starttls")
    assert row["tls_policy"] == "sts-enforce"
    assert words in row["reply"]
    assert "the receiver's own policy (MTA-STS)" in row["reply"]
    assert mail.kept == []


def test_a_policy_that_allows_none_of_the_hosts_defers(receivers: Any) -> None:
    mail = receivers.mail("mx.evil.test", "127.0.3.2")
    receivers.policy("shop.test", POLICY.format(mode="enforce", mx="*.shop.test"))
    receivers.serve({"shop.test": ["mx.evil.test"]})

    (row,) = receivers.send("a@shop.test")

    assert (row["status"], row["category"], row["stage"]) == ("expired", "tls", "dns")
    assert row["reply"].startswith("the policy of shop.test (MTA-STS, enforce) forbids its MX hosts, mx.evil.test")
    assert mail.kept == []


@pytest.mark.parametrize(
    ("text", "settings", "asked"),
    [
        (POLICY.format(mode="testing", mx="mx9.shop.test"), {}, "sts-testing"),
        (POLICY.format(mode="none", mx="mx9.shop.test"), {}, "opportunistic"),
        ("this is no policy", {}, "opportunistic"),
        (POLICY.format(mode="enforce", mx="mx9.shop.test"), {"routing": {"mta_sts": False}}, "opportunistic"),
        (
            POLICY.format(mode="enforce", mx="mx9.shop.test"),
            {"routing": {"routes": [{"domains": ["shop.test"], "tls": "required"}]}},
            "required",
        ),
    ],
    ids=["testing", "none", "broken", "switched off", "a route"],
)
def test_what_is_not_in_force_changes_nothing(receivers: Any, text: str, settings: Any, asked: str) -> None:
    mail = receivers.mail("mx1.shop.test", "127.0.3.2", "other.test")
    host = receivers.policy("shop.test", text)
    receivers.serve({"shop.test": ["mx1.shop.test"]}, **settings)

    (row,) = receivers.send("a@shop.test")

    assert (row["status"], row["attempts"], row["tls_policy"]) == ("delivered", "1", asked)
    assert mail.kept == [("a@shop.test", True)]
    assert bool(host.asked) == (not settings)


def test_a_policy_stays_in_force_over_a_restart_when_nothing_of_it_can_be_had_any_more(receivers: Any) -> None:
    """Who forges the DNS so that record and policy are gone, and the mail goes elsewhere, gains nothing."""
    good = receivers.mail("mx1.shop.test", "127.0.3.2")
    bad = receivers.mail("mx.evil.test", "127.0.3.1", None)
    host = receivers.policy("shop.test", POLICY.format(mode="enforce", mx="*.shop.test"))
    receivers.serve({"shop.test": ["mx1.shop.test"]})
    assert receivers.send("a@shop.test")[0]["status"] == "delivered"
    asked = len(host.asked)
    receivers.forget()
    receivers.serve({"shop.test": ["mx.evil.test"]})

    (row,) = receivers.send("b@shop.test", campaign="summer")

    assert (row["status"], row["category"]) == ("expired", "tls")
    assert row["reply"].startswith("the policy of shop.test (MTA-STS, enforce) forbids its MX hosts, mx.evil.test")
    assert (good.kept, bad.kept) == ([("a@shop.test", True)], [])
    assert len(host.asked) == asked


def test_a_policy_host_in_a_forbidden_network_is_not_asked(receivers: Any) -> None:
    mail = receivers.mail("mx1.shop.test", "127.0.3.2", "other.test")
    host = receivers.policy("shop.test", POLICY.format(mode="enforce", mx="*.shop.test"), "127.0.9")
    receivers.serve({"shop.test": ["mx1.shop.test"]}, routing={"allow_networks": ["127.0.3.0/24"]})

    (row,) = receivers.send("a@shop.test")

    assert row["status"] == "delivered"
    assert mail.kept == [("a@shop.test", True)]
    assert host.handshakes == 0
