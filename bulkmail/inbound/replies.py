"""Replies as they go over the wire, and those that never vary."""

from __future__ import annotations

from types import MappingProxyType

from bulkmail.inbound.received import Refusal

FIXED = MappingProxyType(
    {
        b"NOOP": (250, "2.0.0", "Ok"),
        b"VRFY": (252, "2.0.0", "Addresses are not looked up; send mail, and see"),
        b"HELP": (214, "2.0.0", "EHLO HELO STARTTLS MAIL RCPT DATA RSET NOOP VRFY HELP QUIT"),
    }
)
NOT_OFFERED = frozenset({b"AUTH", b"ETRN", b"EXPN", b"TURN", b"SEND", b"SOML", b"SAML"})
# Words of other protocols, and of BDAT: octets follow that would be taken for commands
NOT_SMTP = frozenset({b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"CONNECT", b"BDAT"})


class Replies:
    """Keeps what is to be written, in order."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def say(self, code: int, enhanced: str, *lines: str) -> None:
        """Reply with one or several lines; ``enhanced`` may be ``""``, as at the greeting and at EHLO (RFC 2034)."""
        status = f"{enhanced} " if enhanced else ""
        last = len(lines) - 1
        for number, line in enumerate(lines):
            text = f"{code}{' ' if number == last else '-'}{status}{line}\r\n"
            self._pieces.append(text.encode("ascii", "replace"))

    def refuse(self, refusal: Refusal) -> None:
        """Reply with a refusal."""
        self.say(refusal.code, refusal.enhanced, refusal.text)

    def take(self) -> bytes:
        """Return what is to be written."""
        pieces = b"".join(self._pieces)
        self._pieces.clear()
        return pieces
