"""Whole campaigns through a real relay: Postfix that wants a sign-in, Dovecot that judges it, TLS of both kinds."""

from __future__ import annotations

import base64
import re
import signal
from collections import Counter
from secrets import token_urlsafe
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from bulkmail.mail import Peer, Stage
from bulkmail.net import Connection, SessionOptions, TlsContexts, connect
from bulkmail.settings import Settings
from bulkmail.smtp import Closed, Credentials, Settled, Transaction

pytestmark = pytest.mark.interop


@pytest.fixture
def sent(world: Any, relay: Any) -> Any:
    """``sent(**relay settings)``: settings, names and a secret for this relay; a campaign of 20 domains to send."""

    def prepare(rows: int = 60, **changes: Any) -> Any:
        world.start_names({}, {"mx.interop.test": "127.0.0.1", "mx.other.test": "127.0.0.1"})
        secret = world.folder / "relay.secret"
        secret.write_text(changes.pop("password", relay.password) + "\n", "utf-8")
        secret.chmod(0o600)
        settings = {
            "host": "mx.interop.test",
            "port": relay.port,
            "ca_file": relay.certificate,
            "username": relay.user,
            "password_file": "relay.secret",
            "rate": "10000/s",
            "connection_rate": "1000/s",
            **changes,
        }
        # no network is allowed to an MX, and no name server knows the recipients' domains
        known = {key: value for key, value in settings.items() if value is not None}
        world.settings(port=1, routing={"allow_networks": ["192.0.2.0/24"]}, relay=known)
        return world.campaign("spring", [f"user{n}@domain{n % 20}.example" for n in range(rows)])

    return prepare


def arrived(relay: Any, until: Any, count: int) -> Counter[str]:
    until(lambda: relay.postfix.count() >= count, "Postfix to put everything into the maildir")
    found = re.findall(rb"(?m)^X-Original-To: (.*)$", b"\n".join(relay.postfix.messages()))
    return Counter(one.decode() for one in found)


class Listener:
    """Sends one message on a connection and quits."""

    def __init__(self) -> None:
        self.fates: list[str] = []
        self.tls = ""
        self.done: Deferred[Any] = Deferred()

    def connection_ready(self, conn: Connection) -> None:
        if self.fates:
            conn.quit()
        else:
            conn.submit(Transaction("a@interop.test", ("b@domain0.example",), b"Subject: hi\r\n\r\nhi\r\n"))

    def settled(self, conn: Connection, transaction: Transaction, index: int, event: Settled, peer: Peer) -> None:
        self.fates.append(str(event.fate))
        self.tls = peer.tls

    def connection_closed(self, conn: Connection, closed: Closed, peer: Peer) -> None:
        self.done.callback(closed)

    def nothing(self, *_: Any) -> None:
        pass

    about_to_dot = may_pipeline = answered = transaction_over = nothing


class EachMechanism(TestCase):
    """Each with TLS of both kinds, one connection after the other."""

    timeout = 300

    @pytest.fixture(autouse=True)
    def _relay(self, relay: Any) -> None:
        self.relay = relay

    async def talk(self, mechanism: str, password: str, *, implicit: bool, tell: Any = None) -> tuple[Listener, Closed]:
        from twisted.internet import reactor

        listener, relay = Listener(), self.relay
        conn = connect(
            reactor,
            Peer("mx.interop.test", "127.0.0.1"),
            relay.smtps if implicit else relay.port,
            session_options=SessionOptions(
                "me.example",
                "verify",
                implicit_tls=implicit,
                credentials=Credentials(relay.user, password, mechanism, token_urlsafe()),
            ),
            timeouts=Settings().smtp.timeouts,
            tls_contexts=self.contexts,
            listener=listener,
            forbidden=lambda _ip: None,
        )
        conn.tell(tell)
        closed = await listener.done
        while conn.transport is not None:
            await deferLater(reactor, 0.01)
        return listener, closed

    async def test_each_with_the_right_and_the_wrong_password(self) -> None:
        self.contexts = TlsContexts(self.relay.certificate)
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"):
            for implicit in (False, True):
                listener, closed = await self.talk(mechanism, self.relay.password, implicit=implicit)
                said = f"{closed}\n{self.relay.postfix.log()[-3000:]}"
                assert (listener.fates, listener.tls, closed.own_fault) == (["accepted"], "TLSv1.3", False), said
                listener, closed = await self.talk(mechanism, "wrong", implicit=implicit)
                assert (listener.fates, closed.stage, closed.reply.code) == ([], Stage.AUTH, 535)
                assert closed.own_fault
        log = self.relay.postfix.log()
        signed_in = re.findall(r"sasl_method=([\w-]+), sasl_username=campaigns@interop.test", log)
        assert Counter(signed_in) == dict.fromkeys(("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"), 2)
        assert self.relay.password not in log

    async def test_a_trace_has_no_secret_and_no_message(self) -> None:
        """What a real server makes of the sign-in, right and wrong, on the wire and in the trace."""
        self.contexts = TlsContexts(self.relay.certificate)
        for mechanism, begun in (("PLAIN", "AUTH PLAIN ***"), ("LOGIN", "AUTH LOGIN")):
            for password, reply in ((self.relay.password, "235 "), ("falsch gesagt", "535 ")):
                told: list[tuple[str, str]] = []
                await self.talk(mechanism, password, implicit=False, tell=lambda *line, told=told: told.append(line))
                commands = [text for what, text in told if what == "command"]
                dialogue = commands[commands.index(begun) :]
                if mechanism == "LOGIN":
                    assert dialogue[1:3] == ["***", "***"]
                assert [text for what, text in told if what == "reply" and text.startswith(reply)], told
                everything = "\n".join(text for _, text in told)
                user = self.relay.user
                assert password not in everything
                for secret in (password, f"\0{user}\0{password}", user):
                    assert base64.b64encode(secret.encode()).decode() not in everything
                assert "Subject" not in everything
                assert ("message" in [what for what, _ in told]) is reply.startswith("235")
                assert "note TLSv1.3 is established" in [f"{what} {text}" for what, text in told]
                assert "connecting" in everything
                assert "closed: " in told[-1][1]


