from __future__ import annotations

from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from bulkmail.delivery import Clocks, Pause
from bulkmail.delivery.pause import RelayPause
from bulkmail.delivery.relay import Smarthost, smarthosts
from bulkmail.mail import Category, Fate, Rate, Reply, Stage
from bulkmail.net import SessionOptions
from bulkmail.routing import MxHost, Site
from bulkmail.settings import Relay, Settings
from bulkmail.smtp import Closed, Settled, TlsMode
from bulkmail.workers import CommandFailedError

A, B = "10.0.0.1", "10.0.0.2"
SITE = Site("relay r 587", (MxHost(0, "relay.example", (A,)),), "relay", "relay relay.example")
REFUSED = Closed(
    Stage.AUTH,
    Reply(535, ("5.7.8 no",)),
    "the server refuses to sign us in: 535 5.7.8 no (user anna, PLAIN)",
    own_fault=True,
)


class FakeCommand:
    """Every start is kept; the test says what each printed."""

    def __init__(self):
        self.output: Deferred[bytes] = Deferred()
        self.killed = ""

    def kill(self, why):
        self.killed = why


class Commands(list):
    def start(self, reactor, words, within):
        assert within == 30.0
        self.append(FakeCommand())
        self[-1].words = words
        return self[-1]


@pytest.fixture
def commands():
    return Commands()


@pytest.fixture
def relaying(tmp_path, commands):
    secret = tmp_path / "secret"
    secret.write_text("geheim\n")
    secret.chmod(0o600)

    def make(clock=None, pause=None, **given):
        given = {key: str(secret) if value == "secret" else value for key, value in given.items()}
        relay = Relay.model_validate({"host": "relay.example", **given})
        pause = pause or SimpleNamespace(fault="")
        return Smarthost(relay, reactor=clock or Clock(), pause=pause, nonce=lambda: "nonce", command=commands.start)

    make.secret = secret
    return make


def settled(code, text="", stage=Stage.MAIL):
    fate = Fate.ACCEPTED if code < 400 else Fate.REFUSED
    return Settled(None, 0, fate, stage, Reply(code, (text,)))


# -- how a session is spoken


@pytest.mark.parametrize(
    ("given", "mode", "implicit"),
    [
        ({}, TlsMode.VERIFY, False),
        ({"port": 465}, TlsMode.VERIFY, True),
        ({"tls": "opportunistic"}, TlsMode.OPPORTUNISTIC, False),
        ({"tls": "off"}, TlsMode.OFF, False),
    ],
)
def test_how_much_tls(relaying, given, mode, implicit):
    one = relaying(**given)
    assert one.limits.tls == mode
    options = one.options(SessionOptions("me.example", mode))
    assert (options.implicit_tls, options.credentials, options.pipelining) == (implicit, None, True)
    assert options.allow_own_name, "a smarthost on this machine has the machine's name"


@pytest.mark.parametrize(
    ("given", "mechanism"),
    [
        ({"password_file": "secret"}, ""),
        ({"password_file": "secret", "auth": "cram-md5"}, "CRAM-MD5"),
        ({"token_file": "secret"}, "XOAUTH2"),
    ],
)
def test_who_signs_in(relaying, given, mechanism):
    one = relaying(username="anna", **given)
    found = one.options(SessionOptions("me.example", TlsMode.VERIFY)).credentials
    assert (found.username, found.secret, found.mechanism, found.nonce) == ("anna", "geheim", mechanism, "nonce")
    assert one.prepared
    assert "geheim" not in repr(one)


def test_its_own_limits(relaying):
    one = relaying(connections=3, messages_per_connection=7, idle="5s", rate="14/s", connection_rate="6/m")
    found = one.limits
    assert (found.connections, found.messages_per_connection, found.idle) == (3, 7, 5.0)
    assert (found.rate, found.connection_rate) == (Rate(14, 1.0, 1), Rate(6, 60.0, 1))


# -- tokens


