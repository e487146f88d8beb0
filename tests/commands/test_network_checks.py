"""Against a real name server and a real listener on loopback."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from bulkmail.commands import network_checks as module
from bulkmail.commands.network_checks import network_checks
from bulkmail.commands.sender import with_lookup
from bulkmail.content import new_pem, record
from bulkmail.net import Families
from bulkmail.settings import load_settings

IP = "192.0.2.1"


class Listener:
    """A mail server on loopback that greets and listens to one line."""

    def __init__(self):
        self.heard, self.peers = [], []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                one, peer = self._server.accept()
            except OSError:
                return
            self.peers.append(peer[0])
            with one:
                one.sendall(b"220 mx.test ESMTP\r\n")
                self.heard.append(one.recv(100))

    def close(self):
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()


@pytest.fixture
def listener():
    running = Listener()
    yield running
    running.close()


@pytest.fixture
def examined(place, name_server):
    """``examined(servers, ...)``: the checks by their names, with the settings' text and the addresses."""
    server = name_server()
    server.zone.update(
        {
            "mta1.shop.test": {"A": [IP]},
            "1.2.0.192.in-addr.arpa": {"PTR": ["mta1.shop.test."]},
            "ns.test": {"NS": ["a.test."]},
        }
    )

    def run(servers, *, more="", addresses=(IP,), hostname="mta1.shop.test", must_exist="[]", six=""):
        dns = f"dns: {{nameservers: ['{server.address}'], timeout: {server.patience}s, must_exist: {must_exist}}}\n"
        (place / "bulkmail.yaml").write_text(dns + more)
        settings = load_settings(None, str(place))

        def of(settings):
            sources = {4: "10.0.0.7", 6: six}
            return Families(settings.routing.ip, (), lambda: 0.0, source_address=sources.__getitem__)

        return with_lookup(
            settings, lambda lookup: network_checks(settings, hostname, addresses, servers, lookup, of(settings))
        )

    def by_name(servers, **given):
        return {check.name: check for check in reversed(run(servers, **given))}

    by_name.checks, by_name.server, by_name.place = run, server, place
    return by_name


def test_a_machine_where_all_is_well(examined, listener, until):
    (examined.place / "key.pem").write_bytes(new_pem("ed25519"))
    (examined.place / "key.pem").chmod(0o600)
    examined.server.zone["s1._domainkey.shop.test"] = {
        "TXT": [f'"{record((examined.place / "key.pem").read_bytes())}"']
    }
    keys = "dkim: [{domain: shop.test, selector: s1, key: key.pem}]\n"
    made = examined([f"127.0.0.1:{listener.port}"], more=keys, must_exist="[ns.test]")
    assert {name: check.result for name, check in made.items()} == {
        "resolver": "ok", "hostname": "ok", "address": "ok", "ip": "ok", "dkim": "ok", "port 25": "ok"
    }  # fmt: skip
    assert made["port 25"].message == f"127.0.0.1 (127.0.0.1 port {listener.port}) answers: 220 mx.test ESMTP"
    until(lambda: listener.heard == [b"QUIT\r\n"], "the server to hear QUIT")


def test_what_is_wrong_is_told(examined):
    examined.server.zone["1.2.0.192.in-addr.arpa"] = {"PTR": ["other.test."]}
    made = examined(["127.0.0.1:1"], hostname="box.localdomain")
    assert {name: check.result for name, check in made.items()} == {
        "resolver": "ok", "hostname": "error", "address": "error", "ip": "ok", "dkim": "warning", "port 25": "error"
    }  # fmt: skip
    assert "no mail server can be reached: 127.0.0.1 (127.0.0.1 port 1): " in made["port 25"].message


def test_only_what_the_dns_names_is_connected_to(examined, listener):
    examined.server.zone.update({"gmail.com": {"MX": ["5 mx.test."]}, "mx.test": {"A": ["127.0.0.1"]}})
    made = examined([], more=f"smtp: {{port: {listener.port}}}\n")
    assert made[f"port {listener.port}"].message.startswith("mx.test (127.0.0.1 port ")
    del examined.server.zone["gmail.com"]
    assert examined([])["port 25"].result == "unknown"
    assert "port 25" not in examined(None)