@pytest.mark.parametrize(
    ("options", "mechanism"), [({}, "SCRAM-SHA-256"), ({"tls": "implicit", "auth": "plain"}, "PLAIN")]
)
def test_a_campaign_through_the_relay(
    world: Any, relay: Any, until: Any, sent: Any, options: dict[str, Any], mechanism: str
) -> None:
    port = relay.smtps if options.get("tls") == "implicit" else relay.port
    campaign = sent(**options, port=port, messages_per_connection=10)

    ended = world.run("-c", "spring")

    assert ended.status == 0, ended.said[-4000:]
    campaign.check_report()
    assert {(row["status"], row["mx_host"], row["mx_ip"], row["tls"], row["attempts"]) for row in campaign.rows()} == {
        ("delivered", "mx.interop.test", "127.0.0.1", "TLSv1.3", "1")
    }
    summary = campaign.summary()
    assert (summary["via_relay"], summary["by_provider"]) == ("mx.interop.test", {"relay": {"delivered": 60}})
    assert "The relay has taken the messages to 60 of 60 people" in (campaign.report / "index.html").read_text("utf-8")
    assert arrived(relay, until, 60) == dict.fromkeys(campaign.addresses, 1), "each exactly once"
    log = relay.postfix.log()
    assert set(re.findall(r"sasl_method=([\w-]+)", log)) == {mechanism}
    assert set(re.findall(r"sasl_username=([^\s,]+)", log)) == {relay.user}
    assert "Reusing old session" in log, "later connections resumed the TLS session"
    everything = ended.said + "".join(path.read_text("utf-8") for path in campaign.report.iterdir())
    assert relay.password not in everything


def check_refused(world: Any, campaign: Any, words: str) -> str:
    """It does not start, says ``words``, and has sent nothing; what it said."""
    ended = world.run("-c", "spring")
    assert ended.status == 1, ended.said[-4000:]
    assert re.search(r"(?m)^bulkmail: " + words, ended.err), ended.said[-4000:]
    assert not campaign.report.exists()
    said: str = ended.said
    return said


def paused(world: Any, running: Any, campaign: Any, until: Any, words: str) -> None:
    """Until it says ``words`` and pauses; then it is stopped."""
    until(lambda: re.search(words, running.said()), f"{words!r} in what it says")
    until(lambda: "FAULTY: " in running.said(), "the live line to say so")
    running.signal(signal.SIGTERM)
    ended = running.wait()
    assert ended.status == 3, ended.said[-4000:]
    campaign.check_report()


def test_a_wrong_password_refuses_the_start(world: Any, relay: Any, sent: Any) -> None:
    campaign = sent(password="not the password")
    words = (
        r"the relay mx\.interop\.test refuses to sign us in: 535 .*"
        r"\(user campaigns@interop\.test, SCRAM-SHA-256\); check relay\.username and relay\.password_file"
    )
    said = check_refused(world, campaign, words)
    assert "sending is paused" not in said
    assert "not the password" not in said
    assert relay.postfix.log().count("authentication failed") == 1, "a relay locks out who tries too often"
    assert relay.postfix.count() == 0