def test_a_token_comes_from_its_command_once_for_all_who_wait(relaying, commands):
    one = relaying(username="anna", token_command=["/bin/echo", "smtp"])
    told = []
    assert not one.prepared
    one.prepare(told.append)
    one.prepare(told.append)
    assert (len(commands), commands[0].words, told) == (1, ("/bin/echo", "smtp"), [])
    commands[0].output.callback(b"ya29\n")
    assert (told, one.prepared) == (["", ""], True)
    assert one.options(SessionOptions("me")).credentials.secret == "ya29"
    assert one.renew()
    assert not one.prepared
    one.prepare(told.append)
    commands[1].output.callback(b"newer")
    assert one.options(SessionOptions("me")).credentials.secret == "newer"


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (b"", "what /bin/echo printed is empty"),
        (b"a\nb", "what /bin/echo printed must hold the secret in one line"),
        (Failure(CommandFailedError("/bin/echo ended with status 3")), "/bin/echo ended with status 3"),
    ],
)
def test_a_command_that_gives_no_token(relaying, commands, outcome, words):
    one = relaying(username="anna", token_command=["/bin/echo"])
    told = []
    one.prepare(told.append)
    commands[0].output.callback(outcome)
    assert told[0].startswith(f"no token for the relay relay.example (relay.token_command): {words}")
    assert not one.prepared
    one.prepare(told.append)
    assert len(commands) == 2


def test_no_command_runs_on(relaying, commands):
    one = relaying(username="anna", token_command=["/bin/echo"])
    one.close()
    one.prepare(lambda _why: None)
    one.close()
    assert commands[0].killed == "is not needed any more"


def test_a_token_file_is_read_anew(relaying):
    one = relaying(username="anna", token_file="secret")
    assert not one.renew(), "the same token again is of no use"
    relaying.secret.write_text("newer\n")
    assert one.renew()
    assert one.options(SessionOptions("me")).credentials.secret == "newer"
    relaying.secret.unlink()
    assert not one.renew()
    assert not relaying(username="anna", password_env="HOME").renew(), "a password is read once"


# -- what concerns our own settings


@pytest.mark.parametrize(
    ("given", "closed", "words"),
    [
        (
            {"username": "anna", "password_file": "secret"},
            REFUSED,
            (
                "the relay relay.example refuses to sign us in: 535 5.7.8 no (user anna, PLAIN); "
                "check relay.username and relay.password_file"
            ),
        ),
        (
            {},
            Closed(Stage.STARTTLS, None, "certificate verify failed", Category.TLS, tls_failed=True),
            (
                "the relay relay.example: certificate verify failed; nothing was sent. "
                "Check relay.host, relay.tls and relay.ca_file"
            ),
        ),
        ({"tls": "opportunistic"}, Closed(Stage.STARTTLS, None, "no", Category.TLS, tls_failed=True), ""),
        ({}, Closed(Stage.CONNECT, None, "connection refused", Category.CONNECTION), ""),
        ({}, Closed(Stage.AUTH, Reply(454, ("later",)), "later", Category.CONNECTION), ""),
        (
            {},
            Closed(Stage.CONNECT, None, "too many open files", own_fault=True),
            "the relay relay.example: too many open files",
        ),
    ],
)
def test_what_is_ours_to_mend(relaying, given, closed, words):
    assert relaying(**given).fault_of(closed) == words


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (settled(530, "5.7.0 Authentication required"), "wants a sign-in: 530 5.7.0"),
        (settled(530, "5.7.0 Must issue a STARTTLS command first", Stage.RCPT), "wants TLS first"),
        (settled(538, "5.7.11 Encryption required for requested authentication mechanism"), "set relay.tls to"),
        (settled(550, "5.1.8 sender not known"), "takes no mail from us: 550 5.1.8"),
        (settled(554, "5.7.1 <a@b.example>: Relay access denied", Stage.RCPT), "takes no mail from us: 554"),
        (settled(454, "4.7.1 <a@b.example>: Relay access denied", Stage.RCPT), "takes no mail from us: 454"),
        (settled(550, "relaying to this domain is not permitted", Stage.RCPT), "takes no mail from us"),
        (settled(554, "Message rejected: Email address is not verified.", Stage.DOT), "takes no mail from us"),
        (
            settled(550, "The from address does not match a verified Sender Identity.", Stage.DATA),
            "takes no mail from us",
        ),
        (settled(451, "4.3.0 busy"), ""),
        (settled(550, "5.1.1 no such user", Stage.RCPT), ""),
        (settled(552, "5.3.4 too large", Stage.DOT), ""),
        (settled(250, "ok", Stage.DOT), ""),
        (Settled(None, 0, Fate.LOST, Stage.MAIL), ""),
    ],
)
def test_what_the_relay_says_of_us_and_not_of_a_recipient(relaying, event, words):
    found = relaying().fault_in_reply(event)
    assert words in found
    assert bool(words) is bool(found)


