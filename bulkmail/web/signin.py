"""Signing in: by a password, one hash at a time and not too often, or by the word of a proxy that is believed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from bulkmail.mail import Rate
from bulkmail.public import Rates
from bulkmail.web.passwords import verify
from bulkmail.web.reading import WebCall
from bulkmail.web.sessions import Sessions, Signed
from bulkmail.web.users import BY_PROXY, Role, User, Users

_log = Logger("bulkmail")

InThread = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Calls its argument outside of the event loop."""

EACH = Rate(10, 60.0, 10)
"""So often one client may try, and so often one name may be tried."""
_ALL = Rate(2, 1.0, 20)
_MOST_RIGHT = 100
_WAITING = 10  # who wait for their hash at once
_DECOY = "scrypt:15:8:1:" + "A" * 22 + "==:" + "A" * 43 + "="  # a name that is not known costs the same time


class Tried(NamedTuple):
    """What came of trying to sign in. ``session``: "" where it failed; ``wait``: seconds, where it was too often."""

    session: str = ""
    wait: int = 0


class SigningIn:
    """``in_thread(work)`` calls it outside of the event loop. ``role``: of those whom only the proxy knows; None: none.

    ``now``: a clock that does not run backwards, in seconds.
    """

    def __init__(
        self,
        users: Users,
        sessions: Sessions,
        role: Role | None,
        in_thread: InThread,
        now: Callable[[], float],
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._role = role
        self._in_thread = in_thread
        self._now = now
        self._right: dict[str, None] = {}
        self._lock = DeferredLock()
        self._waiting = 0
        self._clients = Rates(EACH, _ALL, _ALL, now())
        self._names = Rates(EACH, _ALL, _ALL, now())

    async def sign_in(self, call: WebCall) -> Tried:
        """Begin a session for the name and password of a form."""
        user, wait = await self._known(call, call.form.get("name", "")[:64], call.form.get("password", ""))
        if user is None:
            return Tried(wait=wait)
        _log.info(
            "web: {name} signed in from {client} ({role})", name=user.name, client=call.client, role=user.role.word
        )
        return Tried(self._sessions.begin(user))

    async def is_user(self, call: WebCall) -> bool:
        """Return whether the request itself has the name and the password of a user: a program's, without a session.

        What was right is known again without the work of the hash, as long as the user's line stays as it is.
        """
        if call.credentials is None:
            return False
        name, password = call.credentials[0][:64], call.credentials[1]
        user = self._users.get(name)
        mark = self._sessions.token(f"{user} {password}")
        if user is not None and mark in self._right:
            return True
        user, _ = await self._known(call, name, password)
        if user is not None:
            self._right[mark] = None
            while len(self._right) > _MOST_RIGHT:
                del self._right[next(iter(self._right))]
        return user is not None

    async def _known(self, call: WebCall, name: str, password: str) -> tuple[User | None, int]:
        """Return whose name and password these are, or None with the seconds to wait where it was too often."""
        now = self._now()
        wait = self._clients.ask(call.client, now) or self._names.ask(name, now) or self._clients.right(now)
        if wait or self._waiting >= _WAITING:
            _log.warn("web: sign-in of {name!r} from {client}: too many tries", name=name, client=call.client)
            return None, wait or 1
        user = self._users.get(name)
        kept = user.kept if user is not None and user.kept != BY_PROXY else _DECOY
        self._waiting += 1
        try:
            right = await self._verified(password, kept)
        finally:
            self._waiting -= 1
        if not right or user is None or kept is _DECOY or self._users.get(name) != user:
            _log.warn("web: sign-in of {name!r} from {client}: refused", name=name, client=call.client)
            return None, 0
        return user, 0

    async def _verified(self, password: str, kept: str) -> bool:
        await self._lock.acquire()
        try:
            return bool(await self._in_thread(lambda: verify(password, kept)))
        finally:
            self._lock.release()

    def signed(self, call: WebCall) -> Signed | None:
        """Return who asks, None where nobody is signed in."""
        if call.user:
            known = self._users.get(call.user)
            if known is None and self._role is not None:
                known = User(call.user[:64], self._role, BY_PROXY)
            return None if known is None else Signed(known, f"proxy {call.user}", call.client, by_proxy=True)
        if not call.session:
            return None
        user = self._sessions.user(call.session, self._users.get)
        return None if user is None else Signed(user, call.session, call.client)

    def sign_out(self, signed: Signed) -> None:
        """End the session."""
        self._sessions.end(signed.session)
        _log.info("web: {name} signed out", name=signed.user.name)
