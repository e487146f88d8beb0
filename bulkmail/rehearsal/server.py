"""The SMTP server of an exchanger (RFC 5321, 2920, 1870, 3030, 3207): quick where nothing is wrong, scripted where it is.

One line, or one message, at a time; what a persona delays stops the reading, so replies never change places. A line
ends with CRLF and nothing else: whoever sends a bare line feed in a command hears 500.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from bulkmail.rehearsal.behaviour import Behaviour, Step, Then, Tls
from bulkmail.rehearsal.body import Body
from bulkmail.rehearsal.personas import asked_for
from bulkmail.rehearsal.world import Exchanger, World

_LINE_CAP = 4096
_HELD_CAP = 262_144  # bytes that wait while a reply does
_NONSENSE_CAP = 20  # commands
_PATH = rb'<([^">]*(?:"(?:[^"\\]|\\.)*"[^">]*)*)> *(.*)'
_MAIL = re.compile(rb"FROM: *" + _PATH, re.IGNORECASE)
_RCPT = re.compile(rb"TO: *" + _PATH, re.IGNORECASE)
_SIZE = re.compile(rb"(?:\A| )SIZE=(\d{1,20})(?: |\Z)", re.IGNORECASE)
_BDAT = re.compile(rb"(\d{1,9})( LAST)?", re.IGNORECASE)
_CONNECTION_STEPS = (Step.CONNECT, Step.EHLO, Step.STARTTLS, Step.QUIT)


class MxConnection(Protocol):
    """One client. ``tls`` gives the server's side of TLS, asked for only when a client wants it."""

    def __init__(self, world: World, exchanger: Exchanger, tls: Callable[[], IOpenSSLServerConnectionCreator]) -> None:
        self.active_at = 0.0
        self.held = False  # a reply waits
        self.deaf = False  # nothing more is read
        self._world = world
        self._exchanger = exchanger
        self._persona = exchanger.persona
        self._zone = world.zone
        self._tls = tls
        self._tls_version = ""
        self._rest = b""
        self._out: list[bytes] = []
        self._dns_client = ""
        self._serial = 0
        self._messages = 0  # the client sent on this connection, kept or not
        self._nonsense = 0
        self._resume: Callable[[], None] | None = None
        self._waiting: Any = None
        self._paused = False
        self._inside = False
        self._at_startup = False  # of TLS: what follows is the handshake
        self._ehlo = False
        self._sender: str | None = None
        self._utf8 = False
        self._recipients: list[str] = []
        self._at_dot: Behaviour | None = None  # what a recipient asked for
        self._body: Body | None = None
        self._reading = False  # the body, not commands
        self._message: bytes | None = None  # complete, its reply not given yet

    # The connection

    def connectionMade(self) -> None:
        """Greet, or send away."""
        world = self._world
        world.totals.connections += 1
        self._serial = world.totals.connections
        self.active_at = world.clock()
        world.connections.add(self)
        self._client = self.transport.getPeer().host
        self._group = (self._exchanger.group, self._client)
        self._inside = True
        if world.enter(self._group, self._persona.connections):
            self._meet(Step.CONNECT, partial(self._say, b"220 %s ESMTP\r\n" % self._exchanger.name.encode()))
        else:
            world.totals.turned_away += 1
            self._say(self._persona.connections_reply)
            self._close()
        self._flush()

    def dataReceived(self, data: bytes) -> None:
        """Some bytes, cut anywhere."""
        if self.deaf:
            return
        self.active_at = self._world.clock()
        self._rest = self._rest + data if self._rest else data
        if not self.held:
            self._work()
        elif len(self._rest) > _HELD_CAP and not self._paused:
            self._paused = True
            self.transport.pauseProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002
        """A message that waits for its reply was taken all the same: that is what real servers do."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        if self._message is not None:
            self._keep(answered=False)
        self.deaf = True
        self._go_out()
        self._world.connections.discard(self)

    def _go_out(self) -> None:
        if self._inside:
            self._inside = False
            self._world.leave(self._group)

    def _close(self) -> None:
        """Say what there is to say, and hang up."""
        self._flush()
        self.deaf = True
        self._rest = b""
        self._go_out()
        self.transport.loseConnection()

    def abort(self) -> None:
        """Reset the connection."""
        self.deaf = True
        self._go_out()
        self.transport.abortConnection()

    def _say(self, reply: bytes) -> None:
        self._out.append(reply)

    def _flush(self) -> None:
        out = self._out
        if out:
            self.transport.write(out[0] if len(out) == 1 else b"".join(out))
            out.clear()

    def _work(self) -> None:
        """Take commands and bodies from what has come, until something is missing or has to wait."""
        buffer, at = self._rest, 0
        while not self.held and not self.deaf:
            if self._at_startup:
                self._start_tls()
                return
            if self._reading:
                at, done = self._read(buffer, at)
                if not done:
                    break
                continue
            end = buffer.find(b"\r\n", at)
            if end < 0:
                if len(buffer) - at > _LINE_CAP:
                    self._say(b"500 5.5.2 Line too long\r\n")
                    self._close()
                break
            line = buffer[at:end]
            at = end + 2
            self._command(line)
            if at < len(buffer) and not self._persona.pipelining and not self._reading and not self.deaf:
                self._say(b"554 5.5.0 Synchronization error: PIPELINING was not offered\r\n")
                self._close()
        self._rest = b"" if self.deaf else buffer[at:]
        self._flush()

    # What a persona does

    def _find(self, step: Step, key: object, again: object, local: str = "") -> Behaviour | None:
        """The behaviour for this step. ``key``: what a share is drawn by; ``again``: what tries are counted by."""
        world, name = self._world, self._persona.name
        for number, behaviour in self._exchanger.steps[step]:
            if behaviour.local and not local.startswith(behaviour.local):
                continue
            if behaviour.share < 1 and world.chance(name, number, key) >= behaviour.share:
                continue
            if behaviour.tries and world.tried((name, number, again)) > behaviour.tries:
                continue
            return behaviour
        return None

    def _meet(self, step: Step, usual: Callable[[], None]) -> None:
        """A step that is about the connection, or about a message whose recipients are not known yet."""
        found = self._find(step, f"{self._serial} {self._messages}", self._client) if self._exchanger.steps[step] else None
        self._do(found, usual)

    def _do(self, behaviour: Behaviour | None, usual: Callable[[], None]) -> None:
        if behaviour is None:
            usual()
        elif behaviour.wait:
            self.held = True
            self._resume = partial(self._act, behaviour, usual)
            self._waiting = self._world.call_later(behaviour.wait / self._world.speed, self._go_on)
        else:
            self._act(behaviour, usual)

    def _go_on(self) -> None:
        self._waiting = None
        self.held = False
        self.active_at = self._world.clock()
        if self._paused:
            self._paused = False
            self.transport.resumeProducing()
        resume, self._resume = self._resume, None
        if resume is not None:
            resume()
        self._work()

    def _act(self, behaviour: Behaviour, usual: Callable[[], None]) -> None:
        if behaviour.reply is None:
            usual()
        else:
            if behaviour.step not in _CONNECTION_STEPS:
                self._world.totals.said(behaviour.reply)
            if behaviour.reply:
                self._say(behaviour.reply)
            if behaviour.step is Step.DOT:
                if behaviour.stores:
                    self._keep(answered=False)
                self._over()
        if behaviour.then is Then.CLOSE:
            self._close()
        elif behaviour.then is Then.ABORT:
            self.abort()
        elif behaviour.then is Then.SILENCE:
            self.deaf = True

    def _refuse(self, reply: bytes) -> None:
        self._world.totals.said(reply)
        self._say(reply)

    # Commands

    def _command(self, line: bytes) -> None:
        verb, _, rest = line.partition(b" ")
        method = _VERBS.get(verb) or _VERBS.get(verb.upper())
        if method is None or b"\n" in line or b"\r" in line or b"\0" in line:
            self._nonsense += 1
            self._say(b"500 5.5.2 Command not understood\r\n")
            if self._nonsense > _NONSENSE_CAP:
                self._say(b"421 4.7.0 Too many errors\r\n")
                self._close()
            return
        method(self, rest)

    def _hello(self, rest: bytes) -> None:
        if not rest.strip():
            self._say(b"501 5.5.4 A name is wanted\r\n")
            return
        self._meet(Step.EHLO, self._introduce)

    def _introduce(self) -> None:
        persona = self._persona
        lines = [self._exchanger.name, f"SIZE {persona.size}", "8BITMIME", "ENHANCEDSTATUSCODES"]
        if persona.pipelining:
            lines.append("PIPELINING")
        if persona.tls is not Tls.NONE and not self._tls_version:
            lines.append("STARTTLS")
        if persona.chunking:
            lines.append("CHUNKING")
        if persona.smtputf8:
            lines.append("SMTPUTF8")
        self._reset()
        self._ehlo = True
        self._say("".join([f"250-{line}\r\n" for line in lines[:-1]] + [f"250 {lines[-1]}\r\n"]).encode())

    def _helo(self, rest: bytes) -> None:
        if not rest.strip():
            self._say(b"501 5.5.4 A name is wanted\r\n")
            return
        self._reset()
        self._ehlo = True
        self._say(b"250 %s\r\n" % self._exchanger.name.encode())

    def _starttls(self, rest: bytes) -> None:
        if self._persona.tls is Tls.NONE or self._tls_version:
            self._say(b"502 5.5.1 STARTTLS is not offered\r\n")
        elif rest:
            self._say(b"501 5.5.4 STARTTLS takes no parameter\r\n")
        else:
            self._meet(Step.STARTTLS, self._agree_to_tls)

    def _agree_to_tls(self) -> None:
        self._say(b"220 2.0.0 Ready to start TLS\r\n")
        self._at_startup = True

    def _start_tls(self) -> None:
        """What was sent in clear behind STARTTLS is forgotten, and so is what was said before (RFC 3207 4.2)."""
        self._flush()
        self._at_startup = False
        self._rest = b""
        self._reset()
        self._ehlo = False
        if self._persona.tls is Tls.BROKEN:
            self._say(b"\x15\x03\x03\x00\x02\x02\x28")  # a fatal alert: handshake_failure
            self._close()
            return
        self._tls_version = "TLS"
        self.transport.startTLS(self._tls())

    def _mail(self, rest: bytes) -> None:
        persona, world = self._persona, self._world
        found = _MAIL.fullmatch(rest)
        if not self._ehlo or self._sender is not None:
            self._refuse(b"503 5.5.1 Not now\r\n")
        elif found is None:
            self._refuse(b"501 5.5.4 Syntax: MAIL FROM:<address>\r\n")
        elif persona.tls is Tls.REQUIRED and not self._tls_version:
            self._refuse(b"530 5.7.0 Must issue a STARTTLS command first\r\n")
        elif persona.messages and self._messages >= persona.messages:
            world.totals.turned_away += 1
            self._say(persona.messages_reply)
            self._close()
        elif persona.rate and world.too_fast(self._group, persona.rate):
            self._refuse(persona.rate_reply)
        else:
            parameters = found[2].upper()
            size = _SIZE.search(parameters) if parameters else None
            utf8 = b"SMTPUTF8" in parameters.split()
            if size is not None and int(size[1]) > persona.size:
                self._refuse(b"552 5.3.4 Message size exceeds fixed limit\r\n")
            elif utf8 and not persona.smtputf8:
                self._refuse(b"555 5.5.4 SMTPUTF8 is not offered\r\n")
            else:
                self._meet(Step.MAIL, partial(self._take_sender, found[1], utf8))

    def _take_sender(self, sender: bytes, utf8: bool) -> None:
        self._sender = sender.decode("utf-8", "surrogateescape")
        self._utf8 = utf8
        self._say(b"250 2.1.0 Ok\r\n")

    def _rcpt(self, rest: bytes) -> None:
        persona = self._persona
        found = _RCPT.fullmatch(rest)
        if self._sender is None:
            self._refuse(b"503 5.5.1 MAIL first\r\n")
            return
        recipient = found[1].decode("utf-8", "surrogateescape") if found else ""
        local, at, domain = recipient.rpartition("@")
        if not at or not local:
            self._refuse(b"501 5.1.3 Syntax: RCPT TO:<address>\r\n")
        elif len(self._recipients) >= persona.recipients:
            self._refuse(b"452 4.5.3 Too many recipients\r\n")
        elif not recipient.isascii() and not self._utf8:
            self._refuse(b"553 5.6.7 SMTPUTF8 is needed for this address\r\n")
        elif not persona.relays and self._exchanger.hosts.isdisjoint(self._zone.domain(domain.lower()).names):
            self._refuse(b"550 5.7.1 Relay access denied: this is no mail exchanger of that domain\r\n")
        elif persona.greylist and self._world.greylisted((self._client, self._sender, recipient), persona.greylist):
            self._refuse(b"451 4.7.1 Greylisted, try again in %d seconds\r\n" % persona.greylist)
        else:
            asked = asked_for(local)
            if asked is not None and asked.tries and self._world.tried((asked.step, recipient)) > asked.tries:
                asked = None
            if asked is not None and asked.step is Step.DOT:
                self._at_dot = self._at_dot or asked
                asked = None
            if asked is None and self._exchanger.steps[Step.RCPT]:
                asked = self._find(Step.RCPT, recipient, recipient, local.lower())
            self._do(asked, partial(self._take_recipient, recipient))

    def _take_recipient(self, recipient: str) -> None:
        self._recipients.append(recipient)
        self._say(b"250 2.1.5 Ok\r\n")

    def _data(self, rest: bytes) -> None:
        if self._sender is None or self._body is not None:
            self._refuse(b"503 5.5.1 MAIL first\r\n")
        elif not self._recipients:
            self._refuse(b"554 5.5.1 No valid recipients\r\n")
        elif rest.strip():
            self._refuse(b"501 5.5.4 DATA takes no parameter\r\n")
        elif self._exchanger.steps[Step.DATA]:
            first = self._recipients[0]
            self._do(self._find(Step.DATA, first, first, first.lower()), self._invite)
        else:
            self._invite()

    def _invite(self) -> None:
        self._body = Body(self._persona.size)
        self._reading = True
        self._say(b"354 End data with <CR><LF>.<CR><LF>\r\n")

    def _bdat(self, rest: bytes) -> None:
        found = _BDAT.fullmatch(rest)
        if not self._persona.chunking or found is None:
            self._refuse(b"501 5.5.4 Not understood\r\n")
            return
        # the bytes come whatever we think of them (RFC 3030 2)
        self._body = self._body or Body(self._persona.size)
        self._body.chunked = True
        self._body.left, self._body.last = int(found[1]), found[2] is not None
        self._reading = True

    def _read(self, buffer: bytes, at: int) -> tuple[int, bool]:
        body = self._body
        assert body is not None, "a body is read only where there is one"
        at, done = body.read_counted(buffer, at) if body.chunked else body.read_dotted(buffer, at)
        if done:
            self._reading = False
            if not body.chunked or body.last:
                self._complete(body)
            elif self._recipients:
                self._say(b"250 2.0.0 %d bytes\r\n" % body.size)
            else:
                self._refuse(b"503 5.5.1 RCPT first\r\n")
        return at, done

    def _complete(self, body: Body) -> None:
        """All of a message is here."""
        message = body.message()
        if not self._recipients:
            self._refuse(b"554 5.5.1 No valid recipients\r\n")
            self._over()
        elif message is None:
            self._refuse(b"552 5.3.4 Message too large\r\n")
            self._over()
        else:
            self._message = message
            behaviour = self._at_dot
            if behaviour is None and self._exchanger.steps[Step.DOT]:
                first = self._recipients[0]
                behaviour = self._find(Step.DOT, first, first, first.lower())
            self._do(behaviour, self._accept)

    def _accept(self) -> None:
        self._keep(answered=True)
        self._say(b"250 2.0.0 Ok: queued as %X\r\n" % (0x4000000 + self._world.totals.messages))
        self._over()

    def _keep(self, *, answered: bool) -> None:
        world, message = self._world, self._message
        assert message is not None, "only a complete message is kept"
        self._message = None
        totals = world.totals
        totals.messages += 1
        totals.recipients += len(self._recipients)
        totals.bytes += len(message)
        totals.unanswered += not answered
        if self._tls_version == "TLS":
            self._tls_version = self.transport.getHandle().get_protocol_version_name()
        world.store.add(
            at=world.now(),
            mx=self._exchanger.name,
            ip=self._exchanger.ip,
            source_ip=self._client,
            mail_from=self._sender or "",
            recipients=self._recipients,
            message=message,
            tls=self._tls_version,
            answered=answered,
        )

    def _over(self) -> None:
        """The transaction is over, whatever came of it."""
        self._messages += 1
        self._reset()
        persona = self._persona
        if persona.messages and self._messages >= persona.messages and not persona.messages_reply:
            self._close()

    def _reset(self) -> None:
        self._sender = None
        self._recipients = []
        self._at_dot = None
        self._body = None
        self._message = None

    def _rset(self, rest: bytes) -> None:  # noqa: ARG002
        self._reset()
        self._say(b"250 2.0.0 Ok\r\n")

    def _noop(self, rest: bytes) -> None:  # noqa: ARG002
        self._say(b"250 2.0.0 Ok\r\n")

    def _vrfy(self, rest: bytes) -> None:  # noqa: ARG002
        self._say(b"252 2.1.5 Send some mail, and see\r\n")

    def _quit(self, rest: bytes) -> None:  # noqa: ARG002
        self._meet(Step.QUIT, self._part)

    def _part(self) -> None:
        self._say(b"221 2.0.0 Bye\r\n")
        self._close()


_VERBS: dict[bytes, Callable[[MxConnection, bytes], None]] = {
    b"EHLO": MxConnection._hello,
    b"HELO": MxConnection._helo,
    b"STARTTLS": MxConnection._starttls,
    b"MAIL": MxConnection._mail,
    b"RCPT": MxConnection._rcpt,
    b"DATA": MxConnection._data,
    b"BDAT": MxConnection._bdat,
    b"RSET": MxConnection._rset,
    b"NOOP": MxConnection._noop,
    b"VRFY": MxConnection._vrfy,
    b"QUIT": MxConnection._quit,
}
