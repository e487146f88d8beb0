"""What a mail exchanger says on one connection, and how it ends the connection. It knows no command.

`ScriptedReplies`, `Transaction`, `TlsUpgrade` and `ServerSession` share one `Speaker`, and need nothing of each other
to answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bulkmail.rehearsal.behaviour import Then
from bulkmail.rehearsal.network import Exchanger, SimulatedNetwork


class Link(Protocol):
    """What a session needs of its connection. After `close` and `abort` nothing more is written."""

    def write(self, data: bytes) -> None:
        """Send."""

    def close(self) -> None:
        """Send what is written, then close."""

    def abort(self) -> None:
        """Reset the connection."""

    def half_close(self) -> None:
        """Send what is written, then close this direction."""

    def repeat(self, data: bytes) -> None:
        """Send ``data`` again and again, up to a cap."""

    def stop_reading(self) -> None:
        """Take nothing from the client any more."""

    def start_tls(self, hello: bytes = b"") -> None:
        """Shake hands with the client; ``hello``: the bytes of its handshake that were read already."""

    def tls_version(self) -> str:
        """Name the protocol, such as TLSv1.3."""


@dataclass(slots=True)
class Client:
    """What the server knows of the client of one connection."""

    ip: str
    serial: int  # the number of the connection in the simulated network; shares are drawn by it
    name: bytes = b""  # as given with EHLO or HELO
    greeted: bool = False  # by EHLO or HELO, since the connection or TLS began
    tls: str = ""  # the protocol, such as TLSv1.3; empty in clear
    behind: bool = False  # the present command came behind other bytes in one write
    messages: int = 0  # sent on this connection, kept or not


class Speaker:
    """Gathers replies until `flush` writes them, and ends the connection in the way a persona wants."""

    def __init__(self, network: SimulatedNetwork, exchanger: Exchanger, link: Link, client: Client) -> None:
        self.network = network
        self.exchanger = exchanger
        self.persona = exchanger.persona
        self.client = client
        self.finished = False  # nothing is read or said any more
        self._link = link
        self._out: list[bytes] = []

    def say(self, reply: bytes) -> None:
        """Queue a reply; it is written with all others that the same bytes led to."""
        self._out.append(reply)

    def refuse(self, reply: bytes) -> None:
        """Queue a reply, and count it as refused or deferred by its first digit."""
        self.network.totals.replied(reply)
        self._out.append(reply)

    def flush(self) -> None:
        """Write the queued replies."""
        out = self._out
        if out:
            self._link.write(out[0] if len(out) == 1 else b"".join(out))
            out.clear()

    def replies_of(self, usual: Callable[[], None]) -> bytes:
        """Run ``usual`` and return what it says, which is not queued."""
        at = len(self._out)
        usual()
        words = b"".join(self._out[at:])
        del self._out[at:]
        return words

    def hang_up(self, reply: bytes = b"") -> None:
        """Write what is queued and ``reply``, then close."""
        if reply:
            self._out.append(reply)
        if self.finished:
            self._out.clear()
            return
        self.flush()
        self.finished = True
        self._link.close()

    def finish(self, then: Then, words: bytes = b"") -> None:
        """Read nothing more, and do ``then`` to the connection; ``words``: the last reply, which REPEAT repeats."""
        if then is Then.ABORT:
            self._out.clear()
        self.flush()
        self.finished = True
        link = self._link
        if then is Then.ABORT:
            link.abort()
        elif then is Then.HALF_CLOSE:
            link.half_close()
        elif then is Then.REPEAT:
            link.repeat(words)
        elif then is Then.STOP_READING:
            link.stop_reading()
