"""The server's side of SMTP without the sockets: bytes in, replies and actions out through a `Link`.

One line, or one message, at a time; what a persona delays holds up all that follows, so replies never change places. A
line ends with CRLF and nothing else: a bare line feed in a command is answered with 500.
"""

from __future__ import annotations

from functools import partial

from bulkmail.rehearsal.behaviour import Step, Tls
from bulkmail.rehearsal.network import Exchanger, SimulatedNetwork
from bulkmail.rehearsal.scripted import ScriptedReplies
from bulkmail.rehearsal.speaker import Client, Link, Speaker
from bulkmail.rehearsal.starttls import TlsUpgrade
from bulkmail.rehearsal.transaction import Transaction

_LINE_CAP = 4096  # bytes
_ERRORS_CAP = 20  # commands that were not understood


class ServerSession:
    """One connection's session. ``ip``: the client's address; ``serial``: the number of the connection."""

    def __init__(self, network: SimulatedNetwork, exchanger: Exchanger, link: Link, ip: str, serial: int) -> None:
        self.client = Client(ip, serial)
        self._speaker = Speaker(network, exchanger, link, self.client)
        self._persona = exchanger.persona
        self._replies = ScriptedReplies(self._speaker, self.work)
        self._tls = TlsUpgrade(self._speaker, self._replies, link)
        self._transaction = Transaction(self._speaker, self._replies)
        self._rest = b""  # received and not read yet
        self._errors = 0
        self._verbs = {
            b"EHLO": self._ehlo,
            b"HELO": self._helo,
            b"STARTTLS": self._tls.starttls,
            b"MAIL": self._transaction.mail,
            b"RCPT": self._transaction.rcpt,
            b"DATA": self._transaction.data,
            b"BDAT": self._transaction.bdat,
            b"RSET": self._rset,
            b"NOOP": self._noop,
            b"VRFY": self._vrfy,
            b"QUIT": self._quit,
        }

    # What the connection asks

    @property
    def held(self) -> bool:
        """Whether a reply waits."""
        return self._replies.held

    @property
    def finished(self) -> bool:
        """Whether nothing is read or said any more."""
        return self._speaker.finished

    @property
    def backlog(self) -> int:
        """Count the bytes that were received and wait."""
        return len(self._rest)

    # What happens to the connection

    def begin(self, *, welcome: bool) -> None:
        """Greet the client, or send it away with the persona's reply for too many connections."""
        speaker = self._speaker
        if welcome:
            greeting = b"220 %s ESMTP\r\n" % speaker.exchanger.name.encode()
            self._replies.at(Step.CONNECT, partial(speaker.say, greeting))
        else:
            speaker.network.totals.rejected_at_limit += 1
            speaker.hang_up(self._persona.connections_reply)
        speaker.flush()

    def receive(self, data: bytes) -> None:
        """Take some bytes, cut anywhere."""
        if self._speaker.finished:
            return
        if self._tls.failing:
            self._tls.receive(data)
            return
        self._replies.cancel_unasked()
        self._rest = self._rest + data if self._rest else data
        if not self._replies.held:
            self.work()

    def tls_started(self) -> None:
        """Note that the handshake is done."""
        self._tls.started()

    def time_out(self) -> None:
        """Close, as nothing was heard for too long (RFC 5321 4.5.3.2.7)."""
        self._speaker.hang_up(b"421 4.4.2 Nothing was heard for too long\r\n")

    def lost(self) -> None:
        """End with the connection. A message that waits for its reply is taken all the same: real servers do that."""
        if self._replies.stop():
            self._transaction.abandon()
        self._speaker.finished = True

    def work(self) -> None:
        """Take commands and bodies from what has come, until something is missing or has to wait."""
        buffer, at = self._rest, 0
        speaker, replies, transaction = self._speaker, self._replies, self._transaction
        while not replies.held and not speaker.finished:
            if self._tls.agreed:
                self._begin_tls()
                return
            if replies.drops_input:
                replies.drops_input = False
                buffer, at = b"", 0
            if transaction.reading:
                at, done = transaction.read(buffer, at)
                if not done:
                    break
                continue
            end = buffer.find(b"\r\n", at)
            if end < 0:
                if len(buffer) - at > _LINE_CAP:
                    speaker.hang_up(b"500 5.5.2 Line too long\r\n")
                break
            self.client.behind = at > 0
            self._command(buffer[at:end])
            at = end + 2
            if self._tls.agreed or replies.drops_input:
                continue
            if at < len(buffer) and not self._persona.pipelining and not transaction.reading and not speaker.finished:
                speaker.hang_up(b"554 5.5.0 Synchronization error: PIPELINING was not offered\r\n")
        self._rest = b"" if speaker.finished else buffer[at:]
        speaker.flush()

    def _begin_tls(self) -> None:
        """Forget what came in clear behind STARTTLS, and what was said before (RFC 3207 4.2)."""
        self._rest = b""
        self._transaction.reset()
        self.client.greeted = False
        self._tls.begin()

    # Commands

    def _command(self, line: bytes) -> None:
        verb, _, rest = line.partition(b" ")
        method = self._verbs.get(verb) or self._verbs.get(verb.upper())
        if method is None or b"\n" in line or b"\r" in line or b"\0" in line:
            self._errors += 1
            self._speaker.say(b"500 5.5.2 Command not understood\r\n")
            if self._errors > _ERRORS_CAP:
                self._speaker.hang_up(b"421 4.7.0 Too many errors\r\n")
            return
        method(rest)

    def _ehlo(self, rest: bytes) -> None:
        self._greet(Step.EHLO, rest)

    def _helo(self, rest: bytes) -> None:
        self._greet(Step.HELO, rest)

    def _greet(self, step: Step, rest: bytes) -> None:
        if rest.strip():
            self.client.name = rest.strip()
            self._replies.at(step, partial(self._introduce, self._extensions() if step is Step.EHLO else []))
        else:
            self._speaker.say(b"501 5.5.4 A name is wanted\r\n")

    def _extensions(self) -> list[str]:
        persona = self._persona
        lines = [f"SIZE {persona.size}", "ENHANCEDSTATUSCODES"]
        if persona.eight_bit:
            lines.append("8BITMIME")
        if persona.pipelining:
            lines.append("PIPELINING")
        if persona.tls is not Tls.NONE and not self.client.tls:
            lines.append("STARTTLS")
        if persona.chunking:
            lines.append("CHUNKING")
        if persona.smtputf8:
            lines.append("SMTPUTF8")
        return lines

    def _introduce(self, extensions: list[str]) -> None:
        lines = [self._speaker.exchanger.name, *extensions]
        self._transaction.reset()
        self.client.greeted = True
        self._speaker.say("".join([f"250-{line}\r\n" for line in lines[:-1]] + [f"250 {lines[-1]}\r\n"]).encode())

    def _rset(self, rest: bytes) -> None:  # noqa: ARG002
        self._replies.at(Step.RSET, self._start_over)

    def _start_over(self) -> None:
        self._transaction.reset()
        self._speaker.say(b"250 2.0.0 Ok\r\n")

    def _noop(self, rest: bytes) -> None:  # noqa: ARG002
        self._speaker.say(b"250 2.0.0 Ok\r\n")

    def _vrfy(self, rest: bytes) -> None:  # noqa: ARG002
        self._speaker.say(b"252 2.1.5 Send some mail, and see\r\n")

    def _quit(self, rest: bytes) -> None:  # noqa: ARG002
        self._replies.at(Step.QUIT, partial(self._speaker.hang_up, b"221 2.0.0 Bye\r\n"))