def test_once_it_has_taken_a_message_its_refusals_are_about_recipients(relaying):
    one = relaying()
    assert one.fault_in_reply(settled(250, "ok", Stage.DOT)) == ""
    assert one.fault_in_reply(settled(554, "Relay access denied", Stage.RCPT)) == ""
    assert one.fault_in_reply(settled(550, "no")) == ""
    assert one.fault_in_reply(settled(530, "Authentication required")) != "", "this never is"


def test_it_is_asked_less_and_less_often(relaying):
    one = relaying()
    assert [one.wait for _ in range(8)] == [5, 10, 20, 40, 80, 160, 300, 300]
    one.fault_in_reply(settled(250, "ok", Stage.DOT))
    assert one.wait == 5


# -- in the whole delivery


@pytest.fixture
def through(world, relaying):
    """A world whose mail goes through a relay."""

    def make(site=SITE, **given):
        one = world(relay=lambda clock, pause: relaying(clock, pause, **given))
        one.route = route = lambda domain: one.routed.append(domain) or _given(site)
        one.feeder.open_queues._route_domain = route
        return one

    return make


async def _given(site):
    return site


def test_all_domains_share_its_lane_and_its_limits(through):
    one = through(connections=2, rate="1000/s", connection_rate="1000/s")
    one.farm.obliging()
    run = one.campaign({f"d{n}.example": 3 for n in range(200)})
    one.send()
    assert one.statuses(run)["delivered"] == 600
    assert (one.farm.most, len(one.feeder.lanes)) == (2, 1)
    assert {connection.options["port"] for connection in one.farm.made} == {587}
    assert {connection.peer.ip for connection in one.farm.made} == {A}, "a private address, and the operator's own word"
    assert one.farm.made[0].options["forbidden"](A) is None
    assert run.by_provider == {"relay": {"delivered": 600}}


def test_a_refused_sign_in_pauses_and_charges_nobody(through):
    one = through(username="anna", password_file="secret")
    run = one.campaign({"a.example": 5, "b.example": 5})
    one.start()
    one.until(lambda: one.farm.made)
    one.farm.made[0].close(REFUSED.stage, REFUSED.reply, REFUSED.reason, own_fault=True)
    assert one.pause.paused
    assert one.pause.fault.startswith("the relay relay.example refuses to sign us in: 535")
    one.run(4.9)
    assert len(one.farm.made) == 1
    one.run(0.5)
    assert len(one.farm.made) == 2, "asked again"
    one.farm.made[1].close(REFUSED.stage, REFUSED.reply, REFUSED.reason, own_fault=True)
    one.run(9.0)
    assert len(one.farm.made) == 2, "but not so soon any more"
    assert one.attempts() == []
    one.farm.obliging()
    one.until(lambda: run.complete)
    assert one.statuses(run)["delivered"] == 10
    assert not one.pause.fault


