"""The rehearsed world as a process of its own: ``python -m bulkmail.rehearsal``.

One line of JSON says where it is (``{"dns": "127.0.0.1:PORT", "smtp_port": N, ...}``), one at the end what it took. It
ends when its standard input does, so none is left behind a killed parent, or on SIGTERM. SIGINT ends it only when it
runs at a terminal by itself: a Ctrl-C meant for the mailer must not take the receivers away first.
"""

from __future__ import annotations

import argparse
import datetime as dt
import errno
import json
import os
import resource
import signal
import stat
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)
from zope.interface import implementer

from bulkmail.rehearsal.certificates import Authority
from bulkmail.rehearsal.dns import Answers, listen
from bulkmail.rehearsal.farm import Farm, require_loopback
from bulkmail.rehearsal.later import INBOUND, PAGE
from bulkmail.rehearsal.network import SimulatedNetwork
from bulkmail.rehearsal.returning import Returning
from bulkmail.rehearsal.store import NoStore, Store
from bulkmail.rehearsal.zone import EVERYONE, Zone, chance, hosts_table

_BODIES = 20_000
_CA = "ca.pem"


def _speed(text: str) -> float:
    number = 1.0 if text == "real" else float(text)
    if not 0 < number <= 1_000_000:
        raise ValueError(text)
    return number


def _count(text: str) -> int:
    number = sys.maxsize if text == "all" else int(text)
    if number < 0:
        raise ValueError(text)
    return number


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bulkmail sink",
        description="Mail servers of all kinds on loopback, with their own DNS, to rehearse against.",
        epilog="Domains and what their mail servers are like: --hosts",
    )
    parser.add_argument("--store", metavar="DIR", help="write what was received there")
    parser.add_argument(
        "--bodies",
        metavar="N",
        type=_count,
        default=_BODIES,
        help=f"store the bytes of the first N messages, or of `all` (default {_BODIES})",
    )
    parser.add_argument(
        "--speed",
        type=_speed,
        default=600.0,
        metavar="N",
        help="divides every wait; `real` is 1 (default 600)",
    )
    parser.add_argument("--seed", type=int, default=0, help="another seed draws other shares (default 0)")
    parser.add_argument("--all", default="", choices=sorted(EVERYONE), metavar="PERSONA", help="every domain is this")
    parser.add_argument("--smtp-port", type=int, default=0, metavar="N", help="of all mail servers; 0: any free one")
    parser.add_argument("--dns-port", type=int, default=0, metavar="N", help="of the name server; 0: any free one")
    parser.add_argument(
        "--addresses", type=int, default=2000, metavar="N", help="mail servers listen at so many at most"
    )
    parser.add_argument(
        "--back",
        action="store_true",
        help=f"send reports, complaints and clicks back, to {INBOUND} and {PAGE} at the port of the mail servers",
    )
    parser.add_argument("--json", action="store_true", help="say where it listens as JSON on a terminal too")
    parser.add_argument("--hosts", action="store_true", help="show the domains and what their mail servers are like")
    return parser.parse_args(argv)


def run(argv: list[str] | None = None) -> int:
    """Run until told to stop. Returns the exit status. ``argv`` without the program's name; None: the process's own."""
    options = _options(argv)
    if options.hosts:
        sys.stdout.write(hosts_table())
        return 0
    from twisted.internet import reactor as installed

    reactor: Any = installed
    observer = FilteringLogObserver(textFileLogObserver(sys.stderr), [LogLevelFilterPredicate(LogLevel.warn)])
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False, discardBuffer=True)
    try:
        rehearsal = Rehearsal(reactor, options)
    except (OSError, CannotListenError) as error:
        sys.stderr.write(f"the rehearsal cannot start: {error}\n")
        return 1
    _stop_on(reactor, rehearsal.stop, rehearsal.rest)
    if sys.stdout.isatty() and not options.json:
        sys.stdout.write(_in_words(rehearsal.ready))
        sys.stdout.flush()
    else:
        _say(rehearsal.ready)
    reactor.run(installSignalHandlers=False)
    _say(rehearsal.summary())
    return 0


