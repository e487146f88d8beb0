"""One question to the DNS: sent, repeated, answered from the cache, and told apart from silence.

dnspython builds and reads the messages, opens a fresh port for each question, and checks id, question and sender; what
does not fit is ignored, so a forged or broken packet is silence, never "no such record". A cut answer (TC) is asked for
again over TCP (RFC 7766). Only the resolvers of the settings are asked; recursion is theirs.

`answers` reads what an answer without data means; one that proves nothing is never taken for "no such record".

A question without an answer is the domain's temporary failure while the resolver answers other questions. After two
tries in a row without an answer to any question, the root is asked for as a check; where that fails too it is a fault
of our own (OwnFault), which charges no recipient. While it lasts, each question repeats the check only. The same holds
for a resolver that denies or refuses everything (`resolver_check`): none of its negative answers is used or cached.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import dns.asyncquery
import dns.exception
import dns.inet
import dns.message
import dns.name
import dns.rcode
import dns.resolver

from bulkmail.mail import OwnFault
from bulkmail.routing.answers import Said, name_text, read, refusal
from bulkmail.routing.resolver_check import ResolverCheck
from bulkmail.routing.ttl_cache import TtlCache

_ROUNDS = 2  # each nameserver is asked twice, in turns
_MISSED = 2  # tries in a row without any answer, before the check makes the third
_PATIENCE = 4  # timeouts that one question may take in all, its aliases included
_PROBE = 5.0  # seconds at most for the check whether any nameserver answers
_HOLD = 0.2  # of the timeout: how long an unanswered try keeps others from being sent
_HOPS = 8  # aliases followed from one answer to the next; within one answer dnspython follows up to 16
_UDP_PAYLOAD = 1232  # fits every path without fragments
_LONGEST = 86400.0  # no answer is believed for longer than a day
_LONGEST_NO = 10800.0  # nor a "no" for longer than three hours (RFC 2308 5)
_NO_EDNS = frozenset({dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS})  # RFC 6891 7


class Nameserver(NamedTuple):
    """Where a resolver listens."""

    ip: str
    port: int = 53

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"


def parse_nameserver(text: str) -> Nameserver:
    """Return ``192.0.2.1``, ``192.0.2.1:53``, ``2001:db8::1`` or ``[2001:db8::1]:53``. Raises ValueError."""
    if text.startswith("["):
        ip, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif text.count(":") == 1:
        ip, _, port = text.partition(":")
    else:
        ip, port = text, ""
    try:
        dns.inet.af_for_address(ip)
        return Nameserver(ip, int(port) if port else 53)
    except ValueError:
        raise ValueError(f"{text!r} is not a nameserver; write an IP address, or address:port") from None


def system_nameservers() -> list[Nameserver]:
    """Return the machine's resolvers, from /etc/resolv.conf. Raises OwnFault."""
    try:
        return [Nameserver(str(server)) for server in dns.resolver.Resolver().nameservers]
    except dns.exception.DNSException as error:
        raise OwnFault(f"no DNS resolver is configured on this machine ({error})") from error


class _Patience:
    """The time one question may take, counted from its first try.

    ``proven``: the resolver had answered another question, since this one began, before the last try was sent.
    """

    __slots__ = ("_end", "_seconds", "proven")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end: float | None = None
        self.proven = False

    def left(self, now: float) -> float:
        """Return seconds left; the clock starts with the first call."""
        if self._end is None:
            self._end = now + self._seconds
        return self._end - now


@dataclass(frozen=True, slots=True)
class Found:
    """What the DNS answered for one name and one record type.

    ``kind``: ``data``, ``empty`` (the name exists without such a record), ``missing`` (NXDOMAIN), ``failed`` (nothing
    is known for now; ``text`` says why), or ``bare`` (an answer without data that does not prove that there is none;
    ``text`` says so). ``name``: the name at the end of its aliases. ``until``: when it expires, on the loop's clock.
    """

    kind: Literal["data", "empty", "missing", "failed", "bare"]
    name: str
    until: float
    records: tuple[Any, ...] = ()  # MX: (preference, host); TXT: the text; PTR: the name; A, AAAA: the address
    alias: bool = False
    text: str = ""