def test_a_token_that_has_expired_is_replaced_without_a_pause(through, commands):
    one = through(username="anna", token_command=["/bin/echo"])
    run = one.campaign({"a.example": 3})
    one.start()
    one.until(lambda: commands)
    assert one.farm.made == []
    commands[0].output.callback(b"old")
    first = one.farm.made[0]
    assert first.options["session_options"].credentials.secret == "old"
    first.close(REFUSED.stage, REFUSED.reply, REFUSED.reason, own_fault=True)
    assert not one.pause.paused
    commands[1].output.callback(b"new")
    assert one.farm.made[1].options["session_options"].credentials.secret == "new"
    one.farm.made[1].close(REFUSED.stage, REFUSED.reply, REFUSED.reason, own_fault=True)
    assert one.pause.paused, "a fresh token that is refused is no matter of time"
    assert one.attempts() == []
    assert not run.complete


def test_a_command_that_fails_pauses(through, commands):
    one = through(username="anna", token_command=["/bin/echo"])
    one.campaign({"a.example": 3})
    one.start()
    one.until(lambda: commands)
    commands[0].output.errback(CommandFailedError("/bin/echo ended with status 1"))
    assert one.pause.fault.startswith("no token for the relay relay.example")
    assert (one.pause.paused, one.farm.made, one.attempts()) == (True, [], [])
    one.run(6.0)
    assert len(commands) == 2


def test_a_stop_while_the_token_is_waited_for(through, commands):
    one = through(username="anna", token_command=["/bin/echo"])
    one.campaign({"a.example": 3})
    one.start()
    one.until(lambda: commands)
    one.feeder.stop()
    commands[0].output.callback(b"late")
    assert one.farm.made == []
    (lane,) = one.feeder.lanes.values()
    assert lane.retire(), "nothing of it is left"


def test_a_bad_certificate_pauses_once_the_last_address_has_shown_one(through):
    site = Site("relay r 587", (MxHost(0, "relay.example", (A,)), MxHost(1, "relay.example", (B,))), "relay", "relay")
    one = through(site)
    run = one.campaign({"a.example": 3})
    one.start()
    one.until(lambda: one.farm.made)
    one.farm.made[0].close(Stage.STARTTLS, None, "certificate verify failed", Category.TLS, tls_failed=True)
    assert not one.pause.paused
    one.farm.made[1].close(Stage.STARTTLS, None, "certificate verify failed", Category.TLS, tls_failed=True)
    assert "certificate verify failed; nothing was sent" in one.pause.fault
    assert one.attempts() == []
    one.farm.obliging()
    one.until(lambda: run.complete)


def test_an_address_that_does_not_answer_hides_no_bad_certificate(through):
    """As `localhost` has it: the server listens at 127.0.0.1, and nothing does at ::1."""
    site = Site("relay r 587", (MxHost(0, "relay.example", (A,)), MxHost(1, "relay.example", (B,))), "relay", "relay")
    one = through(site)
    one.campaign({"a.example": 3})
    one.start()
    one.until(lambda: one.farm.made)
    one.farm.made[0].close(Stage.STARTTLS, None, "certificate verify failed", Category.TLS, tls_failed=True)
    one.farm.made[1].close(Stage.CONNECT, None, "connection refused", Category.CONNECTION)
    assert "certificate verify failed; nothing was sent" in one.pause.fault
    assert one.attempts() == []


def test_a_relay_that_is_down_is_an_outage_of_its_site(through):
    one = through()
    one.farm.dead = {A}
    run = one.campaign({"a.example": 3, "b.example": 3})
    one.start()
    one.run(60.0)
    assert [(result, category) for _, _, result, category in one.attempts()] == [("deferred", "connection")]
    assert not one.pause.fault
    one.farm.dead = set()
    one.farm.obliging()
    one.until(lambda: run.complete)
    assert one.statuses(run)["delivered"] == 6