class Rehearsal:
    """DNS, mail servers and store of one process. Raises OSError, CannotListenError."""

    def __init__(self, reactor: Any, options: argparse.Namespace) -> None:
        self._reactor = reactor
        self._began = time.monotonic()
        zone = Zone(options.seed, options.all)
        self._store = Store(options.store, options.bodies) if options.store else NoStore()
        self._returning: Returning | None = None
        if options.back:
            drawn = partial(chance, zone.seed)
            self._store = self._returning = Returning(
                reactor, self._store, lambda: self._farm.port, drawn, options.speed
            )
        authority = Authority(dt.datetime.now(dt.UTC))
        ca = None
        if options.store:
            ca = os.path.join(options.store, _CA)
            with open(ca, "wb") as file:
                file.write(authority.pem)
        self._network = SimulatedNetwork(
            zone,
            clock=time.monotonic,
            now=time.time,
            call_later=reactor.callLater,
            store=self._store,
            speed=options.speed,
        )
        addresses = min(options.addresses, _descriptors() // 3)
        self._farm = Farm(reactor, self._network, authority.server, port=options.smtp_port, addresses=addresses)
        relay = self._farm.open()
        answers = Answers(zone, self._farm.address_of, self._network.totals)
        self._dns: tuple[Any, ...] = listen(reactor, answers, require_loopback("127.0.0.1"), options.dns_port)
        self.ready = {
            "dns": f"127.0.0.1:{self._dns[0].getHost().port}",
            "smtp_port": self._farm.port,
            "store": os.path.abspath(options.store) if options.store else None,
            "relay": relay,
            "ca": os.path.abspath(ca) if ca else None,
            "speed": options.speed,
        }

    def stop(self) -> None:
        """Close everything and leave the reactor. A second call does nothing."""
        dns, self._dns = self._dns, ()
        if dns:
            for port in dns:
                port.stopListening()
            self._farm.close()
            # the connections end in the reactor's next turns, and may still have something to keep
            self._reactor.callLater(0.05, self._reactor.stop)

    def rest(self) -> None:
        """Let all that comes back come now, and say so when it has."""
        if self._returning is None:
            _say({"back": {}})
            return
        sent = self._returning.sent
        self._returning.rest().addCallback(lambda _: _say({"back": dict(sent)}))

    def summary(self) -> dict[str, float]:
        """Close the store. Returns the counts and the seconds since the start."""
        self._store.close()
        return {**self._network.totals.as_dict(), "seconds": round(time.monotonic() - self._began, 3)}


def _in_words(ready: dict[str, Any]) -> str:
    """Return where the world listens, for a person."""
    facts = ", ".join(f"{name} {value}" for name, value in ready.items() if isinstance(value, str | int))
    return f"ready ({facts}); Ctrl-C stops it, and then tells what was received\n"


def _say(facts: dict[str, Any]) -> None:
    try:
        sys.stdout.write(json.dumps(facts) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # the reader has gone; the interpreter shall not fail on the same at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _descriptors() -> int:
    """Raise the limit of open files as far as it goes, to 65,536 at most. Returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, 65536) if hard != resource.RLIM_INFINITY else 65536
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def _stop_on(reactor: Any, stop: Callable[[], None], rest: Callable[[], None]) -> None:
    """Stop on SIGTERM, and at the end of standard input where that is a pipe, a socket or a terminal.

    A line on it is a call to ``rest``.
    """
    alone = sys.stdin is not None and sys.stdin.isatty()
    signal.signal(signal.SIGTERM, lambda *_: reactor.callFromThread(stop))
    signal.signal(signal.SIGINT, (lambda *_: reactor.callFromThread(stop)) if alone else signal.SIG_IGN)
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return
    if alone or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        reactor.addReader(_StandardInput(reactor, rest, stop))


@implementer(IReadDescriptor)
class _StandardInput:
    """Reads standard input: ``line`` is called at each line end, ``ended`` at its end."""

    def __init__(self, reactor: Any, line: Callable[[], None], ended: Callable[[], None]) -> None:
        self._reactor = reactor
        self._line = line
        self._ended = ended

    def fileno(self) -> int:
        """Return the descriptor of standard input."""
        return 0

    def logPrefix(self) -> str:
        """Name it in Twisted's log."""
        return "stdin"

    def doRead(self) -> None:
        """Read what came, or the end."""
        try:
            data = os.read(0, 4096)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EINTR):
                return
            data = b""
        for _ in range(data.count(b"\n")):
            self._line()
        if not data:
            self._reactor.removeReader(self)
            self._ended()

    def connectionLost(self, reason: Any) -> None:  # noqa: ARG002
        """End, as Twisted gave up on it."""
        self._reactor.removeReader(self)
        self._ended()
