"""Whether the configured nameservers answer truthfully, found out by asking for names that must exist.

A resolver that answers NXDOMAIN to every question (a filter whose licence ran out, a forwarder that lost its upstream)
would bounce a whole list in seconds. So a negative answer counts only when a name that must exist is found right after
it.

A resolver that answers every question with REFUSED or SERVFAIL (an access list, no upstream, a trust anchor that does
not fit) would have the whole list wait and expire. So a failure counts as the domain's own only when, since the
question was sent, another question had a usable answer, or a name that must exist has one, or a name that had one
before. One bad zone is never taken for a dead resolver. Neither is a resolver that serves some zones only, once it has
answered for one of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence

from bulkmail.mail import OwnFault
from bulkmail.routing.answers import Said

_UNDECIDED = 60.0  # seconds until the names that must exist are asked for again, where none of them had an answer
_KNOWN = 3  # the last names that had a usable answer, kept to be asked for again
_REMEDY = "use another one (dns.nameservers), or name what it must know (dns.must_exist)"


def falsifies(findings: Iterable[bool | None]) -> bool | None:
    """Decide from the names that must exist whether a resolver falsely answers NXDOMAIN.

    Each finding: True (found), False (denied) or None (no answer). One name found clears the resolver: the others may
    be filtered, or gone. None is returned where no name had an answer: the resolver may serve some zones only, and its
    answers for those stand.
    """
    seen = list(findings)
    if True in seen:
        return False
    return True if False in seen else None


class ResolverCheck:
    """Verifies negative answers and failures. ``names``: those that must exist; none: every answer is accepted.

    ``ask(name, kind)`` puts one question without any check made here, and gives the answer, or in words why there is
    none. ``servers``: the nameservers, for error texts. ``clock``: the event loop's, in seconds.
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
        """Record that a question had a usable answer: NOERROR or NXDOMAIN."""
        self._answered_at = self._clock()
        if (name, kind) not in self._known:
            self._known.append((name, kind))

    def answered_since(self, then: float) -> bool:
        """Return whether a question had a usable answer since ``then``."""
        return self._answered_at >= then

    async def verify_negative(self) -> None:
        """Accept a negative answer received just now. Raises OwnFault where the resolver is not verified."""
        denied = self._clock()
        while self._names and self._verified_at < denied:
            await self.verify_resolver()

    async def verify_failure(self, since: float) -> None:
        """Accept that a question sent at ``since`` failed because of its domain. Raises OwnFault where all fail."""
        while self._names and max(self._verified_at, self._answered_at) < since:
            await self.verify_resolver()

    async def verify_resolver(self) -> None:
        """Ask for the names that must exist. Raises OwnFault where the resolver denies them, or answers nothing."""
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
        """Return whether a name that had a usable answer before still has one."""
        for name, kind in tuple(self._known):
            if not isinstance(await self._ask(name, kind), str):
                return True
        return False
