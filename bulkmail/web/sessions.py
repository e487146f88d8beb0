"""Who is signed in: sessions in memory, and the tokens that a form must bring back.

A token is an HMAC of the session, so that none has to be kept; it is worth nothing in another session, or after a
restart. A session ends after its time, when it is signed out of, and when its user's line is changed or removed.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from bulkmail.web.users import User

MOST_SESSIONS = 1000
COOKIE = "bulkmail-session"


class Signed(NamedTuple):
    """One who is signed in. ``session``: the secret of the session, or of the proxy's word; ``client``: from where."""

    user: User
    session: str
    client: str = ""
    by_proxy: bool = False


class Sessions:
    """``life``: seconds of a session; ``now``: a clock that does not run backwards; ``nonce``: gives secrets."""

    def __init__(self, life: float, now: Callable[[], float], nonce: Callable[[], str]) -> None:
        self._life = life
        self._now = now
        self._nonce = nonce
        self._key = nonce().encode("ascii")
        self._sessions: OrderedDict[str, tuple[User, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def life(self) -> float:
        """Seconds of a session."""
        return self._life

    def begin(self, user: User) -> str:
        """Return the secret of a new session."""
        secret = self._nonce()
        self._sessions[secret] = (user, self._now() + self._life)
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return secret

    def user(self, secret: str, known: Callable[[str], User | None]) -> User | None:
        """Return whose session it is. ``known(name)``: the user's line as it is now."""
        found = self._sessions.get(secret)
        if found is None:
            return None
        user, until = found
        if self._now() >= until or known(user.name) != user:
            del self._sessions[secret]
            return None
        return user

    def end(self, secret: str) -> None:
        """End a session."""
        self._sessions.pop(secret, None)

    def token(self, secret: str) -> str:
        """Return what each form of this session has with it."""
        return hmac.new(self._key, secret.encode("utf-8", "replace"), "sha256").hexdigest()

    def is_token(self, secret: str, token: str) -> bool:
        """Return whether a form is of this session."""
        return hmac.compare_digest(self.token(secret).encode("ascii"), token.encode("utf-8", "replace"))
