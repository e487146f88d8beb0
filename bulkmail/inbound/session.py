"""The server's side of one SMTP session (RFC 5321), without a socket: bytes in, events out, replies in order.

Commands are answered one after the other, whatever was written behind them (RFC 2920): while the sink has a message,
nothing of what stands behind its dot is looked at. The caller does what an event says, writes `take_output`, and
watches over `patience`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from bulkmail.inbound.body import Body
from bulkmail.inbound.commands import parse_name
from bulkmail.inbound.limits import Limits, Share
from bulkmail.inbound.octets import Octets, Spill
from bulkmail.inbound.received import Accepted, Accepts, Refusal
from bulkmail.inbound.replies import FIXED, NOT_OFFERED, NOT_SMTP, Replies
from bulkmail.inbound.transaction import Transaction

_LONGEST_LINE = 2048  # octets: 512 of RFC 5321 and what SIZE, 8BITMIME and SMTPUTF8 add, and room
_MOST_COMMANDS = 1000  # between two messages


class Phase(Enum):
    """What is waited for."""

    SILENCE = "silence"  # the client is to say nothing before it is greeted
    COMMAND = "command"
    HANDSHAKE = "handshake"
    BODY = "body"
    SINK = "sink"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Message:
    """A message has come; `Session.answer` it. Its body is the caller's to close."""

    sender: str
    recipients: tuple[Accepted, ...]
    body: Octets
    smtputf8: bool


class StartTls:
    """Write the output, and begin the handshake; then call `Session.tls_started`."""


class Close:
    """Write the output, and close."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Something was refused, which is worth a line in the log: the envelope so far, and the reply."""

    sender: str | None
    recipient: str
    refusal: Refusal


Event = Message | StartTls | Close | Refused


