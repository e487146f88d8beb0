"""The resolver worker: from a domain to the hosts that take its mail. Runs in a process of its own, asyncio inside.

Jobs and answers are plain data:

``("configure", {"nameservers": ["127.0.0.1:53"] or None, "timeout": 5.0, "allow_networks": [...],
"families": [4], "concurrency": 128, "cache_size": 32768, "ttl_floor": 60.0, "mx_aliases": False, "route_within": 45.0,
"must_exist": ["example.com"]})``
-> ``("configured",)``
``("check",)`` -> ``("alive",)``
``("route", domain, (4, 6))`` -> ``("mx", ttl, [(preference, host, [ip, ...]), ...])``,
or ``("failed", permanent, category, text, ttl)``. The IP versions that can be used; those of
``families`` where none are given. ``("route", domain, (4, 6), True)`` -> the same, with the id of the domain's MTA-STS
policy as one more item of ``mx``: ``""`` where none is announced (`announcing`). No versions are as none given.
``("policy", domain, (4, 6))`` -> ``("policy", text)``, the domain's MTA-STS policy, or ``("no-policy", why)``.
``("host", name)``, of a relay: no MX, any address, IPv4 before IPv6 -> the same.

``("lookup", name, kind)`` of A, AAAA, MX, TXT or PTR records -> ``("found", kind, name, records, text)``, as in
`lookup.Found`.
``("texts", name)`` -> ``("texts", [text, ...])``, the TXT records of a name, none where there are none; or ``("failed",
...)`` as above.

Hosts come in order of preference; one that cannot be used now stays in the list without addresses, so that a passing
failure does not make another site of the domain.
Each job may answer ``("own-fault", text)``: no nameserver answers, or it denies or refuses the names that must exist.

What leads to what (RFC 5321 5.1, RFC 7505): no such domain, a null MX, or neither MX nor addresses: permanent. MX
hosts none of which exists: permanent, and temporary as soon as one of them is anything else. MX hosts that have no
address, only ones of an IP version that cannot be used, or no usable name: temporary, until the recipient expires. MX
hosts that lead only into forbidden networks: permanent. No answer, SERVFAIL and the like: temporary, and never taken
for "no MX". An answer without data that proves nothing (`answers`): an address counts behind it as behind "no MX";
where there is none, temporary.

A domain may name more MX hosts, and a host more addresses, than are of use. The best ten hosts that have addresses are
used, and addresses are looked up for at most thirty names; where a domain has more, names that had no address come last
the next time. A host with more than sixteen addresses gives a different sixteen each time, eight of each IP version
where it has both. An answer about one version is waited for at most two seconds longer than a good one about the other.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any, TypeVar

from bulkmail.mail import AddressError, Category, OwnFault, answer_of, domain_key
from bulkmail.routing.announcing import Announcements
from bulkmail.routing.forbidden import Network, forbidden_address, networks
from bulkmail.routing.lookup import Found, Lookup, parse_nameserver, system_nameservers
from bulkmail.routing.ttl_cache import TtlCache
from bulkmail.routing.txt_hints import TxtHints

_HOSTS = 10  # MX hosts of a domain that are used
_HINTING = 16  # sockets: the event loop reads one datagram of each in a turn
_ASKED = 30  # MX names of a domain whose addresses are looked up at most
_ADDRESSES = 16  # of one host
_KINDS = {4: "A", 6: "AAAA"}
_LAG = 2.0  # seconds that the other IP version's answer is waited for
_NAMED = 5  # hosts or addresses that a failure's text names
_REMEMBERED = 10800.0  # seconds that an MX name without an address is remembered
_TEXT = 512
_RECHECK = 600.0  # a host of the set could not be resolved: look again no later than this
_HOST = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
)
_UNKNOWN = frozenset({"failed", "bare"})  # kinds of answers that leave it open whether there is such a record
_LOCALHOST = re.compile(r"(?:.*\.)?localhost(?:\.localdomain)?")


_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class _Host:
    """One MX host: its addresses, or why there are none to use."""

    name: str
    until: float
    addresses: tuple[str, ...] = ()
    trouble: str = ""
    soft: bool = False  # the DNS did not answer: nothing is known
    forbidden: bool = False  # all its addresses are forbidden
    missing: bool = False  # its name does not exist
    elsewhere: bool = False  # it has addresses of an IP version that cannot be used
    named: bool = True  # its name is a host name


@dataclass(frozen=True, slots=True)
class _Options:
    """How the resolver is to work. ``nameservers``: the system's if not given; ``timeout``, ``route_within``: seconds.

    ``ttl_floor``: seconds that an answer counts at least; ``must_exist``: names that no good resolver denies.
    """

    nameservers: Sequence[str] | None = None
    timeout: float = 5.0
    allow_networks: Sequence[str] = ()
    families: Sequence[int] = (4,)
    concurrency: int = 128
    cache_size: int = 32768
    ttl_floor: float = 60.0
    mx_aliases: bool = False
    route_within: float = 45.0
    must_exist: Sequence[str] = ()
    policy_port: int = 443


class Resolver:
    """The worker class (module docstring: its jobs)."""

    def __init__(self) -> None:
        self._lookup: Lookup | None = None
        self._allowed: tuple[Network, ...] = ()
        self._options = _Options()
        self._late: set[asyncio.Task[Any]] = set()
        self._nowhere: TtlCache[str, bool] = TtlCache(_ASKED * 1000)  # MX names without addresses: whether missing
        self._turns = count()

    async def handle(self, job: tuple[Any, ...]) -> tuple[Any, ...]:
        """Do one job. Failures of the DNS come back as data; raises ValueError for an unknown job."""
        try:
            if job[0] == "configure":
                self._configure(_Options(**job[1]))
                return ("configured",)
            if self._lookup is None:
                raise RuntimeError("the resolver was not configured")
            if job[0] == "route":
                route = self._route_in_time(self._lookup, job[1], (len(job) > 2 and job[2]) or self._options.families)
                return await (route if len(job) < 4 else self._announced(job[1], route))
            if job[0] == "policy":
                return await self._announcements.policy(job[1], job[2] or self._options.families)
            if job[0] == "host":
                return await self._relay(self._lookup, job[1])
            if job[0] == "lookup":
                found = await self._lookup.ask(job[1], job[2])
                return ("found", found.kind, found.name, list(found.records), found.text)
            if job[0] == "texts":
                return await self._texts(self._lookup, job[1])
            if job[0] == "check":
                await self._lookup.check()
                await self._lookup.verify_resolver()
                return ("alive",)
        except OwnFault as fault:
            return answer_of(fault)
        raise ValueError(f"no such job: {job[0]!r}")

    def _configure(self, options: _Options) -> None:
        named = options.nameservers
        servers = system_nameservers() if named is None else [parse_nameserver(text) for text in named]
        self._lookup = Lookup(
            servers,
            clock=asyncio.get_running_loop().time,
            timeout=options.timeout,
            concurrency=options.concurrency,
            cache_size=options.cache_size,
            ttl_floor=options.ttl_floor,
            must_exist=options.must_exist,
        )
        self._allowed = networks(options.allow_networks)
        self._options = options
        hints = [TxtHints(servers[0] if servers else None) for _ in range(_HINTING)]
        self._announcements = Announcements(self._lookup, hints, self._judged, options.policy_port)

    async def _announced(self, domain: str, route: Coroutine[Any, Any, tuple[Any, ...]]) -> tuple[Any, ...]:
        """Return the answer to a route, with what the domain announces."""
        asked = self._announcements.ask(domain)
        try:
            answer = await route
            return (*answer, await self._announcements.told(asked)) if answer[0] == "mx" else answer
        finally:
            asked.cancel()

    async def _route_in_time(self, lookup: Lookup, domain: str, versions: Sequence[int]) -> tuple[Any, ...]:
        """Return the answer, at the latest after ``route_within`` seconds and a check (5 s at most).

        The parent ends a worker that is late, with all its jobs, and takes it for a fault of our own: no domain may be
        able to cause that. A late lookup goes on in the background, within its own bounds, and fills the cache.
        """
        began = asyncio.get_running_loop().time()
        task = asyncio.create_task(self._route(lookup, domain, versions))
        done, _ = await asyncio.wait({task}, timeout=self._options.route_within)
        if done:
            return task.result()
        self._late.add(task)
        task.add_done_callback(self._forget)
        if not lookup.heard_since(began):
            await lookup.check()
        words = f"the DNS did not lead to a host of {domain[:253]} within {self._options.route_within:g} s"
        return _failed(False, Category.DNS, words, self._options.ttl_floor)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._late.discard(task)
        task.exception()  # marked as retrieved: the job has been answered already

    async def _route(self, lookup: Lookup, domain: str, versions: Sequence[int]) -> tuple[Any, ...]:
        now = asyncio.get_running_loop().time()
        try:
            domain = domain_key(domain)
        except AddressError as error:
            return _failed(True, Category.BAD_DOMAIN, str(error), 86400.0)
        mx = await lookup.ask(domain, "MX")
        ttl = mx.until - now
        if mx.kind == "failed":
            return _failed(False, Category.DNS, mx.text, ttl)
        if mx.kind == "missing":
            return _failed(True, Category.BAD_DOMAIN, mx.text or f"the domain {domain} does not exist (NXDOMAIN)", ttl)
        implicit = mx.kind in ("empty", "bare")
        targets = {mx.name: 0} if implicit else _targets(mx)
        if not targets:
            return _failed(True, Category.BAD_DOMAIN, f"5.1.10 the domain {domain} takes no mail (null MX)", ttl)
        order = sorted(targets, key=lambda name: (targets[name], name))
        hosts = await self._hosts(lookup, order, versions, alias_fine=implicit)
        usable = [name for name in order if name in hosts and hosts[name].addresses][:_HOSTS]
        if not usable:
            if implicit:
                return await self._no_address(lookup, domain, mx, hosts[mx.name])
            return self._no_host(domain, order, hosts, ttl)
        until = min(mx.until, *(hosts[name].until for name in usable))
        if len(hosts) < len(order) or any(host.soft for host in hosts.values()):
            until = min(until, now + _RECHECK)
        named = {name for name in order[:_HOSTS] if name in hosts and hosts[name].named}
        found = [(targets[name], name, list(hosts[name].addresses)) for name in order if name in named.union(usable)]
        return ("mx", max(0.0, until - now), found)

    async def _hosts(
        self, lookup: Lookup, order: list[str], versions: Sequence[int], *, alias_fine: bool
    ) -> dict[str, _Host]:
        """Return the MX hosts, by name, best first: until ten have addresses, or thirty were looked at."""
        now = asyncio.get_running_loop().time()
        many = len(order) > _ASKED
        if many:
            order = sorted(order, key=lambda name: self._nowhere.get(name, now) is not None)
        hosts: dict[str, _Host] = {}
        for batch in (order[:_HOSTS], order[_HOSTS:_ASKED]):
            if sum(bool(host.addresses) for host in hosts.values()) < _HOSTS and batch:
                found = await _all(*(self._host(lookup, name, versions, alias_fine=alias_fine) for name in batch))
                hosts.update(zip(batch, found, strict=True))
        for host in hosts.values():
            if many and not host.addresses:
                self._nowhere.put(host.name, host.missing, now + _REMEMBERED)
        return hosts

    async def _relay(self, lookup: Lookup, name: str) -> tuple[Any, ...]:
        """Return the addresses of the relay. The operator chose it, so none of its addresses is forbidden."""
        now = asyncio.get_running_loop().time()
        answers = await _all(*(lookup.ask(name, kind) for kind in ("A", "AAAA")))
        found = [(n, name, list(self._some(answer.records))) for n, answer in enumerate(answers) if answer.records]
        if found:
            return ("mx", max(0.0, min(answer.until for answer in answers if answer.records) - now), found)
        ttl = min(answer.until for answer in answers) - now
        failed = [answer for answer in answers if answer.kind in _UNKNOWN]
        if failed:
            return _failed(False, Category.DNS, failed[0].text, ttl)
        lacking = "does not exist" if answers[0].kind == "missing" else "has no address"
        return _failed(True, Category.ROUTING, f"{name} {lacking}", ttl)

    async def _texts(self, lookup: Lookup, name: str) -> tuple[Any, ...]:
        found = await lookup.ask(name, "TXT")
        if found.kind in _UNKNOWN:
            return _failed(False, Category.DNS, found.text, found.until - asyncio.get_running_loop().time())
        return ("texts", list(found.records))

    def _no_host(self, domain: str, order: list[str], hosts: dict[str, _Host], ttl: float) -> tuple[Any, ...]:
        """Return the failure of a domain none of whose MX hosts can be used. ``order``: all of their names."""
        now = asyncio.get_running_loop().time()
        told = [host.trouble for host in hosts.values()]
        words = "; ".join(told[:_NAMED]) + (f"; and {len(order) - _NAMED} more" if len(order) > _NAMED else "")
        ttl = min(ttl, *(host.until - now for host in hosts.values()))
        soft = [host.trouble for host in hosts.values() if host.soft]
        if soft:
            return _failed(False, Category.DNS, "; ".join(soft), ttl)
        if all(hosts[name].missing if name in hosts else self._nowhere.get(name, now) for name in order):
            return _failed(True, Category.BAD_DOMAIN, f"5.4.4 no MX host of {domain} exists: {words}", ttl)
        if len(hosts) == len(order) and all(host.forbidden for host in hosts.values()):
            return _failed(True, Category.ROUTING, f"5.4.6 mail for {domain} would go to {words}", ttl)
        return _failed(False, Category.ROUTING, f"no MX host of {domain} can be used: {words}", ttl)

    async def _no_address(self, lookup: Lookup, domain: str, mx: Found, host: _Host) -> tuple[Any, ...]:
        """Return the failure of a domain that has no MX and whose own address cannot be used."""
        ttl = min(mx.until, host.until) - asyncio.get_running_loop().time()
        if host.soft or mx.kind == "bare":
            return _failed(False, Category.DNS, host.trouble if host.soft else mx.text, ttl)
        if host.forbidden:
            return _failed(True, Category.ROUTING, f"5.4.6 mail for {domain} would go to {host.trouble}", ttl)
        if host.elsewhere:
            return _failed(False, Category.ROUTING, host.trouble, ttl)
        await lookup.verify_negative()
        return _failed(True, Category.BAD_DOMAIN, f"the domain {domain} has neither MX nor address records", ttl)

    async def _host(self, lookup: Lookup, name: str, versions: Sequence[int], *, alias_fine: bool) -> _Host:
        """Return the addresses of one MX host, those that must not be used left out."""
        never = float("inf")
        if _LOCALHOST.fullmatch(name):
            return _Host(name, never, trouble=f"{name}, which is this machine", forbidden=True, named=False)
        if _HOST.fullmatch(name) is None or name.rpartition(".")[2].isdigit():
            return _Host(name, never, trouble=f"{name[:80]} is not a host name", named=False)
        answers = await self._both(*(lookup.ask(name, _KINDS[version]) for version in versions))
        until = min(answer.until for answer in answers)
        if any(answer.alias for answer in answers) and not (alias_fine or self._options.mx_aliases):
            return _Host(name, until, trouble=f"{name} is an alias (CNAME), which an MX must not be (RFC 2181 10.3)")
        refused, good = self._judged(answers)
        if good:
            told = [answer.until for answer in answers if answer.kind not in _UNKNOWN]
            return _Host(name, until if len(told) == len(answers) else min(until + _RECHECK, *told), self._some(good))
        missing = all(answer.kind == "missing" for answer in answers)
        for kind in () if missing else (_KINDS[version] for version in _KINDS if version not in versions):
            answers = [*answers, await lookup.ask(name, kind)]
            until = min(until, answers[-1].until)
            if self._judged(answers[-1:])[1]:
                words = f"{name} has only {kind} records, and this machine does not send over IPv{6 if kind[1:] else 4}"
                return _Host(name, until, trouble=words, elsewhere=True)
        # where there are addresses, forwarders that leave the SOA out are believed that there are no others
        failed = [answer for answer in answers if answer.kind in (_UNKNOWN - {"bare"} if refused else _UNKNOWN)]
        if failed:
            return _Host(name, until, trouble=failed[0].text, soft=True)
        if refused:
            words = ", ".join(f"{address} ({reason})" for address, reason in list(refused.items())[:_NAMED])
            return _Host(name, until, trouble=f"{name} at {words}", forbidden=True)
        lacking = "does not exist" if missing else "has no address"
        return _Host(name, until, trouble=f"{name} {lacking}", missing=missing)

    async def _both(self, *questions: Coroutine[Any, Any, Found]) -> list[Found]:
        """Return the answers about one host, a late one as none where another has addresses already."""
        if len(questions) == 1:
            return [await questions[0]]
        tasks = [asyncio.create_task(question) for question in questions]
        done, late = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if late:
            found = any(task.result().records for task in done)
            await asyncio.wait(late, timeout=_LAG if found else None)
        for task in tasks:
            if not task.done():
                self._late.add(task)
                task.add_done_callback(self._forget)
        now = asyncio.get_running_loop().time()
        late_answer = Found("failed", "", now, text="the DNS did not answer in time")
        return [task.result() if task.done() else late_answer for task in tasks]

    def _judged(self, answers: Sequence[Found]) -> tuple[dict[str, str], list[str]]:
        """Return the addresses that must not be used, with the reason, and the others."""
        refused, good = {}, []
        for address in chain.from_iterable(answer.records for answer in answers):
            reason = forbidden_address(address, self._allowed)
            if reason is None:
                good.append(address)
            else:
                refused[address] = reason
        return refused, good

    def _some(self, addresses: Sequence[str]) -> tuple[str, ...]:
        """At most sixteen addresses, IPv4 before IPv6: always the first in order, and different others each time.

        Several machines choose a site's owner by its first address, so that one stays. Sorted, because nameservers
        rotate the order of their answers, and the order must not make another site.
        """
        four = sorted(address for address in addresses if ":" not in address)
        six = sorted(address for address in addresses if ":" in address)
        most = _ADDRESSES // 2 if four and six else _ADDRESSES
        return (*self._in_turn(four, most), *self._in_turn(six, most))

    def _in_turn(self, ordered: list[str], most: int) -> list[str]:
        if len(ordered) <= most:
            return ordered
        first, *rest = ordered
        start = next(self._turns) * (most - 1) % len(rest)
        return [first, *sorted((rest + rest)[start : start + most - 1])]


async def _all(*questions: Coroutine[Any, Any, _Answer]) -> list[_Answer]:
    """Await all at once; a single one without the cost of a task."""
    if len(questions) == 1:
        return [await questions[0]]
    return await asyncio.gather(*questions)


def _targets(mx: Found) -> dict[str, int]:
    """Host -> its best preference; the "." of a null MX is no host (RFC 7505 3)."""
    targets: dict[str, int] = {}
    for preference, host in mx.records:
        if host != ".":
            targets[host] = min(preference, targets.get(host, preference))
    return targets


def _failed(permanent: bool, category: Category, text: str, ttl: float) -> tuple[Any, ...]:
    return ("failed", permanent, str(category), text[:_TEXT], max(0.0, ttl))
