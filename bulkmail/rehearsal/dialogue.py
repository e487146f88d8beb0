"""The server's side of SMTP without the sockets: bytes in, replies and deeds out through a `Link`.

One line, or one message, at a time; what a persona delays holds up all that follows, so replies never change places. A
line ends with CRLF and nothing else: whoever sends a bare line feed in a command hears 500.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar, Protocol

from bulkmail.rehearsal.behaviour import Step, Then, Tls
from bulkmail.rehearsal.conduct import Conduct
from bulkmail.rehearsal.scene import Exchanger, Scene
from bulkmail.rehearsal.transaction import Transaction

_LINE_CAP = 4096
_NONSENSE_CAP = 20  # commands
# What a client's handshake meets; an empty one is silence.
_ONE_SEGMENT = 1400  # bytes
_SABOTAGE = {
    Tls.BROKEN: b"\x15\x03\x03\x00\x02\x02\x28",  # TLS: fatal, handshake_failure
    Tls.GARBAGE: b"250 2.0.0 Ok: we are still in clear\r\n" * 20,
    Tls.HANGS: b"",
}


class Link(Protocol):
    """What a dialogue needs of its connection. After `close` and `abort` nothing more is written."""

    def write(self, data: bytes) -> None:
        """Send."""

    def close(self) -> None:
        """Send what is written, then close."""

    def abort(self) -> None:
        """Reset the connection."""

    def half_close(self) -> None:
        """Send what is written, then close this direction."""

    def pour(self, data: bytes) -> None:
        """Send this again and again, up to a cap."""

    def stop_reading(self) -> None:
        """Take nothing from the client any more."""

    def start_tls(self, hello: bytes = b"") -> None:
        """The client's next bytes are a handshake; ``hello``: what of it was read already."""

    def tls_version(self) -> str:
        """Such as TLSv1.3."""