class Session:
    """One session. ``hostname``: our name; ``tls_ready``: whether STARTTLS can be offered now; ``share``: its room.

    ``spill``: makes a file for a message that is not kept in memory.

    ``phase`` says what is waited for, ``turns`` counts what was done, so that a deadline begins anew with each command
    and not with each octet.
    """

    def __init__(
        self,
        *,
        hostname: str,
        accepts: Accepts,
        limits: Limits,
        share: Share,
        spill: Spill,
        tls_ready: Callable[[], bool],
    ) -> None:
        self.phase = Phase.SILENCE
        self.turns = 0
        self.helo = ""
        self.tls = ""
        self._hostname = hostname
        self._limits = limits
        self._share = share
        self._spill = spill
        self._tls_ready = tls_ready
        self._transaction = Transaction(accepts, limits)
        self._body: Body | None = None
        self._rest = b""
        self._replies = Replies()
        self._events: list[Event] = []
        self._errors = self._messages = self._commands = 0

    # what the caller says

    def greet(self) -> None:
        """Greet the client, which was silent."""
        self.phase = Phase.COMMAND
        self._replies.say(220, "", f"{self._hostname} ESMTP")

    def receive(self, data: bytes) -> list[Event]:
        """Take some octets, cut anywhere."""
        if self.phase is Phase.SILENCE:
            self._hang_up(Refusal(554, "5.5.1", "You talk before you are greeted"))
        if self.phase is Phase.CLOSED:
            return self._new_events()
        self._rest = self._rest + data if self._rest else data
        return self._work()

    def answer(self, refusal: Refusal | None, name: str) -> list[Event]:
        """Answer the message that was handed out: it is durable under this ``name``, or it is refused."""
        self._share.give_back()
        if self.phase is not Phase.SINK:
            return []
        self.phase = Phase.COMMAND
        self._commands = 0
        if refusal is None:
            self._messages += 1
            self._replies.say(250, "2.0.0", f"Ok: taken as {name}")
        else:
            self._replies.refuse(refusal)
        return self._work()

    def tls_started(self, version: str) -> list[Event]:
        """Go on behind the handshake: nothing that was said before it counts (RFC 3207 4.2)."""
        self.tls = version
        self.phase = Phase.COMMAND
        self.turns += 1
        return self._work()

    def hang_up(self, refusal: Refusal) -> list[Event]:
        """Say why, and close: at a deadline, or because the server stops."""
        self._hang_up(refusal)
        return self._new_events()

    def lost(self) -> None:
        """Note that the connection is gone; a message that the sink has stays with it, and so does its room."""
        if self.phase is not Phase.SINK:
            self._share.give_back()
        self.phase = Phase.CLOSED
        if self._body is not None:
            self._body.close()
        self._body, self._rest = None, b""

    def take_output(self) -> bytes:
        """Return what is to be written."""
        return self._replies.take()

    # reading

    def _new_events(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def _work(self) -> list[Event]:
        while self.phase is Phase.BODY or self.phase is Phase.COMMAND:
            if self.phase is Phase.BODY:
                if not self._read_body():
                    break
                continue
            end = self._rest.find(b"\n")
            if end < 0:
                if len(self._rest) > _LONGEST_LINE:
                    self._hang_up(Refusal(500, "5.5.2", "The line is too long"))
                break
            line, self._rest = self._rest[:end], self._rest[end + 1 :]
            if not line.endswith(b"\r") or b"\r" in line[:-1]:
                self._hang_up(Refusal(554, "5.5.2", "A CR or LF stands alone; lines end with CRLF"))
            elif len(line) > _LONGEST_LINE:
                self._hang_up(Refusal(500, "5.5.2", "The line is too long"))
            else:
                self._command(line[:-1])
        return self._new_events()

    def _read_body(self) -> bool:
        """Read on in a message; whether its end was found."""
        body = self._body
        if body is None or not self._rest:
            return False
        data, self._rest = self._rest, b""
        behind = body.feed(data)
        if behind is None:
            if body.hopeless:
                self._note(body.refusal)
                self._hang_up(body.refusal)
            return False
        self._body, self._rest = None, behind
        self.turns += 1
        sender, recipients, smtputf8 = self._transaction.end()
        if body.refusal is not None:
            self.phase = Phase.COMMAND
            self._events.append(Refused(sender, recipients[0].address, body.refusal))
            self._refuse(body.refusal)
        else:
            self.phase = Phase.SINK
            self._events.append(Message(sender, recipients, body.message(), smtputf8))
        return True

    def _command(self, line: bytes) -> None:
        self.turns += 1
        self._commands += 1
        verb, _, rest = line.partition(b" ")
        verb = verb.upper()
        if verb in NOT_SMTP:
            self._hang_up(Refusal(554, "5.5.1", "This is not offered here"))
        elif self._commands > _MOST_COMMANDS:
            self._hang_up(Refusal(421, "4.7.0", "Too many commands without a message"))
        elif verb in FIXED:
            self._replies.say(*FIXED[verb])
        elif verb in _VERBS:
            _VERBS[verb](self, rest)
        elif verb in NOT_OFFERED:
            self._refuse(Refusal(502, "5.5.1", "This command is not offered here"))
        else:
            self._refuse(Refusal(500, "5.5.2", "This command is not known"))

    # verbs

    def _ehlo(self, rest: bytes) -> None:
        starttls = ["STARTTLS"] if not self.tls and self._tls_ready() else []
        size = f"SIZE {self._limits.size}"
        self._helo(rest, ["PIPELINING", size, "8BITMIME", "SMTPUTF8", *starttls, "ENHANCEDSTATUSCODES"])

    def _helo(self, rest: bytes, keywords: Sequence[str] = ()) -> None:
        name = parse_name(rest)
        if name is None:
            self._refuse(Refusal(501, "5.5.4", "A name is wanted: EHLO mail.example.com"))
            return
        self.helo = name
        self._transaction.reset()
        self._replies.say(250, "", self._hostname, *keywords)

    def _starttls(self, rest: bytes) -> None:
        if self.tls:
            self._refuse(Refusal(503, "5.5.1", "TLS is spoken already"))
        elif not self._tls_ready():
            self._refuse(Refusal(502, "5.5.1", "STARTTLS is not offered here"))
        elif rest:
            self._refuse(Refusal(501, "5.5.4", "STARTTLS takes no parameter"))
        else:
            self._replies.say(220, "2.0.0", "Ready to start TLS")
            # What stands behind it came in clear and may be another's (CVE-2011-0411): it is dropped, unread
            self._rest = b""
            self._transaction.reset()
            self.helo = ""
            self.phase = Phase.HANDSHAKE
            self._events.append(StartTls())

    def _mail(self, rest: bytes) -> None:
        if not self.helo:
            self._refuse(Refusal(503, "5.5.1", "Say EHLO first"))
        elif self._messages >= self._limits.messages:
            self._hang_up(Refusal(421, "4.7.0", "That was enough on one connection; open another one"))
        else:
            self._tell(self._transaction.mail(rest), "2.1.0", "Ok")

    def _rcpt(self, rest: bytes) -> None:
        refusal = self._transaction.rcpt(rest)
        if refusal is not None and refusal.code != 503:
            self._note(refusal, self._transaction.last)
        self._tell(refusal, "2.1.5", "Ok")

    def _data(self, rest: bytes) -> None:
        refusal = Refusal(501, "5.5.4", "DATA takes no parameter") if rest else self._transaction.ready()
        if self._rest:
            # What was written before our answer may be a message whose lines would be commands were DATA refused
            self._hang_up(Refusal(554, "5.5.0", "You send a message before you are asked for it"))
        elif refusal is not None:
            self._refuse(refusal)
        else:
            self._replies.say(354, "", "End the message with <CRLF>.<CRLF>")
            self._body = Body(self._limits.size, self._share, self._spill)
            self.phase = Phase.BODY

    def _rset(self, rest: bytes) -> None:
        if rest:
            self._refuse(Refusal(501, "5.5.4", "RSET takes no parameter"))
        else:
            self._transaction.reset()
            self._replies.say(250, "2.0.0", "Ok")

    def _quit(self, rest: bytes) -> None:  # noqa: ARG002
        self._replies.say(221, "2.0.0", "Bye")
        self._close()

    # replies

    def _tell(self, refusal: Refusal | None, enhanced: str, text: str) -> None:
        if refusal is None:
            self._replies.say(250, enhanced, text)
        else:
            self._refuse(refusal)

    def _refuse(self, refusal: Refusal) -> None:
        """Say so; who is refused too often is sent away."""
        self._errors += 1
        if self._errors > self._limits.errors:
            self._hang_up(Refusal(421, "4.7.0", "Too many errors"))
        else:
            self._replies.refuse(refusal)

    def _note(self, refusal: Refusal | None, recipient: str = "") -> None:
        if refusal is not None:
            self._events.append(Refused(self._transaction.sender, recipient, refusal))

    def _hang_up(self, refusal: Refusal | None) -> None:
        if self.phase is not Phase.CLOSED and refusal is not None:
            self._replies.refuse(refusal)
            self._close()

    def _close(self) -> None:
        self._events.append(Close())
        self.lost()


_VERBS: dict[bytes, Callable[[Session, bytes], None]] = {
    b"EHLO": Session._ehlo,  # noqa: SLF001
    b"HELO": Session._helo,  # noqa: SLF001
    b"STARTTLS": Session._starttls,  # noqa: SLF001
    b"MAIL": Session._mail,  # noqa: SLF001
    b"RCPT": Session._rcpt,  # noqa: SLF001
    b"DATA": Session._data,  # noqa: SLF001
    b"RSET": Session._rset,  # noqa: SLF001
    b"QUIT": Session._quit,  # noqa: SLF001
}
