"""Everything the lanes of a process share: clocks, gates, the memory of hosts, the ledger, and the pause.

A pause is our own fault (no disk, no resolver, no route out): nothing new is sent, one line says so, every five
seconds it is tried again, and no recipient is charged for the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address
from random import Random
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from bulkmail.delivery.gates import Gates
from bulkmail.delivery.ledger import Ledger
from bulkmail.delivery.message import Message
from bulkmail.delivery.relay import Relaying
from bulkmail.mail import Outcome, Stage
from bulkmail.net import Connection, ConnectionListener, SessionOptions, TlsContexts, connect, own_address
from bulkmail.routing import Site, Stop, forbidden_address, plan
from bulkmail.settings import Settings
from bulkmail.shaping import Decision, Habit, HostMemory, Limits, Memory, Provider, Verdict, learn, limits_for
from bulkmail.smtp import Settled, TlsMode

if TYPE_CHECKING:
    from bulkmail.delivery.feeder import Feeder
    from bulkmail.delivery.lane import Lane

_log = Logger("bulkmail")

_TRY_AGAIN = 5.0
_MOST_SAID = 20
_BRISK_CONNECT = 5.0  # for a host that is not the site's last hope


class Street:
    """What lanes, walks and the feeder share. ``feeder`` is set once, right after both are made.

    ``speed`` divides every wait that is not a setting (a rehearsal's settings are divided already). With
    ``rehearsal`` no address outside loopback is connected to, whatever a resolver says. ``ca_file``: who may sign the
    servers' certificates, instead of the system's authorities. ``sites``: what sites have taught an earlier process.
    ``relay``: where all mail goes, if it does.
    """

    log = Logger("bulkmail")
    feeder: Feeder

    def __init__(
        self,
        *,
        reactor: Any,
        settings: Settings,
        hostname: str,
        ledger: Ledger,
        providers: Mapping[str, Provider],
        wall: Callable[[], float],
        rng: Random,
        connections: int,
        speed: float,
        rehearsal: bool = False,
        ca_file: str | None = None,
        sites: Memory | None = None,
        relay: Relaying | None = None,
    ) -> None:
        self.reactor = reactor
        self.now: Callable[[], float] = reactor.seconds  # the monotonic clock, in seconds
        self.settings = settings
        self.ledger = ledger
        self.wall = wall
        self.rng = rng
        self.held = 0
        self.hurry = False  # somebody asked twice to stop
        self.paused = False
        self.fault = ""
        self.memory = HostMemory(first=60.0 / speed, longest=1800.0 / speed)
        self.sites = Memory() if sites is None else sites
        self.notify = "" if settings.smtp.dsn == "none" else settings.smtp.dsn.upper()  # RFC 3461 4.1
        self.gates = Gates(self._limits, connections, self._pace_of, self._keep_pace)
        self._hostname = hostname
        self._providers = providers
        default = settings.shaping.default
        self._default = Limits(
            connections=default.connections,
            messages_per_connection=default.messages_per_connection,
            rate=default.rate,
            connection_rate=default.connection_rate,
            idle=default.idle,
        )
        self.relay = relay
        self._speed = speed
        self._paused_at = 0.0
        self._said: set[str] = set()
        self._contexts = TlsContexts(ca_file if relay is None else relay.ca_file)
        self._rehearsal = rehearsal
        ledger.due = self._due
        timeouts = settings.smtp.timeouts
        self._brisk = timeouts.model_copy(update={"connect": min(timeouts.connect, _BRISK_CONNECT)})

    def scaled(self, seconds: float) -> float:
        """A wait of our own, shortened in a rehearsal."""
        return seconds / self._speed

    def limits_of(self, site: Site) -> Limits:
        """What the site takes: its provider's limits, else the default."""
        return self._limits(site.provider)

    def _limits(self, provider: str) -> Limits:
        return limits_for(provider, self._providers, self._default) if self.relay is None else self.relay.limits

    def _pace_of(self, key: str) -> tuple[float, float]:
        rate, width = (self.sites.known(key, habit, self.wall()) for habit in (Habit.RATE, Habit.WIDTH))
        return rate.value if rate else 1.0, width.value if width else 1.0

    def _keep_pace(self, key: str, pace: tuple[float, float]) -> None:
        for habit, factor in zip((Habit.RATE, Habit.WIDTH), pace, strict=True):
            if factor < 1.0:
                self.sites.learn(key, learn(habit, self.wall(), factor))
            else:
                self.sites.forget(key, habit)

    # connecting

    def plan(self, site: Site) -> list[Stop]:
        """The site's addresses in the order in which they are to be tried (see `routing.plan`)."""
        return plan(site, self.memory, self.now(), self.rng)

    def tls_mode(self, lane: Lane) -> TlsMode:
        """How much encryption this lane asks for."""
        return TlsMode(lane.limits.tls or self.settings.tls.mode)

    def connect(
        self, lane: Lane, host: str, ip: str, *, in_clear: bool, patient: bool, listener: ConnectionListener
    ) -> Connection:
        """Open a connection; ``patient`` when no other host is left to try. Raises OwnFault."""
        mode = self.tls_mode(lane)
        if in_clear or (mode is TlsMode.OPPORTUNISTIC and self._cannot_do_tls(ip)):
            mode = TlsMode.OFF
        smtp, relay = self.settings.smtp, self.relay
        options = SessionOptions(
            self._hostname,
            mode,
            pipelining=smtp.pipelining == "auto" and lane.habits.groups,
            chunking=smtp.chunking == "auto" and lane.habits.chunks,
            small_hello=self.sites.known(ip, Habit.HELLO, self.wall()) is not None,
        )
        return connect(
            self.reactor,
            ip=ip,
            host=host,
            port=smtp.port if relay is None else relay.port,
            source_ip="",
            session_options=options if relay is None else relay.options(options),
            timeouts=smtp.timeouts if patient else self._brisk,
            tls_contexts=self._contexts,
            listener=listener,
            forbidden=self._forbidden,
        )

    def _forbidden(self, ip: str) -> str | None:
        if self._rehearsal and not ip_address(ip).is_loopback:
            return f"a rehearsal reaches nothing but loopback, and {ip} is not there"
        if self.relay is not None:
            return None  # the operator named it, wherever it is
        return forbidden_address(ip, self.settings.routing.allow_networks, own_address)

    def may_go_in_clear(self, lane: Lane) -> bool:
        """Whether a host whose TLS is broken may be spoken to in clear."""
        return self.tls_mode(lane) is TlsMode.OPPORTUNISTIC

    def tls_broken(self, ip: str) -> None:
        """Remember that this address cannot do TLS."""
        self.sites.learn(ip, learn(Habit.TLS, self.wall()))

    def hello_unanswered(self, ip: str) -> None:
        """A large TLS hello got no answer: from now on this address gets a small one."""
        self.sites.learn(ip, learn(Habit.HELLO, self.wall()))

    def tls_failed(self, ip: str) -> None:
        """TLS failed for another reason, or with the small hello, too: the next one is as usual."""
        self.sites.forget(ip, Habit.HELLO)

    def _cannot_do_tls(self, ip: str) -> bool:
        return self.sites.known(ip, Habit.TLS, self.wall()) is not None

    # messages

    def record(
        self, message: Message, outcome: Outcome, provider: str, began: float, since: float = 0.0
    ) -> tuple[Verdict, Decision]:
        """One attempt is over: written down, and its retry, if any, on the feeder's list (see `Ledger.record`)."""
        verdict, decision = self.ledger.record(message, outcome, provider, began, since)
        if self.fault and outcome.reply is not None:
            self._all_well()
        if decision.next_at is not None:
            run = message.run
            if run.next_try_at is None or decision.next_at < run.next_try_at or run.next_try_at < self.wall():
                run.next_try_at = decision.next_at
        return verdict, decision

    def give_back(self, messages: Iterable[Message], due: float) -> None:
        """Return untouched messages to the spool, due again at ``due`` on the wall clock (0: at once)."""
        self.ledger.give_back(messages, due)

    def _due(self, wall: float) -> None:
        """A row is due at ``wall``, and the spool knows it: a look before that would miss it."""
        self.feeder.due_at(wall)

    def expires(self, since: float, until_now: float) -> bool:
        """Whether an outage that began at ``since`` (wall) outlasts, at ``until_now`` (clock), what a row may wait."""
        until = self.wall() + max(0.0, until_now - self.now())
        return until > since + self.ledger.pauses.since(since) + self.settings.retry.expire_after

    # what lanes tell

    def hold(self, count: int) -> None:
        """``count`` more (or fewer) messages are in somebody's hands."""
        self.held += count
        if count < 0:
            self.feeder.freed()

    def hungry(self, lane: Lane) -> None:
        """The lane may have room for more messages; the feeder hears of it once that is half of its stock."""
        if lane.wants > lane.stock // 2:
            self.feeder.hungry(lane)

    def lane_down(self, lane: Lane) -> None:
        """The lane rests."""
        self.feeder.lane_down(lane)

    def relay_fault(self, text: str) -> None:
        """The relay does not want us: pause, and ask it again less and less often."""
        if self.relay is not None and not self.paused:
            wait = self.relay.wait
            self.own_fault(text, wait, f"in {wait:g} s, and then less and less often")

    def turned_away(self, event: Settled) -> bool:
        """Whether a relay's reply is about us and not about the recipient: that pauses, and it is not charged.

        A dot is in the journal by now: its recipient is charged all the same, the first of all.
        """
        words = "" if self.relay is None else self.relay.turned_away(event)
        if words:
            self.relay_fault(words)
        return bool(words) and event.stage is not Stage.DOT

    def own_fault(self, text: str, wait: float = _TRY_AGAIN, again: str = "every 5 s") -> None:
        """A fault of our own: pause, say so once, try again after a ``wait``; ``again`` says so to people."""
        if text not in self._said and len(self._said) < _MOST_SAID:
            self._said.add(text)  # a full disk has several texts, one for each who writes: each is told once
            _log.error("sending is paused: {text}; it is tried again {again}", text=text, again=again)
        self.fault = text
        if not self.paused:
            self.paused = True
            self._paused_at = self.now()
            self.reactor.callLater(wait, self._resume)

    def clock_was_set(self, seconds: float) -> None:
        """The machine's clock was set, or the machine slept: forward by so many seconds, or back."""
        if seconds > 0:
            self.ledger.pauses.add(self.wall(), seconds)
            _log.warn("the clock was set forward by {seconds:,.0f} s; nobody's retries end for it", seconds=seconds)
        else:
            words = "the clock was set back by {seconds:,.0f} s; until the next start the time goes on as it was"
            _log.warn(words, seconds=-seconds)

    def _resume(self) -> None:
        self.paused = False
        self.ledger.pauses.add(self.wall(), self.now() - self._paused_at)
        self.feeder.resume()

    def _all_well(self) -> None:
        if not self.paused:
            _log.info("sending goes on")
            self.fault = ""
            self._said.clear()