class Dialogue:
    """One connection's conversation. ``client``: its address; ``serial``: its number, which the dice go by."""

    def __init__(self, scene: Scene, exchanger: Exchanger, link: Link, client: str, serial: int) -> None:
        self.scene = scene
        self.exchanger = exchanger
        self.persona = exchanger.persona
        self.client = client
        self.tls = ""
        self.greeted = False  # by EHLO or HELO
        self.deaf = False  # nothing is read any more
        self._link = link
        self._serial = serial
        self._rest = b""
        self._out: list[bytes] = []
        self._nonsense = 0
        self.you = b""  # what the client calls itself
        self.behind = False  # the command came behind something else in one write
        self.forgets = False  # and what came behind it is not read
        self._tls_next = False
        self._sabotage = False  # the client's handshake comes next, and fails
        self.conduct = Conduct(self)
        self._transaction = Transaction(self)

    # Bytes

    @property
    def held(self) -> bool:
        """Whether a reply waits."""
        return self.conduct.held

    def begin(self, *, welcome: bool) -> None:
        """Greet, or send away."""
        if welcome:
            self.meet(Step.CONNECT, partial(self.say, b"220 %s ESMTP\r\n" % self.exchanger.name.encode()))
        else:
            self.scene.totals.turned_away += 1
            self.hang_up(self.persona.connections_reply)
        self.flush()

    def receive(self, data: bytes) -> None:
        """Some bytes, cut anywhere."""
        if self.deaf:
            return
        if self._sabotage and self.persona.tls is Tls.ONE_SEGMENT:
            self._read_hello(data)
            return
        if self._sabotage:
            self._fail_tls()
            return
        self.conduct.heard()
        self._rest = self._rest + data if self._rest else data
        if not self.held:
            self.work()

    @property
    def backlog(self) -> int:
        """Bytes received that wait."""
        return len(self._rest)

    def lost(self) -> None:
        """The connection is gone. A message that waits for its reply is taken all the same: real servers do that."""
        if self.conduct.stop():
            self._transaction.abandon()
        self.deaf = True

    def work(self) -> None:
        """Take commands and bodies from what has come, until something is missing or has to wait."""
        buffer, at = self._rest, 0
        transaction = self._transaction
        while not self.held and not self.deaf:
            if self._tls_next:
                self._start_tls()
                return
            if self.forgets:
                self.forgets = False
                buffer, at = b"", 0
            if transaction.reading:
                at, done = transaction.read(buffer, at)
                if not done:
                    break
                continue
            end = buffer.find(b"\r\n", at)
            if end < 0:
                if len(buffer) - at > _LINE_CAP:
                    self.hang_up(b"500 5.5.2 Line too long\r\n")
                break
            self.behind = at > 0
            self._command(buffer[at:end])
            at = end + 2
            if self._tls_next or self.forgets:
                continue
            if at < len(buffer) and not self.persona.pipelining and not transaction.reading and not self.deaf:
                self.hang_up(b"554 5.5.0 Synchronization error: PIPELINING was not offered\r\n")
        self._rest = b"" if self.deaf else buffer[at:]
        self.flush()

    def say(self, reply: bytes) -> None:
        """A reply; it is written with all others that the same bytes led to."""
        self._out.append(reply)

    def words_of(self, usual: Callable[[], None]) -> bytes:
        """Do what is usual, and keep back what is said to it."""
        at = len(self._out)
        usual()
        words = b"".join(self._out[at:])
        del self._out[at:]
        return words

    def end_message(self, *, keep: bool) -> None:
        """The message under way was dealt with in words of the persona's own."""
        self._transaction.end(keep=keep)

    def refuse(self, reply: bytes) -> None:
        """A reply that is counted."""
        self.scene.totals.said(reply)
        self._out.append(reply)

    def hang_up(self, reply: bytes = b"") -> None:
        """Say what there is to say, and close."""
        if reply:
            self._out.append(reply)
        if self.deaf:
            self._out.clear()
            return
        self.flush()
        self.deaf = True
        self._link.close()

    def flush(self) -> None:
        """Write what was said."""
        out = self._out
        if out:
            self._link.write(out[0] if len(out) == 1 else b"".join(out))
            out.clear()

    # What a persona does

    def meet(self, step: Step, usual: Callable[[], None]) -> None:
        """A step of the connection, or of a message whose recipients are not known yet."""
        if self.exchanger.steps[step]:
            conduct = self.conduct
            conduct.do(conduct.find(step, f"{self._serial} {self._transaction.messages}", self.client), usual)
        else:
            usual()

    def fall_deaf(self, then: Then, words: bytes) -> None:
        """Hear nothing any more, and do this to the connection; ``words`` were the last ones."""
        if then is Then.ABORT:
            self._out.clear()
        self.flush()
        self.deaf = True
        link = self._link
        if then is Then.ABORT:
            link.abort()
        elif then is Then.HALF_CLOSE:
            link.half_close()
        elif then is Then.REPEAT:
            link.pour(words)
        elif then is Then.STOP_READING:
            link.stop_reading()

    # Commands

    def _command(self, line: bytes) -> None:
        verb, _, rest = line.partition(b" ")
        method = self._VERBS.get(verb) or self._VERBS.get(verb.upper())
        if method is None or b"\n" in line or b"\r" in line or b"\0" in line:
            self._nonsense += 1
            self.say(b"500 5.5.2 Command not understood\r\n")
            if self._nonsense > _NONSENSE_CAP:
                self.hang_up(b"421 4.7.0 Too many errors\r\n")
            return
        method(self, rest)

    def _ehlo(self, rest: bytes) -> None:
        if rest.strip():
            self.you = rest.strip()
            self.meet(Step.EHLO, self._introduce)
        else:
            self.say(b"501 5.5.4 A name is wanted\r\n")

    def _introduce(self) -> None:
        persona = self.persona
        lines = [self.exchanger.name, f"SIZE {persona.size}", "ENHANCEDSTATUSCODES"]
        if persona.eight_bit:
            lines.append("8BITMIME")
        if persona.pipelining:
            lines.append("PIPELINING")
        if persona.tls is not Tls.NONE and not self.tls:
            lines.append("STARTTLS")
        if persona.chunking:
            lines.append("CHUNKING")
        if persona.smtputf8:
            lines.append("SMTPUTF8")
        self._transaction.reset()
        self.greeted = True
        self.say("".join([f"250-{line}\r\n" for line in lines[:-1]] + [f"250 {lines[-1]}\r\n"]).encode())

    def _helo(self, rest: bytes) -> None:
        if rest.strip():
            self.you = rest.strip()
            self.meet(Step.HELO, self._introduce_briefly)
        else:
            self.say(b"501 5.5.4 A name is wanted\r\n")

    def _introduce_briefly(self) -> None:
        self._transaction.reset()
        self.greeted = True
        self.say(b"250 %s\r\n" % self.exchanger.name.encode())

    def _starttls(self, rest: bytes) -> None:
        if self.persona.tls is Tls.NONE or self.tls:
            self.say(b"502 5.5.1 STARTTLS is not offered\r\n")
        elif rest:
            self.say(b"501 5.5.4 STARTTLS takes no parameter\r\n")
        else:
            self.meet(Step.STARTTLS, self._agree)

    def _agree(self) -> None:
        self.say(b"220 2.0.0 Ready to start TLS\r\n")
        self._tls_next = True

    def _start_tls(self) -> None:
        """What came in clear behind STARTTLS is forgotten, and so is what was said before (RFC 3207 4.2)."""
        self.flush()
        self._tls_next = False
        self._rest = b""
        self._transaction.reset()
        self.greeted = False
        if self.persona.tls in (Tls.CUT, Tls.ONE_SEGMENT) or self.persona.tls in _SABOTAGE:
            self._sabotage = True
        else:
            self._link.start_tls()

    def _fail_tls(self) -> None:
        """The client's handshake has come."""
        words = _SABOTAGE.get(self.persona.tls)
        if words is None:
            self.fall_deaf(Then.ABORT, b"")
        elif words:
            self.hang_up(words)
        else:
            self.deaf = True

    def _read_hello(self, data: bytes) -> None:
        """Shake hands with a client whose hello, one TLS record, is small, and with no other."""
        self._rest += data
        record = self._rest[:5]
        if len(record) == 5 and 5 + int.from_bytes(record[3:]) > _ONE_SEGMENT:
            self.deaf = True
        elif len(record) == 5:
            self._sabotage = False
            self._rest, hello = b"", self._rest
            self._link.start_tls(hello)

    def tls_started(self) -> None:
        """The handshake is done."""
        self.tls = self._link.tls_version()
        self.scene.totals.tls += 1

    def _mail(self, rest: bytes) -> None:
        self._transaction.mail(rest)

    def _rcpt(self, rest: bytes) -> None:
        self._transaction.rcpt(rest)

    def _data(self, rest: bytes) -> None:
        self._transaction.data(rest)

    def _bdat(self, rest: bytes) -> None:
        self._transaction.bdat(rest)

    def _rset(self, rest: bytes) -> None:  # noqa: ARG002
        self.meet(Step.RSET, self._start_over)

    def _start_over(self) -> None:
        self._transaction.reset()
        self.say(b"250 2.0.0 Ok\r\n")

    def _noop(self, rest: bytes) -> None:  # noqa: ARG002
        self.say(b"250 2.0.0 Ok\r\n")

    def _vrfy(self, rest: bytes) -> None:  # noqa: ARG002
        self.say(b"252 2.1.5 Send some mail, and see\r\n")

    def _quit(self, rest: bytes) -> None:  # noqa: ARG002
        self.meet(Step.QUIT, partial(self.hang_up, b"221 2.0.0 Bye\r\n"))

    _VERBS: ClassVar[dict[bytes, Callable[[Dialogue, bytes], None]]] = {
        b"EHLO": _ehlo,
        b"HELO": _helo,
        b"STARTTLS": _starttls,
        b"MAIL": _mail,
        b"RCPT": _rcpt,
        b"DATA": _data,
        b"BDAT": _bdat,
        b"RSET": _rset,
        b"NOOP": _noop,
        b"VRFY": _vrfy,
        b"QUIT": _quit,
    }
