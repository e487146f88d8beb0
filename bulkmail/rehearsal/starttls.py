"""STARTTLS on one connection (RFC 3207), with the handshake that the persona's `Tls` leads to: a good one or none."""

from __future__ import annotations

from bulkmail.rehearsal.behaviour import Step, Then, Tls
from bulkmail.rehearsal.scripted import ScriptedReplies
from bulkmail.rehearsal.speaker import Link, Speaker

_ONE_SEGMENT = 1400  # bytes
# What a client's handshake is answered with where it fails; an empty one is silence.
_ANSWERS = {
    Tls.BROKEN: b"\x15\x03\x03\x00\x02\x02\x28",  # TLS: fatal, handshake_failure
    Tls.GARBAGE: b"250 2.0.0 Ok: we are still in clear\r\n" * 20,
    Tls.HANGS: b"",
}


class TlsUpgrade:
    """``agreed``: 220 was said, and the client's next bytes are a handshake. ``failing``: it will not succeed as is."""

    def __init__(self, speaker: Speaker, replies: ScriptedReplies, link: Link) -> None:
        self.agreed = False
        self.failing = False
        self._speaker = speaker
        self._replies = replies
        self._link = link
        self._hello = b""

    def starttls(self, rest: bytes) -> None:
        """Answer STARTTLS; ``rest``: what stood behind the verb."""
        speaker = self._speaker
        if speaker.persona.tls is Tls.NONE or speaker.client.tls:
            speaker.say(b"502 5.5.1 STARTTLS is not offered\r\n")
        elif rest:
            speaker.say(b"501 5.5.4 STARTTLS takes no parameter\r\n")
        else:
            self._replies.at(Step.STARTTLS, self._agree)

    def _agree(self) -> None:
        self._speaker.say(b"220 2.0.0 Ready to start TLS\r\n")
        self.agreed = True

    def begin(self) -> None:
        """Write the 220, and expect the client's handshake."""
        self._speaker.flush()
        self.agreed = False
        kind = self._speaker.persona.tls
        if kind in (Tls.CUT, Tls.ONE_SEGMENT) or kind in _ANSWERS:
            self.failing = True
        else:
            self._link.start_tls()

    def receive(self, data: bytes) -> None:
        """Take bytes of a handshake that is ``failing``."""
        kind = self._speaker.persona.tls
        if kind is Tls.ONE_SEGMENT:
            self._read_hello(data)
        elif kind is Tls.CUT:
            self._speaker.finish(Then.ABORT)
        elif words := _ANSWERS[kind]:
            self._speaker.hang_up(words)
        else:
            self._speaker.finished = True

    def _read_hello(self, data: bytes) -> None:
        """Shake hands with a client whose hello, one TLS record, is small, and with no other."""
        self._hello += data
        record = self._hello[:5]
        if len(record) == 5 and 5 + int.from_bytes(record[3:]) > _ONE_SEGMENT:
            self._speaker.finished = True
        elif len(record) == 5:
            self.failing = False
            self._hello, hello = b"", self._hello
            self._link.start_tls(hello)

    def started(self) -> None:
        """Note that the handshake is done."""
        self._speaker.client.tls = self._link.tls_version()
        self._speaker.network.totals.tls += 1
