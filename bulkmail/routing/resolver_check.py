"""Whether the nameservers of the settings may be believed: names that must exist bear witness.

A resolver that says of everything that it does not exist (a filter whose licence ran out, a forwarder that lost its
upstream) would bounce a whole list in seconds. So a denial counts only when a name that must exist is found right
after it.

A resolver that answers every question with REFUSED or SERVFAIL (an access list, no upstream, a trust anchor that does
not fit) would have the whole list wait and expire. So a failure is the domain's own only when another question has had
an answer of use since it was put, or a name that must exist has one, or a name that had one before. One bad zone is
never taken for a dead resolver, and a resolver that serves some zones only is not either, once it has shown one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence

from bulkmail.mail import OwnFault
from bulkmail.routing.answers import Said

_UNDECIDED = 60.0  # seconds: nobody answers for the names that must exist, so they are not asked for all the time
_KNOWN = 3  # names that had an answer of use, the last ones
_REMEDY = "use another one (dns.nameservers), or name what it must know (dns.must_exist)"


def falsifies(findings: Iterable[bool | None]) -> bool | None:
    """What names that must exist say of a resolver: each was found, denied, or (None) not answered for.

    One found clears it (the others may be filtered, or gone). None: not one was even answered for; it may know some
    zones only, and what it says of those stands.
    """
    seen = list(findings)
    if True in seen:
        return False
    return True if False in seen else None


class ResolverCheck:
    """What is known of the nameservers' resolver_check. ``names``: those that must exist; none: everything is believed.

    ``ask(name, kind)``: one question, without any of the checks here: what was said, or why nothing was.
    ``servers``: the nameservers, for messages. ``clock``: seconds.
    """

    def __init__(
        self,
        names: Sequence[str],
        ask: Callable[[str, str], Awaitable[Said | str]],
        servers: str,
        clock: Callable[[], float],
    ) -> None:
        self.denies = False  # it denied what must exist, and has not been found honest since
        self._names = tuple(names)
        self._ask = ask
        self._servers = servers
        self._clock = clock
        self._answered_at = float("-inf")  # when a question last had NOERROR or NXDOMAIN
        self._known: deque[tuple[str, str]] = deque(maxlen=_KNOWN)
        self._verified_at = float("-inf")  # what was said before this time may be believed
        self._verifying: asyncio.Task[None] | None = None

    def record_answer(self, name: str, kind: str) -> None:
        """A question had an answer of use: NOERROR or NXDOMAIN."""
        self._answered_at = self._clock()
        if (name, kind) not in self._known:
            self._known.append((name, kind))

    async def verify_negative(self) -> None:
        """Whether a "no such thing" of just now may be believed. Raises OwnFault where it may not."""
        denied = self._clock()
        while self._names and self._verified_at < denied:
            await self.verify_resolver()

    async def verify_failure(self, since: float) -> None:
        """Whether a question put at ``since`` failed for its domain's sake. Raises OwnFault where all of them fail."""
        while self._names and max(self._verified_at, self._answered_at) < since:
            await self.verify_resolver()

    async def verify_resolver(self) -> None:
        """Whether the resolver knows what must exist. Raises OwnFault where it denies that, or answers nothing."""
        if self._verifying is None:
            self._verifying = asyncio.create_task(self._verify_resolver())
            self._verifying.add_done_callback(lambda _: setattr(self, "_verifying", None))
        await asyncio.shield(self._verifying)

    async def _verify_resolver(self) -> None:
        began = self._clock()
        findings: list[bool | None] = []
        problem = ""
        for name in self._names:
            said = await self._ask(name, "NS")
            if isinstance(said, str):
                findings.append(None)
                problem = problem or said
            else:
                findings.append(said.kind in ("data", "alias"))
            if findings[-1]:
                break
        verdict = falsifies(findings)
        names = ", ".join(self._names)
        self.denies = verdict is True
        if self.denies:
            raise OwnFault(
                f"the nameserver ({self._servers}) denies that there is {names}, so nothing that it denies is "
                f"believed; {_REMEDY}"
            )
        if findings and verdict is None and not await self._serves_others():
            raise OwnFault(
                f"the nameserver ({self._servers}) answers no question, not even for {names}: {problem}; see to its "
                f"access list, its upstream servers and its trust anchor, {_REMEDY}"
            )
        self._verified_at = began if verdict is False else self._clock() + _UNDECIDED

    async def _serves_others(self) -> bool:
        """Whether a name that had an answer of use before still has one."""
        for name, kind in tuple(self._known):
            if not isinstance(await self._ask(name, kind), str):
                return True
        return False
