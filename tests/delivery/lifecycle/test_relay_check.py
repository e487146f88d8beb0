"""The relay tried before the start; what a real one says is in tests/interop."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from bulkmail.delivery.lifecycle import relay_check as module
from bulkmail.delivery.lifecycle.relay_check import RelayCheck
from bulkmail.delivery.relay import Smarthost
from bulkmail.mail import Category, OwnFault, Reply, Stage
from bulkmail.routing import MxHost, Site
from bulkmail.settings import Relay, Settings
from bulkmail.workers import CommandFailedError

SITE = Site("relay", (MxHost(0, "relay.example", ("10.0.0.1", "10.0.0.2")),), "relay", "relay relay.example")
NO = (Stage.AUTH, Reply(535, ("5.7.8 no",)), "the server refuses to sign us in: 535 5.7.8 no (user anna, PLAIN)")


class FakeCommand:
    def __init__(self):
        self.output: Deferred[bytes] = Deferred()

    def kill(self, why):
        pass


class Scene:
    """A trial that has begun: ``conns`` are its connections, ``got`` what came of it."""

    def __init__(self, kit, monkeypatch, tmp_path, **relay):
        secret = tmp_path / "secret"
        secret.write_text("geheim\n")
        secret.chmod(0o600)
        given = {key: str(secret) if value == "secret" else value for key, value in relay.items()}
        self.clock = Clock()
        self.farm = kit.FakeServers(self.clock)
        monkeypatch.setattr(module, "connect", self.farm.connect)
        self.commands: list[FakeCommand] = []
        self.relaying = Smarthost(
            Relay.model_validate({"host": "relay.example", **given}),
            reactor=self.clock,
            pause=None,
            nonce=lambda: "nonce",
            command=self.start,
        )
        timeouts = Settings().smtp.timeouts
        trial = RelayCheck(self.relaying, SITE, reactor=self.clock, hostname="me.example", timeouts=timeouts)
        self.got: list[object] = []
        Deferred.fromCoroutine(trial.passed()).addBoth(self.got.append)

    def start(self, *_):
        self.commands.append(FakeCommand())
        return self.commands[-1]

    @property
    def conns(self):
        return self.farm.made

    @property
    def fault(self):
        (failure,) = self.got
        assert isinstance(failure, Failure)
        assert isinstance(failure.value, OwnFault)
        return str(failure.value)

    def check_passed(self):
        (tried,) = self.got
        assert (tried.peer is None) == bool(tried.why)
        self.clock.advance(100)
        assert not self.farm.open
        assert self.clock.getDelayedCalls() == []


@pytest.fixture
def scene(kit, monkeypatch, tmp_path):
    return lambda **relay: Scene(kit, monkeypatch, tmp_path, **{"username": "anna", "password_file": "secret", **relay})


def test_a_relay_that_lets_us_in_is_left_again_and_nothing_is_sent(scene):
    one = scene()
    (conn,) = one.conns
    options = conn.options["session_options"]
    assert (options.credentials.username, options.tls, options.hostname) == ("anna", "verify", "me.example")
    assert (conn.options["port"], conn.options["timeouts"].connect) == (587, 5.0)
    assert conn.options["forbidden"]("10.0.0.1") is None
    conn.greet()
    assert conn.leaving
    one.check_passed()
    assert one.farm.sent == []


def test_a_refused_sign_in_refuses_the_start_at_the_first_address(scene):
    one = scene()
    one.conns[0].close(*NO, own_fault=True)
    assert one.fault == (
        "the relay relay.example refuses to sign us in: 535 5.7.8 no (user anna, PLAIN); "
        "check relay.username and relay.password_file"
    )
    assert len(one.conns) == 1, "a relay locks out who tries too often"
    assert one.clock.getDelayedCalls() == []


def test_a_certificate_that_is_not_good_refuses_the_start(scene):
    one = scene()
    for conn in (0, 1):
        one.conns[conn].close(Stage.STARTTLS, None, "certificate verify failed", Category.TLS, tls_failed=True)
    assert "certificate verify failed; nothing was sent. Check relay.host" in one.fault


def test_an_address_that_does_not_answer_hides_no_bad_certificate(scene):
    """As `localhost` has it: the server listens at 127.0.0.1, and nothing does at ::1."""
    one = scene()
    one.conns[0].close(Stage.STARTTLS, None, "certificate verify failed", Category.TLS, tls_failed=True)
    one.conns[1].close(Stage.CONNECT, None, "connection refused", Category.CONNECTION)
    assert "certificate verify failed; nothing was sent. Check relay.host" in one.fault


def test_a_relay_that_answers_no_large_hello_is_asked_with_a_small_one(scene):
    one = scene()
    one.conns[0].wants_small_hello = True
    one.conns[0].close(Stage.STARTTLS, None, "no TLS handshake within 5 s", Category.TLS, tls_failed=True)
    options = [conn.options["session_options"].small_hello for conn in one.conns]
    assert (options, [conn.peer.ip for conn in one.conns]) == ([False, True], ["10.0.0.1", "10.0.0.1"])
    one.conns[1].greet()
    one.check_passed()


def test_a_fault_of_the_machine_is_told_as_the_relays(scene):
    one = scene()
    one.conns[0].close(Stage.CONNECT, None, "network is unreachable", own_fault=True)
    assert one.fault == "the relay relay.example: network is unreachable"


def test_one_good_address_is_enough(scene):
    one = scene()
    one.conns[0].close(Stage.STARTTLS, None, "certificate verify failed", Category.TLS, tls_failed=True)
    one.conns[1].greet()
    one.check_passed()
    assert [conn.peer.ip for conn in one.conns] == ["10.0.0.1", "10.0.0.2"]


@pytest.mark.parametrize(
    "closed",
    [
        (Stage.CONNECT, None, "connection refused", Category.CONNECTION),
        (Stage.GREETING, Reply(421, ("busy",)), "refused: 421 busy"),
        (Stage.AUTH, Reply(454, ("later",)), "later", Category.CONNECTION),
    ],
)
def test_a_relay_that_is_down_or_busy_is_an_outage_and_no_reason_not_to_start(scene, closed):
    one = scene()
    one.conns[0].close(*closed)
    one.conns[1].close(*closed)
    one.check_passed()
    assert len(one.conns) == 2


def test_a_silent_relay_keeps_nobody_waiting(scene):
    one = scene()
    one.clock.advance(9.9)
    assert one.got == []
    one.clock.advance(0.2)
    one.check_passed()
    assert len(one.conns) == 1


def test_no_token_no_start_and_one_that_is_refused_is_replaced_once(scene):
    token = {"password_file": None, "token_command": ["/bin/true"]}
    one = scene(**token)
    assert one.conns == []
    one.commands[0].output.errback(Failure(CommandFailedError("/bin/true ended with status 1")))
    assert one.fault == "no token for the relay relay.example (relay.token_command): /bin/true ended with status 1"

    one = scene(**token)
    one.commands[0].output.callback(b"old\n")
    one.conns[0].close(*NO, own_fault=True)
    one.commands[1].output.callback(b"new\n")
    assert one.conns[1].options["session_options"].credentials.secret == "new"
    assert one.conns[1].peer.ip == "10.0.0.1"
    one.conns[1].close(*NO, own_fault=True)
    assert "relay.token_command" in one.fault


def test_a_token_that_takes_too_long_is_not_waited_for(scene):
    one = scene(password_file=None, token_command=["/bin/true"])
    one.clock.advance(11)
    assert one.got == [(None, "it did not answer within 10 s")]
    one.commands[0].output.callback(b"late\n")
    assert one.conns == []