def test_a_password_that_changes_meanwhile_pauses_and_charges_nobody(
    world: Any, relay: Any, until: Any, sent: Any
) -> None:
    campaign = sent(rate="10/s", messages_per_connection=5, connections=1)
    running = world.start("-c", "spring")
    until(lambda: relay.postfix.count() >= 6, "the first messages")
    with relay.another_password():
        words = r"sending is paused: the relay mx\.interop\.test refuses to sign us in: 535 .*check relay\.username"
        paused(world, running, campaign, until, words)
    assert set(campaign.statuses()) == {"delivered", "pending"}
    assert {row["result"] for row in campaign.attempts()} == {"delivered"}


def test_a_certificate_of_nobody_we_trust_refuses_the_start_and_shows_nothing(
    world: Any, relay: Any, sent: Any
) -> None:
    campaign = sent(ca_file=None)
    check_refused(world, campaign, r"the relay mx\.interop\.test: .*certificate verify failed; nothing was sent")
    assert "sasl_method" not in relay.postfix.log()


def test_a_certificate_for_another_name_refuses_the_start_and_shows_nothing(world: Any, relay: Any, sent: Any) -> None:
    campaign = sent(host="mx.other.test")
    check_refused(world, campaign, r"the relay mx\.other\.test: the certificate is not for mx\.other\.test")
    assert "sasl_method" not in relay.postfix.log()


def test_no_password_goes_out_in_clear(world: Any, relay: Any, sent: Any) -> None:
    """Postfix offers AUTH under TLS only; even so it is we who do not sign in."""
    campaign = sent(tls="off", ca_file=None)
    check_refused(world, campaign, r"the relay mx\.interop\.test offers no AUTH, and a user name is set")
    assert "sasl_method" not in relay.postfix.log()


def test_a_sign_in_that_is_missing_pauses_and_charges_nobody(world: Any, relay: Any, until: Any, sent: Any) -> None:
    """Postfix refuses MAIL then; that is no verdict on any recipient."""
    campaign = sent(username=None, password_file=None)
    words = r"the relay mx\.interop\.test takes no mail from us: 554 5\.7\.1 .*Access denied"
    paused(world, world.start("-c", "spring"), campaign, until, words)
    assert campaign.statuses() == {"pending": 60}
    assert campaign.attempts() == []
    assert relay.postfix.count() == 0


def test_a_relay_that_has_no_address_is_refused_at_the_start(world: Any, sent: Any) -> None:
    campaign = sent(host="mx.nowhere.test")
    ended = world.run("-c", "spring")
    assert ended.status == 1
    assert "the relay (relay.host) cannot be found: mx.nowhere.test does not exist" in ended.err
    assert not campaign.report.exists()


def test_a_relay_that_is_down_is_an_outage(world: Any, relay: Any, sent: Any) -> None:
    campaign = sent(port=1)
    world.settings(port=1, retry={"schedule": ["1h"]}, relay={"host": "mx.interop.test", "port": 1})
    ended = world.run("-c", "spring", "--once")
    assert ended.status == 3
    campaign.check_report()
    assert campaign.statuses() == {"pending": 59, "deferred": 1}
    assert {(row["stage"], row["mx_host"]) for row in campaign.attempts()} == {("connect", "mx.interop.test")}


def test_a_rehearsal_does_without_the_relay(world: Any, relay: Any, sent: Any) -> None:
    sent(password="wrong all the same")
    ended = world.run("-c", "spring", "--rehearse")
    assert ended.status == 0, ended.said[-4000:]
    assert relay.postfix.count() == 0
    assert 'via_relay": null' in (world.folder / "spring" / "rehearsal" / "summary.json").read_text()


def test_the_doctor_signs_in_and_sends_nothing(world: Any, relay: Any, sent: Any) -> None:
    sent(rows=1)
    well = world.bulkmail("doctor")
    assert (
        f"ok       sign-in      the relay mx.interop.test (127.0.0.1) lets us in as {relay.user}, with TLSv1"
        in well.out
    )
    (world.folder / "relay.secret").write_text("wrong\n")
    wrong = world.bulkmail("doctor")
    assert wrong.status == 1
    assert "error    sign-in      the relay mx.interop.test refuses to sign us in: 535 " in wrong.out, wrong.said
    assert relay.postfix.count() == 0