def test_sign_in_first_is_said_of_no_recipient(through):
    one = through(rate="1000/s")
    one.farm.connects = True
    run = one.campaign({"a.example": 30})
    one.farm.answers = lambda connection: connection.answer(530, "5.7.0 Authentication required", stage=Stage.MAIL)
    one.start()
    one.run(200.0)
    assert one.attempts() == []
    assert "wants a sign-in" in one.pause.fault
    one.farm.answers = 250
    one.until(lambda: run.complete)
    assert one.statuses(run)["delivered"] == 30


def test_a_sender_refused_behind_the_dot_charges_one_and_pauses(through):
    one = through(rate="1000/s", connections=1)
    one.farm.follows = False
    one.farm.obliging(554)
    one.farm.answers = lambda connection: one.clock.callLater(
        0.05, connection.answer, 554, "Message rejected: Email address is not verified"
    )
    one.campaign({"a.example": 30})
    one.start()
    one.run(4.0)
    assert len(one.attempts()) == 1
    assert "takes no mail from us" in one.pause.fault


@pytest.mark.heavy
@pytest.mark.parametrize("rows", [1, 2])
def test_small_domains_are_claimed_many_at_a_time(through, rows):
    """With a disk that takes 30 ms for each write, so many rounds of claims are the time it takes."""
    one = through(rate="100000/s", connection_rate="1000/s", messages_per_connection=100000)
    one.farm.rtt = 0.001
    one.farm.obliging()
    one.disk.delay = 0.03
    run = one.campaign({f"d{n}.example": rows for n in range(3000)})
    began = one.clock.seconds()
    one.send(limit=60.0)
    assert run.by_status["delivered"] == 3000 * rows
    assert one.clock.seconds() - began < 0.9 * rows


# -- the relays of routes


def test_the_relay_of_a_route_that_refuses_us_stops_no_other_mail(world, relaying):
    one = world()
    own = RelayPause(one.pause, one.clocks)
    one.relays["partner"] = relay = relaying(one.clock, own, username="anna", password_file="secret")
    one.connector._contexts["partner"] = one.connector._contexts[""]
    there = Site("relay relay.example 587 by partner", SITE.hosts, "partner", "relay relay.example")
    straight = one.site("s.example")

    async def route(domain):
        return there if domain == "partner.example" else straight

    one.feeder.open_queues._route_domain = route
    run = one.campaign({"partner.example": 3, "s.example": 3})
    one.start()
    one.until(lambda: len(one.farm.made) == 2)
    refused, taken = sorted(one.farm.made, key=lambda connection: connection.peer.ip != A)
    assert (refused.options["port"], taken.options["port"]) == (587, 25)
    assert (refused.options["forbidden"](A), taken.options["forbidden"](A)) == (None, "a private address")
    refused.close(REFUSED.stage, REFUSED.reply, REFUSED.reason, own_fault=True)
    assert (relay.pause.paused, one.pause.paused) == (True, False)
    assert relay.pause.fault.startswith("the relay relay.example refuses to sign us in: 535")
    one.farm.obliging()
    taken.greet()
    one.until(lambda: run.by_status["delivered"] == 3, 4.0)
    assert len(one.farm.made) == 2, "it is not asked meanwhile"
    one.until(lambda: run.complete, 10.0)
    assert one.statuses(run) == {"delivered": 6}
    assert run.by_provider == {"partner": {"delivered": 3}, "other": {"delivered": 3}}
    assert relay.pause.fault == "", "it has taken a message"


def test_the_relays_of_the_settings_are_spoken_to_under_the_names_of_their_routes():
    routes = [{"domains": ["a.example"], "relay": {"host": "in.example"}, "name": "partner"}]
    settings = Settings.model_validate({"relay": {"host": "all.example"}, "routing": {"routes": routes}})
    clocks = Clocks(Clock(), lambda: 0.0)
    pause = Pause(clocks)
    found = smarthosts(settings, reactor=Clock(), pause=pause, clocks=clocks, nonce=lambda: "nonce")
    assert {name: one.host for name, one in found.items()} == {"relay": "all.example", "partner": "in.example"}
    assert found["relay"].pause is pause
    assert isinstance(found["partner"].pause, RelayPause)
