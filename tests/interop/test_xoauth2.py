"""Access tokens that expire, against a scripted relay with implicit TLS: a new one is asked for, nobody notices."""

from __future__ import annotations

import base64
import contextlib
import re
import socketserver
import ssl
import threading
from collections import Counter
from typing import Any

import pytest

pytestmark = pytest.mark.interop

USES = 3  # sign-ins that one token is good for


class Dialogue(socketserver.StreamRequestHandler):
    """One session: XOAUTH2 as Google and Microsoft do it, then mail."""

    server: TokenRelay

    def say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")

    def hear(self) -> str:
        return self.rfile.readline().decode("ascii").rstrip("\r\n")

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            self.say("220 relay.test ESMTP")
            while line := self.hear():
                if line.startswith("EHLO"):
                    self.say("250-relay.test")
                    self.say("250 AUTH XOAUTH2 PLAIN")
                elif line.startswith("AUTH XOAUTH2"):
                    self.sign_in(line.removeprefix("AUTH XOAUTH2").strip())
                elif line.startswith("RCPT"):
                    self.recipient = line[9:-1]
                    self.say("250 2.1.5 ok")
                elif line == "DATA":
                    self.say("354 go")
                    while self.rfile.readline() != b".\r\n":
                        pass
                    with self.server.lock:
                        self.server.taken[self.recipient] += 1
                    self.say("250 2.0.0 queued")
                else:
                    self.say("250 2.1.0 ok" if line.startswith("MAIL") else "221 bye")
                    if line == "QUIT":
                        return

    def sign_in(self, response: str) -> None:
        if not response:
            self.say("334 ")
            response = self.hear()
        found = re.fullmatch(b"user=([^\x01]*)\x01auth=Bearer ([^\x01]*)\x01\x01", base64.b64decode(response))
        assert found is not None
        with self.server.lock:
            token = found[2].decode()
            self.server.uses[token] += 1
            good = self.server.valid.fullmatch(token) is not None and self.server.uses[token] <= USES
        if found[1] == b"anna@relay.test" and good:
            self.say("235 2.7.0 Accepted")
            return
        self.say("334 " + base64.b64encode(b'{"status":"401","schemes":"bearer"}').decode())
        assert self.hear() == ""
        self.say("535 5.7.8 Username and Password not accepted")


class TokenRelay(socketserver.ThreadingTCPServer):
    """Counts what it took, and how often each token was shown."""

    allow_reuse_address = True

    def __init__(self, certificate: str, key: str, valid: str) -> None:
        super().__init__(("127.0.0.1", 0), Dialogue)
        self.valid = re.compile(valid)
        self.lock = threading.Lock()
        self.taken: Counter[str] = Counter()
        self.uses: Counter[str] = Counter()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)

    def get_request(self) -> tuple[Any, Any]:
        plain, address = super().get_request()
        return self.context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is none."""


@pytest.fixture
def through(world: Any, certificate: Any) -> Any:
    """``through(valid, rows, **relay settings)``: the relay runs, the settings are written; server and campaign."""

    def start(valid: str, rows: int, **given: Any) -> tuple[TokenRelay, Any]:
        certificate(world.folder)
        server = TokenRelay(str(world.folder / "cert.pem"), str(world.folder / "key.pem"), valid)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        world.on_end(thread.join)
        world.on_end(server.server_close)
        world.on_end(server.shutdown)
        world.start_names({}, {"mx.interop.test": "127.0.0.1"})
        relay = {
            "host": "mx.interop.test",
            "port": server.server_address[1],
            "tls": "implicit",
            "ca_file": "cert.pem",
            "username": "anna@relay.test",
            "messages_per_connection": 5,
            "connections": 1,
            "rate": "10000/s",
            "connection_rate": "1000/s",
            **given,
        }
        world.settings(port=1, relay=relay)
        return server, world.campaign("spring", [f"user{n}@d{n % 20}.example" for n in range(rows)])

    return start


def counting(world: Any, length: int = 8) -> list[str]:
    """A command that prints token-1, token-2, … and some padding."""
    script = world.folder / "token.sh"
    script.write_text(f'echo x >>"$0.count"\nprintf "token-%d-%0{length}d\\n" "$(wc -l <"$0.count")" 0\n')
    return ["/bin/sh", str(script)]


@pytest.mark.parametrize("length", [8, 1500])
def test_an_expired_token_is_replaced(world: Any, through: Any, length: int) -> None:
    """A long one does not fit into the AUTH command, and goes behind the server's 334."""
    server, campaign = through(r"token-\d+-0+", 40, token_command=counting(world, length))

    ended = world.run("-c", "spring")

    assert ended.status == 0, ended.said[-4000:]
    campaign.check_report()
    assert campaign.statuses() == {"delivered": 40}
    assert {row["attempts"] for row in campaign.rows()} == {"1"}
    assert server.taken == dict.fromkeys(campaign.addresses, 1)
    shown = {int(token.split("-")[1]): uses for token, uses in server.uses.items()}
    assert shown.keys() >= {1, 2, 3}, "40 messages, 5 on a connection, 3 connections on a token"
    assert all(shown[n] == USES + 1 for n in range(1, max(shown))), "each to its end, and once more to see that"
    assert "sending is paused" not in ended.said
    everything = ended.said + "".join(path.read_text("utf-8") for path in campaign.report.iterdir())
    assert "token-1" not in everything


def test_a_token_file_is_read_anew(world: Any, through: Any, until: Any) -> None:
    token = world.folder / "token"
    token.write_text("token-1\n")
    token.chmod(0o600)
    server, campaign = through(r"token-\d", 30, token_file="token")
    running = world.start("-c", "spring")
    until(lambda: "535 5.7.8" in running.said(), "the first token to be refused")
    assert "check relay.username and relay.token_file" in running.said()
    for n in range(2, 9):
        token.write_text(f"token-{n}\n")
        before = server.uses[f"token-{n}"]
        until(lambda n=n, before=before: server.uses[f"token-{n}"] > before or running.process.poll() is not None, "it")
        until(lambda n=n: server.uses[f"token-{n}"] > USES or running.process.poll() is not None, "its end")
        if running.process.poll() is not None:
            break
    ended = running.wait()
    assert ended.status == 0, ended.said[-4000:]
    campaign.check_report()
    assert campaign.statuses() == {"delivered": 30}
    assert server.taken == dict.fromkeys(campaign.addresses, 1)


def test_tokens_that_are_never_good_refuse_the_start(world: Any, through: Any) -> None:
    server, campaign = through(r"none", 10, token_command=counting(world))
    ended = world.run("-c", "spring")
    assert ended.status == 1, ended.said[-4000:]
    assert "check relay.username and relay.token_command" in ended.err
    assert sum(server.uses.values()) == 2, "a first one may have been too old"
    assert not campaign.report.exists()
    assert not server.taken
    assert "token-" not in ended.said
