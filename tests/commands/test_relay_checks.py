"""Against a real listener on loopback; what a real relay says is in tests/interop."""

from __future__ import annotations

import socket
import threading

import pytest

from bulkmail.commands.relay_checks import sign_ins
from bulkmail.settings import load_settings


class Relay:
    """A mail server that takes or refuses a sign-in by CRAM-MD5 (RFC 2195), and keeps what it hears."""

    def __init__(self, answer):
        self.heard = []
        self._answer = answer
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                one, _ = self._server.accept()
            except OSError:
                return
            with one, one.makefile("rwb") as lines:
                lines.write(b"220 relay.test ESMTP\r\n")
                lines.flush()
                for line in lines:
                    verb = line.split()[0].upper().decode()
                    self.heard.append(verb)
                    said = {
                        "EHLO": "250-relay.test\r\n250 AUTH CRAM-MD5",
                        "AUTH": "334 PDFAcmVsYXk+",
                        "QUIT": "221 bye",
                    }
                    answer = self._answer if self.heard[-2:-1] == ["AUTH"] else said.get(verb, "502 no")
                    lines.write(f"{answer}\r\n".encode())
                    lines.flush()

    def close(self):
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()


@pytest.fixture
def tried(place):
    """``tried(answer, settings)``: what is found at a relay that answers AUTH so, and what the relay heard."""

    def run(answer, more="username: anna, password_file: secret", port=0):
        (place / "secret").write_text("geheim\n")
        (place / "secret").chmod(0o600)
        relay = Relay(answer)
        given = f"relay: {{host: 127.0.0.1, port: {port or relay.port}, tls: off, {more}}}\n"
        (place / "bulkmail.yaml").write_text(given)
        settings = load_settings(None, str(place))
        try:
            return sign_ins(settings, "mta1.example.com")[0], relay.heard
        finally:
            relay.close()

    return run


def test_a_relay_that_lets_us_in(tried):
    check, heard = tried("235 2.7.0 welcome")
    assert (check.name, check.result) == ("sign-in", "warning")
    assert check.message == "the relay 127.0.0.1 (127.0.0.1) lets us in as anna, without TLS; nothing was sent"
    assert check.remedy.startswith("set relay.tls to starttls")
    assert [verb for verb in heard if verb.isalpha() and len(verb) == 4] == ["EHLO", "AUTH", "QUIT"]


def test_a_relay_that_refuses_the_sign_in_is_told_with_its_words(tried):
    check, heard = tried("535 5.7.8 Authentication failed")
    assert check.result == "error"
    assert "refuses to sign us in: 535 5.7.8 Authentication failed (user anna, CRAM-MD5)" in check.message
    assert "check relay.username and relay.password_file" in check.message
    assert "geheim" not in str(check)
    assert "MAIL" not in heard


def test_a_relay_without_a_user_name(tried):
    check, heard = tried("502 no", more="rate: 10/s")
    assert check.result == "ok"
    assert "lets us in without a user name" in check.message
    assert heard == ["EHLO", "QUIT"]


def test_a_relay_that_cannot_be_reached(tried):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    check, _ = tried("235 ok", port=port)
    assert check.result == "error"
    assert check.message.startswith("the relay 127.0.0.1 could not be tried: ")
