"""Signing in with a server (RFC 4954): the lines of one AUTH dialogue, and why it failed.

The session feeds the texts of `334` replies and writes the lines. What goes wrong on the server's side of a mechanism
is remembered as ``fault``; the dialogue is cancelled with ``*`` then.
"""

from __future__ import annotations

import base64

from bulkmail.mail import Reply
from bulkmail.smtp.sasl import Credentials, SaslError, answer, choose, initial, proven, unbase64

_LONGEST_LINE = 512  # RFC 5321 4.5.3.1.4, line end included: what is longer waits for a challenge
_SHORTEST_SECRET = 4  # a shorter one is part of many words
_CANCEL = "*\r\n"


class SignIn:
    """One dialogue. ``mechanism`` is chosen by `begin`."""

    def __init__(self, credentials: Credentials) -> None:
        self.mechanism = ""
        self.fault = ""
        self._credentials = credentials
        self._challenges: list[bytes] = []
        self._waiting: bytes | None = None  # the initial response, where the AUTH line has no room for it
        self._said: list[str] = []

    def __repr__(self) -> str:
        return f"<SignIn {self.mechanism or 'not begun'}>"

    def begin(self, offered: tuple[str, ...], *, secure: bool, in_clear: bool) -> str:
        """Return the AUTH line. ``in_clear``: it may go without TLS. Raises SaslError where we must not or cannot."""
        if not secure and not in_clear:
            raise SaslError("is not spoken to under TLS, so the sign-in was not tried")
        if not offered:
            under = " under TLS" if secure else ""
            raise SaslError(f"offers no AUTH{under}, and a user name is set")
        self.mechanism = choose(self._credentials, offered, secure=secure)
        if not self.mechanism:
            usable = self._credentials.mechanism or (
                "one that can be used" if secure else "one that hides the password; without TLS PLAIN and LOGIN do not"
            )
            raise SaslError(f"offers AUTH {' '.join(offered)[:200]}, not {usable}")
        first = initial(self.mechanism, self._credentials)
        if first is None:
            return f"AUTH {self.mechanism}\r\n"
        line = f"AUTH {self.mechanism} {self._coded(first)}\r\n"
        if len(line) <= _LONGEST_LINE:
            return line
        self._waiting = first
        return f"AUTH {self.mechanism}\r\n"

    def challenged(self, text: str) -> str:
        """Return the line that answers a challenge; ``*``, and a ``fault``, where it cannot be answered."""
        try:
            challenge = unbase64(text.encode())
            if self._waiting is not None:
                response, self._waiting = self._waiting, None
            else:
                self._challenges.append(challenge)
                response = answer(self.mechanism, self._credentials, self._challenges)
        except SaslError as error:
            self.fault = str(error)
            return _CANCEL
        return self._coded(response) + "\r\n"

    def taken(self) -> bool:
        """Return whether the server's success is one: False, and a ``fault``, where it did not prove itself."""
        if not self.fault and not proven(self.mechanism, self._challenges):
            self.fault = "did not prove that it knows the password"
        return not self.fault

    def refusal(self, reply: Reply) -> str:
        """Return why we are not signed in, in words."""
        words = self.fault or f"refuses to sign us in: {self.hidden(str(reply))}"
        return f"{words} (user {self._credentials.username}, {self.mechanism})"

    def hidden(self, text: str) -> str:
        """Return the text without our secret, in case a server repeats what we said."""
        for secret in (self._credentials.secret, *self._said):
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, "***")
        return text

    def cleaned(self, reply: Reply) -> Reply:
        """Return the reply as it may be shown."""
        return Reply(reply.code, tuple(self.hidden(line) for line in reply.lines))

    def _coded(self, response: bytes) -> str:
        text = base64.b64encode(response).decode()
        self._said.append(text)
        return text