def test_port_25_is_tried_over_ipv6_too(examined, listener):
    zone = examined.server.zone
    zone.update({"gmail.com": {"MX": ["5 mx.test."]}, "mx.test": {"A": ["127.0.0.1"], "AAAA": ["2001:db8::1"]}})
    zone["mx.test"]["AAAA"] = ["::1"]  # nobody listens there
    more = f"smtp: {{port: {listener.port}}}\n"
    made = examined([], more=more, six="2a00:1450::7")
    assert made["ip"].message == "mail is sent over IPv4 and IPv6, in this order"
    assert made[f"port {listener.port}"].result == "ok"
    over_six = made[f"port {listener.port}/6"]
    assert over_six.result == "warning"
    assert f"no mail server can be reached over IPv6: mx.test (::1 port {listener.port}): " in over_six.message
    assert over_six.remedy.endswith("or write `routing: {ip: v4}`")
    del zone["mx.test"]["AAAA"]
    assert f"port {listener.port}/6" not in examined([], more=more, six="2a00:1450::7")
    assert examined(None)["ip"].message == "mail is sent over IPv4 only, for this machine has no public IPv6 address"


def test_a_machine_that_lacks_what_the_settings_insist_on(examined):
    made = examined(None, more="routing: {ip: v6}\n")
    assert (made["ip"].result, "has no IPv6 address" in made["ip"].message) == ("error", True)


def test_each_source_is_tried_and_the_one_that_cannot_get_out_is_named(examined, listener):
    gone = "{name: gone, address: 192.0.2.77}"
    proxied = "{name: far, address: 192.0.2.78, proxy: 'socks5://127.0.0.1:1'}"
    six = "{name: six, address: '2001:db8::7'}"
    more = f"sources: [{{name: here, address: 127.0.0.2}}, {gone}, {proxied}, {six}]\nsmtp: {{port: {listener.port}}}\n"
    tried = [one for one in examined.checks(["127.0.0.1"], more=more) if one.name == f"port {listener.port}"]
    assert [one.result for one in tried] == ["ok", "error", "error", "unknown"]
    here, there, far, over_six = (one.message for one in tried)
    assert here.startswith(f"source here (127.0.0.2): 127.0.0.1 (127.0.0.1 port {listener.port}) answers: 220 mx.test")
    assert listener.peers == ["127.0.0.2"], "it was connected to from the source, and by no other"
    assert there.startswith("source gone (192.0.2.77): no mail server can be reached: 127.0.0.1 (127.0.0.1 port ")
    assert far.startswith("source far (192.0.2.78 through socks5://127.0.0.1:1): no mail server can be reached: ")
    assert "the proxy socks5://127.0.0.1:1 cannot be connected to: " in far
    assert tried[2].remedy == "see to the proxy, or take the source out"
    assert over_six == "source six (2001:db8::7): no mail server was found that has an IPv6 address"


def test_sources_that_have_no_answer_in_time_are_not_known(examined, monkeypatch):
    async def never(*_, **__):
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(module, "greeting", never)
    monkeypatch.setattr(module, "_WITHIN_ALL", 0.0)
    more = "sources: [{name: here, address: 127.0.0.2}]\n"
    (tried,) = [one for one in examined.checks(["127.0.0.1"], more=more) if one.name == "port 25"]
    assert (tried.result, tried.remedy) == ("unknown", "")
    assert tried.message.endswith("it was not its turn, or it had no answer, within 0 s")


def test_with_a_relay_the_relay_is_connected_to(examined, listener):
    relay = f"relay: {{host: 127.0.0.1, port: {listener.port}, tls: off}}\n"
    made = examined([], more=relay, addresses=(), hostname="box.localdomain")
    assert {name: check.result for name, check in made.items()} == {"resolver": "ok", "hostname": "ok", "relay": "ok"}


def test_a_resolver_that_lies_or_is_dead_ends_the_checks(examined):
    made = examined([], must_exist="[gone.test]")
    assert {name: check.result for name, check in made.items()} == {"resolver": "error", "names": "unknown"}
    examined.server.dead = True
    assert "no nameserver gives any answer" in examined([])["resolver"].message


def test_an_address_that_receivers_do_not_see(examined, monkeypatch):
    monkeypatch.setattr(module, "source_address", lambda: "10.0.0.7")
    made = examined(None, addresses=())
    assert made["address"].result == "unknown"
    assert made["address"].remedy == "give the address that they see with --address"


def test_each_source_is_looked_at_with_its_own_name(examined):
    zone = examined.server.zone
    zone.update({"mta2.shop.test": {"A": ["192.0.2.2"]}, "2.2.0.192.in-addr.arpa": {"PTR": ["mta2.shop.test."]}})
    more = "sources: [{name: a, address: 192.0.2.1}, {name: b, address: 192.0.2.2, hostname: mta2.shop.test}]\n"
    with_names = {
        check.message: check.result for check in examined.checks(None, more=more, addresses=(IP, "192.0.2.2"))
    }
    told = [words for words, result in with_names.items() if words.startswith(("mta", "192.")) and result == "ok"]
    assert [words.partition(" ")[0].rstrip(":") for words in told] == [
        "mta1.shop.test",
        IP,
        "mta2.shop.test",
        "192.0.2.2",
    ]
