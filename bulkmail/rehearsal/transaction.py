"""One message after the other: MAIL, RCPT, DATA or BDAT, and what is kept."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from bulkmail.rehearsal.behaviour import Behaviour, Step, Tls
from bulkmail.rehearsal.body import Body
from bulkmail.rehearsal.personas import asked_for

if TYPE_CHECKING:
    from bulkmail.rehearsal.dialogue import Dialogue

_PATH = rb'<([^">]*(?:"(?:[^"\\]|\\.)*"[^">]*)*)> *(.*)'
_MAIL = re.compile(rb"FROM: *" + _PATH, re.IGNORECASE)
_RCPT = re.compile(rb"TO: *" + _PATH, re.IGNORECASE)
_SIZE = re.compile(rb"(?:\A| )SIZE=(\d{1,20})(?: |\Z)", re.IGNORECASE)
_BDAT = re.compile(rb"(\d{1,9})( LAST)?", re.IGNORECASE)


def _nothing_yet() -> None:
    """In the middle of a message nothing is said as a rule."""


class Transaction:
    """The transaction under way on one connection, and the memory of how many there were."""

    __slots__ = (
        *("_at_dot", "_body", "_dialogue", "_message", "_midway", "_recipients", "_sender", "_utf8"),
        *("messages", "reading"),
    )

    def __init__(self, dialogue: Dialogue) -> None:
        self.messages = 0  # sent on this connection, kept or not
        self.reading = False  # a body, not commands
        self._dialogue = dialogue
        self._message: bytes | None = None  # complete, its reply not given yet
        self.reset()

    def reset(self) -> None:
        """Forget the transaction."""
        self._sender: str | None = None
        self._utf8 = False
        self._recipients: list[str] = []
        self._at_dot: Behaviour | None = None  # what a recipient asked for
        self._midway: Behaviour | None = None  # what happens before the message is complete
        self._body: Body | None = None
        self._message = None

    def mail(self, rest: bytes) -> None:
        """MAIL."""
        dialogue, persona = self._dialogue, self._dialogue.persona
        found = _MAIL.fullmatch(rest)
        if not dialogue.greeted or self._sender is not None:
            dialogue.refuse(b"503 5.5.1 Not now\r\n")
        elif found is None:
            dialogue.refuse(b"501 5.5.4 Syntax: MAIL FROM:<address>\r\n")
        elif persona.tls is Tls.REQUIRED and not dialogue.tls:
            dialogue.refuse(b"530 5.7.0 Must issue a STARTTLS command first\r\n")
        elif persona.messages and self.messages >= persona.messages:
            dialogue.scene.totals.turned_away += 1
            dialogue.hang_up(persona.messages_reply)
        elif persona.rate and dialogue.scene.too_fast((dialogue.exchanger.group, dialogue.client), persona.rate):
            dialogue.refuse(persona.rate_reply)
        else:
            self._check_parameters(found[1], found[2])

    def _check_parameters(self, sender: bytes, parameters: bytes) -> None:
        dialogue, persona = self._dialogue, self._dialogue.persona
        size = _SIZE.search(parameters) if parameters else None
        utf8 = b"SMTPUTF8" in parameters.upper().split()
        if size is not None and int(size[1]) > persona.size:
            dialogue.refuse(b"552 5.3.4 Message size exceeds fixed limit\r\n")
        elif utf8 and not persona.smtputf8:
            dialogue.refuse(b"555 5.5.4 SMTPUTF8 is not offered\r\n")
        else:
            dialogue.meet(Step.MAIL, partial(self._take_sender, sender, utf8))

    def _take_sender(self, sender: bytes, utf8: bool) -> None:
        self._sender = sender.decode("utf-8", "surrogateescape")
        self._utf8 = utf8
        self._dialogue.say(b"250 2.1.0 Ok\r\n")

    def rcpt(self, rest: bytes) -> None:
        """RCPT."""
        dialogue = self._dialogue
        persona, exchanger, scene = dialogue.persona, dialogue.exchanger, dialogue.scene
        if self._sender is None:
            dialogue.refuse(b"503 5.5.1 MAIL first\r\n")
            return
        found = _RCPT.fullmatch(rest)
        recipient = found[1].decode("utf-8", "surrogateescape") if found else ""
        local, at, domain = recipient.rpartition("@")
        if not at or not local:
            dialogue.refuse(b"501 5.1.3 Syntax: RCPT TO:<address>\r\n")
        elif len(self._recipients) >= persona.recipients:
            dialogue.refuse(b"452 4.5.3 Too many recipients\r\n")
        elif not self._utf8 and not recipient.isascii():
            dialogue.refuse(b"553 5.6.7 SMTPUTF8 is needed for this address\r\n")
        elif not persona.relays and exchanger.hosts.isdisjoint(scene.zone.domain(domain.lower()).names):
            dialogue.refuse(b"550 5.7.1 Relay access denied: this is no mail exchanger of that domain\r\n")
        elif persona.greylist and scene.greylisted((dialogue.client, self._sender, recipient), persona.greylist):
            dialogue.refuse(b"451 4.7.1 Greylisted, try again in %d seconds\r\n" % persona.greylist)
        else:
            behaviour = self._asked(recipient, local)
            if behaviour is None and exchanger.steps[Step.RCPT]:
                behaviour = dialogue.conduct.find(Step.RCPT, recipient, recipient, local.lower())
            if behaviour is None:
                self._take_recipient(recipient)
            else:
                dialogue.conduct.do(behaviour, partial(self._take_recipient, recipient))

    def _asked(self, recipient: str, local: str) -> Behaviour | None:
        """What the address itself asks for at RCPT; what it asks for at the dot is noted."""
        asked = asked_for(local)
        if asked is None:
            return None
        if asked.tries and self._dialogue.scene.tried(("asked", recipient)) > asked.tries:
            return None
        if asked.step is Step.DOT:
            self._at_dot = self._at_dot or asked
            return None
        return asked

    def _take_recipient(self, recipient: str) -> None:
        self._recipients.append(recipient)
        self._dialogue.say(b"250 2.1.5 Ok\r\n")

    def data(self, rest: bytes) -> None:
        """DATA."""
        dialogue = self._dialogue
        if self._sender is None or self._body is not None:
            dialogue.refuse(b"503 5.5.1 Not now\r\n")
        elif not self._recipients and not dialogue.persona.open_data:
            dialogue.say(b"554 5.5.1 No valid recipients\r\n")  # they were refused already
        elif rest.strip():
            dialogue.refuse(b"501 5.5.4 DATA takes no parameter\r\n")
        elif self._recipients and dialogue.exchanger.steps[Step.DATA]:
            dialogue.conduct.do(self._find(Step.DATA), self._invite)
        else:
            self._invite()

    def _find(self, step: Step) -> Behaviour | None:
        """What is done to a whole message: known by its first recipient, if it has one."""
        if not self._recipients or not self._dialogue.exchanger.steps[step]:
            return None
        first = self._recipients[0]
        return self._dialogue.conduct.find(step, first, first, first.lower())

    def _invite(self) -> None:
        self._body = Body(self._dialogue.persona.size)
        self._midway = self._find(Step.BODY)
        self.reading = True
        self._dialogue.say(b"354 End data with <CR><LF>.<CR><LF>\r\n")

    def bdat(self, rest: bytes) -> None:
        """BDAT. Its bytes come whatever we think of it (RFC 3030 2)."""
        found = _BDAT.fullmatch(rest)
        if not self._dialogue.persona.chunking or found is None:
            self._dialogue.refuse(b"501 5.5.4 Not understood\r\n")
            return
        if self._body is None:
            self._body = Body(self._dialogue.persona.size)
            self._midway = self._find(Step.BODY)
        self._body.chunked = True
        self._body.left, self._body.last = int(found[1]), found[2] is not None
        self.reading = True

    def read(self, buffer: bytes, at: int) -> tuple[int, bool]:
        """Take from ``buffer[at:]``; where to go on, and whether the body, or its chunk, is complete."""
        body = self._body
        assert body is not None, "a body is read only where there is one"
        at, done = body.read_counted(buffer, at) if body.chunked else body.read_dotted(buffer, at)
        midway = self._midway
        if midway is not None and body.size >= max(1, midway.after):
            self._midway = None
            self._dialogue.conduct.do(midway, _nothing_yet)
        if done and not self._dialogue.deaf:
            self.reading = False
            if body.chunked:
                self._dialogue.conduct.do(self._find(Step.CHUNK), partial(self._end_chunk, body))
            else:
                self._complete(body)
        return at, done

    def _end_chunk(self, body: Body) -> None:
        if body.last:
            self._complete(body)
        elif self._recipients:
            self._dialogue.say(b"250 2.0.0 %d bytes\r\n" % body.size)
        else:
            self._dialogue.say(b"503 5.5.1 RCPT first\r\n")

    def _complete(self, body: Body) -> None:
        dialogue = self._dialogue
        message = body.message()
        if not self._recipients:
            dialogue.say(b"554 5.5.1 No valid recipients\r\n")
            self.end(keep=False)
        elif message is None:
            dialogue.refuse(b"552 5.3.4 Message too large\r\n")
            self.end(keep=False)
        else:
            self._message = message
            dialogue.conduct.do(self._at_dot or self._find(Step.DOT), self._accept)

    def _accept(self) -> None:
        self._keep(answered=True)
        self._dialogue.say(b"250 2.0.0 Ok: queued as %X\r\n" % (0x4000000 + self._dialogue.scene.totals.messages))
        self.end(keep=False)

    def abandon(self) -> None:
        """The client has gone while its message waited for a reply."""
        if self._message is not None:
            self._keep(answered=False)

    def _keep(self, *, answered: bool) -> None:
        message, dialogue = self._message, self._dialogue
        assert message is not None, "only a complete message is kept"
        self._message = None
        scene, exchanger = dialogue.scene, dialogue.exchanger
        scene.totals.kept(len(self._recipients), len(message), answered=answered)
        scene.store.add(
            at=scene.now(),
            mx=exchanger.name,
            ip=exchanger.ip,
            source_ip=dialogue.client,
            mail_from=self._sender or "",
            recipients=self._recipients,
            message=message,
            tls=dialogue.tls,
            answered=answered,
        )

    def end(self, *, keep: bool) -> None:
        """The message is dealt with; ``keep`` it, though its sender was not told so."""
        if keep:
            self._keep(answered=False)
        self.messages += 1
        self.reset()
        persona = self._dialogue.persona
        if persona.messages and self.messages >= persona.messages and not persona.messages_reply:
            self._dialogue.hang_up()