class _Slot:
    """One of the questions in flight, released when it ends or ``hold`` seconds after it began.

    A silent domain holds a slot for the moment in which an answer usually comes, not for its whole timeout: five
    hundred silent domains must not make the others wait for minutes.
    """

    __slots__ = ("_hold", "_places", "_timer")

    def __init__(self, places: asyncio.Semaphore, hold: float) -> None:
        self._places = places
        self._hold = hold
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> None:
        await self._places.acquire()
        self._timer = asyncio.get_running_loop().call_later(self._hold, self._give_back)

    async def __aexit__(self, *_: object) -> None:
        self._give_back()

    def _give_back(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._places.release()


class Lookup:
    """Asks the nameservers, caches answers, and joins equal questions that are in flight.

    ``timeout``: seconds for one try at one nameserver. ``concurrency``: questions in flight, not counting those
    unanswered for a fifth of the timeout. ``ttl_floor``: seconds an answer is cached at least, whatever its TTL. A
    question ends within four timeouts and a check after its first try. ``must_exist``: names that have NS records in
    the public DNS; none: every negative answer is accepted.
    """

    def __init__(
        self,
        nameservers: Sequence[Nameserver],
        *,
        clock: Callable[[], float],
        timeout: float = 5.0,
        concurrency: int = 128,
        cache_size: int = 32768,
        ttl_floor: float = 60.0,
        must_exist: Sequence[str] = (),
    ) -> None:
        self.asked = 0
        self.resolver_check = ResolverCheck(must_exist, self._ask_once, ", ".join(map(str, nameservers)), clock)
        self._servers = tuple(nameservers)
        self._clock = clock
        self._timeout = timeout
        self._floor = ttl_floor
        self._slots = asyncio.Semaphore(concurrency)
        self._cache: TtlCache[tuple[str, str], Found] = TtlCache(cache_size)
        self._under_way: dict[tuple[str, str], asyncio.Future[Found]] = {}
        self._heard = float("-inf")  # when any nameserver last sent a readable answer
        self._missed = 0
        self._silent = False
        self._checking: asyncio.Task[None] | None = None

    async def ask(self, name: str, kind: str) -> Found:
        """Look up ``name``; ``kind``: MX, TXT, PTR, A or AAAA. Raises OwnFault where no nameserver answers."""
        key = (name, kind)
        found = self._cache.get(key, self._clock())
        if found is not None:
            return found
        same = self._under_way.get(key)
        if same is not None:
            return await asyncio.shield(same)
        answer = self._under_way[key] = asyncio.get_running_loop().create_future()
        try:
            found = await self._find(name, kind)
        except BaseException as error:
            answer.set_exception(error)
            answer.exception()  # marked as retrieved: perhaps no other question waits for it
            raise
        else:
            answer.set_result(found)
            return found
        finally:
            del self._under_way[key]

    async def unproven(self, name: str, kind: str) -> tuple[Any, ...]:
        """Return the records of a name; a "no" needs no proof, and nothing is cached. Raises OwnFault, DNSException."""
        wanted, patience = dns.name.from_text(name), _Patience(_PATIENCE * self._timeout)
        for _ in range(_HOPS):
            said = await self._exchange(wanted, kind, patience)
            if isinstance(said, str):
                break
            if said.kind != "alias":
                return said.records
            wanted = said.name
        return ()

    def heard_since(self, then: float) -> bool:
        """Return whether any nameserver has answered since ``then``, on the loop's clock."""
        return self._heard >= then

    async def check(self) -> None:
        """Ask every nameserver for the root. Raises OwnFault where none answers."""
        if self._checking is None:
            self._checking = asyncio.create_task(self._check())
            self._checking.add_done_callback(lambda _: setattr(self, "_checking", None))
        await asyncio.shield(self._checking)

    async def _check(self) -> None:
        began = self._clock()
        within = min(self._timeout, _PROBE)
        answers = await asyncio.gather(
            *(self._try(server, dns.name.root, "NS", within=within) for server in self._servers)
        )
        self._missed = 0
        self._silent = self._heard < began
        if any(not isinstance(answer, str) and isinstance(self._told(answer), Said) for answer in answers):
            self.resolver_check.record_answer(".", "NS")
        if self._silent:
            words = ", ".join(f"{server} ({problem})" for server, problem in zip(self._servers, answers, strict=True))
            raise OwnFault(f"no nameserver gives any answer: {words or 'none is configured'}")

    async def _find(self, name: str, kind: str) -> Found:
        if self._silent:
            await self.check()
        if self.resolver_check.denies:
            await self.verify_resolver()
        try:
            wanted = dns.name.from_text(name)
        except dns.exception.DNSException as error:
            found = Found("missing", name, 0.0, text=f"{name} is not a name the DNS can hold ({error})")
            return self._keep(name, kind, found, _LONGEST_NO)
        began = self._clock()
        ttl, alias, patience = _LONGEST, False, _Patience(_PATIENCE * self._timeout)
        for _ in range(_HOPS):
            said = await self._exchange(wanted, kind, patience)
            if isinstance(said, str):
                await self._checked(self.resolver_check.verify_failure(began))
                if not patience.proven:  # it may have come to answer again between this question and its proof
                    again = await self._exchange(wanted, kind, patience)
                    said = said if isinstance(again, str) else again
            if isinstance(said, str):
                return self._keep(name, kind, Found("failed", name, 0.0, text=said), 0.0)
            ttl = min(ttl, said.ttl)
            alias = alias or said.aliased
            last = name_text(said.name) if alias else name
            if said.kind == "data":
                return self._keep(name, kind, Found("data", last, 0.0, said.records, alias), ttl)
            if said.kind == "missing":
                await self.verify_negative()
                return self._keep(name, kind, Found("missing", last, 0.0, alias=alias), min(ttl, _LONGEST_NO))
            if said.kind == "empty":
                return self._keep(name, kind, Found("empty", last, 0.0, alias=alias), min(ttl, _LONGEST_NO))
            if said.kind == "bare":
                words = f"the answer for {last} {kind} neither has one nor proves that there is none (RFC 2308 2.2)"
                return self._keep(name, kind, Found("bare", last, 0.0, alias=alias, text=words), 0.0)
            wanted = said.name  # an alias into a zone this answer does not speak of
        return self._keep(name, kind, Found("failed", name, 0.0, text=f"{name} has too many aliases in a row"), 0.0)

    async def verify_negative(self) -> None:
        """Accept a negative answer. Raises OwnFault where the resolver is not verified."""
        await self._checked(self.resolver_check.verify_negative())

    async def verify_resolver(self) -> None:
        """Ask for the names that must exist. Raises OwnFault where they are denied, or nothing is answered."""
        await self._checked(self.resolver_check.verify_resolver())

    async def _checked(self, judged: Awaitable[None]) -> None:
        try:
            await judged
        except OwnFault:
            if self.resolver_check.denies:
                self._cache.clear()  # any of its earlier answers may be false
            raise

    def _keep(self, name: str, kind: str, found: Found, ttl: float) -> Found:
        until = self._clock() + max(self._floor, ttl)
        dated = Found(found.kind, found.name, until, found.records, found.alias, found.text)
        if not self.resolver_check.denies:
            self._cache.put((name, kind), dated, until)
        return dated

    async def _ask_once(self, name: str, kind: str) -> Said | str:
        """Put one question of the check's own, within the time of one try."""
        return await self._exchange(dns.name.from_text(name), kind, _Patience(self._timeout))

    async def _exchange(self, name: dns.name.Name, kind: str, patience: _Patience) -> Said | str:
        """Return a NOERROR or NXDOMAIN answer, or why there is none. Raises OwnFault where no nameserver answers.

        A bare answer stands only where no other nameserver has a better one.
        """
        began = asked = self._clock()
        problems: dict[Nameserver, str] = {}
        bare: Said | None = None
        edns = True
        for server in self._servers * _ROUNDS:
            if bare is not None and server in problems:
                break
            async with _Slot(self._slots, _HOLD * self._timeout):
                if self._silent:  # found out while this one waited for its place
                    began = self._clock()
                    break
                within = min(self._timeout, patience.left(self._clock()))
                if within <= 0:
                    problems[server] = f"{name_text(name)} {kind}: the answers take too long"
                    break
                began = self._clock()
                patience.proven = self.resolver_check.answered_since(asked)
                answer = await self._try(server, name, kind, within=within, edns=edns)
            if isinstance(answer, str):
                problem = f"{server}: {answer}"
                self._missed = 0 if self._heard >= began else self._missed + 1
                if self._missed >= _MISSED:
                    await self.check()
            else:
                said, problem = self._told(answer), ""
                edns = edns and answer.rcode() not in _NO_EDNS
                if isinstance(said, str):
                    problem = f"{server} {said} for {name_text(name)} {kind}"
                else:
                    self.resolver_check.record_answer(name_text(name), kind)
                    if said.kind != "bare":
                        return said
                    bare = said
            # Asked again, some resolvers answer from their cache, with fewer words.
            problems[server] = max(problems.get(server, ""), problem, key=len)
        if bare is not None:
            return bare
        if self._heard < began:  # no other question had an answer either while the last try waited
            await self.check()
        return "; ".join(problems.values()) or "no nameserver is configured"

    @staticmethod
    def _told(answer: dns.message.QueryMessage) -> Said | str:
        """Read an answer; in words why, where it is of no use."""
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return f"says {refusal(answer)}"
        try:
            said = read(answer)
        except dns.exception.DNSException as error:
            return f"gives an answer that makes no sense ({type(error).__name__})"
        return "refers to other servers" if said.kind == "referral" else said

    async def _try(
        self, server: Nameserver, name: dns.name.Name, kind: str, *, within: float, edns: bool = True
    ) -> dns.message.QueryMessage | str:
        """Ask one nameserver one question; return its answer, or what came instead."""
        self.asked += 1
        deadline = self._clock() + within
        query = dns.message.make_query(name, kind, use_edns=0 if edns else False, payload=_UDP_PAYLOAD)
        try:
            try:
                answer = await dns.asyncquery.udp(
                    query,
                    server.ip,
                    timeout=within,
                    port=server.port,
                    ignore_unexpected=True,
                    ignore_errors=True,
                    raise_on_truncation=True,
                )
            except dns.message.Truncated:
                self._heard = self._clock()
                left = max(0.001, deadline - self._clock())
                answer = await dns.asyncquery.tcp(query, server.ip, timeout=left, port=server.port)
        except dns.exception.Timeout:
            return f"no answer within {within:.3g} s"
        except (dns.exception.DNSException, OSError, EOFError) as error:
            return str(error) or type(error).__name__
        assert isinstance(answer, dns.message.QueryMessage), "an answer has the opcode of its question"
        self._heard = self._clock()
        return answer

    def __repr__(self) -> str:
        state = "silent" if self._silent else "well"
        names = " ".join(str(server) for server in self._servers)
        return f"<Lookup at {names}, {state}, {self.asked} asked, {len(self._cache)} known>"
