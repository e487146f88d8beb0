"""One message after the other: MAIL, RCPT, DATA or BDAT, and what is kept."""

from __future__ import annotations

import re
from functools import partial

from bulkmail.rehearsal.behaviour import Behaviour, Step, Tls
from bulkmail.rehearsal.body import Body
from bulkmail.rehearsal.personas import asked_for
from bulkmail.rehearsal.scripted import ScriptedReplies
from bulkmail.rehearsal.speaker import Speaker
from bulkmail.rehearsal.store import ReceivedMessage

_PATH = rb'<([^">]*(?:"(?:[^"\\]|\\.)*"[^">]*)*)> *(.*)'
_MAIL = re.compile(rb"FROM: *" + _PATH, re.IGNORECASE)
_RCPT = re.compile(rb"TO: *" + _PATH, re.IGNORECASE)
_SIZE = re.compile(rb"(?:\A| )SIZE=(\d{1,20})(?: |\Z)", re.IGNORECASE)
_BDAT = re.compile(rb"(\d{1,9})( LAST)?", re.IGNORECASE)


def _nothing_yet() -> None:
    """Say nothing: the usual reply in the middle of a message."""


class Transaction:
    """The transaction under way on one connection. ``reading``: a body is read, not commands."""

    __slots__ = (
        *("_at_dot", "_body", "_message", "_midway", "_recipients", "_replies", "_sender", "_speaker", "_utf8"),
        "reading",
    )

    def __init__(self, speaker: Speaker, replies: ScriptedReplies) -> None:
        self.reading = False
        self._speaker = speaker
        self._replies = replies
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
        """Answer MAIL; ``rest``: what stood behind the verb."""
        speaker, persona = self._speaker, self._speaker.persona
        found = _MAIL.fullmatch(rest)
        if not speaker.client.greeted or self._sender is not None:
            speaker.refuse(b"503 5.5.1 Not now\r\n")
        elif found is None:
            speaker.refuse(b"501 5.5.4 Syntax: MAIL FROM:<address>\r\n")
        elif persona.tls is Tls.REQUIRED and not speaker.client.tls:
            speaker.refuse(b"530 5.7.0 Must issue a STARTTLS command first\r\n")
        elif persona.messages and speaker.client.messages >= persona.messages:
            speaker.network.totals.rejected_at_limit += 1
            speaker.hang_up(persona.messages_reply)
        elif not self._too_fast(Step.MAIL):
            self._check_parameters(found[1], found[2])

    def _too_fast(self, step: Step) -> bool:
        """Say so, and close where it is a 421, if this is one message too many for the persona's rate."""
        speaker, persona = self._speaker, self._speaker.persona
        if not persona.rate or step is not persona.rate_step:
            return False
        key = speaker.exchanger.group, speaker.client.ip
        if not speaker.network.too_fast(key, persona.rate, persona.rate_doubles):
            return False
        if persona.rate_reply.startswith(b"421"):
            speaker.network.totals.replied(persona.rate_reply)
            speaker.hang_up(persona.rate_reply)
        else:
            speaker.refuse(persona.rate_reply)
        return True

    def _check_parameters(self, sender: bytes, parameters: bytes) -> None:
        speaker, persona = self._speaker, self._speaker.persona
        size = _SIZE.search(parameters) if parameters else None
        utf8 = b"SMTPUTF8" in parameters.upper().split()
        if size is not None and int(size[1]) > persona.size:
            speaker.refuse(b"552 5.3.4 Message size exceeds fixed limit\r\n")
        elif utf8 and not persona.smtputf8:
            speaker.refuse(b"555 5.5.4 SMTPUTF8 is not offered\r\n")
        else:
            self._replies.at(Step.MAIL, partial(self._take_sender, sender, utf8))

    def _take_sender(self, sender: bytes, utf8: bool) -> None:
        self._sender = sender.decode("utf-8", "surrogateescape")
        self._utf8 = utf8
        self._speaker.say(b"250 2.1.0 Ok\r\n")

    def rcpt(self, rest: bytes) -> None:
        """Answer RCPT."""
        speaker = self._speaker
        persona, exchanger, network = speaker.persona, speaker.exchanger, speaker.network
        if self._sender is None:
            speaker.refuse(b"503 5.5.1 MAIL first\r\n")
            return
        found = _RCPT.fullmatch(rest)
        recipient = found[1].decode("utf-8", "surrogateescape") if found else ""
        local, at, domain = recipient.rpartition("@")
        if not at or not local:
            speaker.refuse(b"501 5.1.3 Syntax: RCPT TO:<address>\r\n")
        elif len(self._recipients) >= persona.recipients:
            speaker.refuse(b"452 4.5.3 Too many recipients\r\n")
        elif not self._utf8 and not recipient.isascii():
            speaker.refuse(b"553 5.6.7 SMTPUTF8 is needed for this address\r\n")
        elif not persona.relays and exchanger.hosts.isdisjoint(network.zone.domain(domain.lower()).names):
            speaker.refuse(b"550 5.7.1 Relay access denied: this is no mail exchanger of that domain\r\n")
        elif persona.greylist and network.greylisted((speaker.client.ip, self._sender, recipient), persona.greylist):
            speaker.refuse(b"451 4.7.1 Greylisted, try again in %d seconds\r\n" % persona.greylist)
        elif not self._too_fast(Step.RCPT):
            behaviour = self._asked(recipient, local)
            if behaviour is None and exchanger.steps[Step.RCPT]:
                behaviour = self._replies.find(Step.RCPT, recipient, recipient, local.lower())
            if behaviour is None:
                self._take_recipient(recipient)
            else:
                self._replies.play(behaviour, partial(self._take_recipient, recipient))

    def _asked(self, recipient: str, local: str) -> Behaviour | None:
        """Return what the address itself asks for at RCPT; note what it asks for at the dot."""
        asked = asked_for(local)
        if asked is None:
            return None
        if asked.tries and self._speaker.network.count_try(("asked", recipient)) > asked.tries:
            return None
        if asked.step is Step.DOT:
            self._at_dot = self._at_dot or asked
            return None
        return asked

    def _take_recipient(self, recipient: str) -> None:
        self._recipients.append(recipient)
        self._speaker.say(b"250 2.1.5 Ok\r\n")

    def data(self, rest: bytes) -> None:
        """Answer DATA: 354, or why not."""
        speaker = self._speaker
        if self._sender is None or self._body is not None:
            speaker.refuse(b"503 5.5.1 Not now\r\n")
        elif not self._recipients and not speaker.persona.open_data:
            speaker.say(b"554 5.5.1 No valid recipients\r\n")  # they were refused already
        elif rest.strip():
            speaker.refuse(b"501 5.5.4 DATA takes no parameter\r\n")
        elif self._recipients and speaker.exchanger.steps[Step.DATA]:
            self._replies.play(self._find(Step.DATA), self._invite)
        else:
            self._invite()

    def _find(self, step: Step) -> Behaviour | None:
        """Choose the behaviour for a whole message, known by its first recipient; None without recipients."""
        if not self._recipients or not self._speaker.exchanger.steps[step]:
            return None
        first = self._recipients[0]
        return self._replies.find(step, first, first, first.lower())

    def _invite(self) -> None:
        self._body = Body(self._speaker.persona.size)
        self._midway = self._find(Step.BODY)
        self.reading = True
        self._speaker.say(b"354 End data with <CR><LF>.<CR><LF>\r\n")

    def bdat(self, rest: bytes) -> None:
        """Begin to read a chunk. Its bytes come even where the command is refused (RFC 3030 2)."""
        found = _BDAT.fullmatch(rest)
        if not self._speaker.persona.chunking or found is None:
            self._speaker.refuse(b"501 5.5.4 Not understood\r\n")
            return
        if self._body is None:
            self._body = Body(self._speaker.persona.size)
            self._midway = self._find(Step.BODY)
        self._body.chunked = True
        self._body.left, self._body.last = int(found[1]), found[2] is not None
        self.reading = True

    def read(self, buffer: bytes, at: int) -> tuple[int, bool]:
        """Take from ``buffer[at:]``. Returns where to go on, and whether the body, or its chunk, is complete."""
        body = self._body
        assert body is not None, "a body is read only where there is one"
        at, done = body.read_counted(buffer, at) if body.chunked else body.read_dotted(buffer, at)
        midway = self._midway
        if midway is not None and body.size >= max(1, midway.after):
            self._midway = None
            self._replies.play(midway, _nothing_yet)
        if done and not self._speaker.finished:
            self.reading = False
            if body.chunked:
                self._replies.play(self._find(Step.CHUNK), partial(self._end_chunk, body))
            else:
                self._complete(body)
        return at, done

    def _end_chunk(self, body: Body) -> None:
        if body.last:
            self._complete(body)
        elif self._recipients:
            self._speaker.say(b"250 2.0.0 %d bytes\r\n" % body.size)
        else:
            self._speaker.say(b"503 5.5.1 RCPT first\r\n")

    def _complete(self, body: Body) -> None:
        speaker = self._speaker
        message = body.message()
        if not self._recipients:
            speaker.say(b"554 5.5.1 No valid recipients\r\n")
            self._end(keep=False)
        elif message is None:
            speaker.refuse(b"552 5.3.4 Message too large\r\n")
            self._end(keep=False)
        elif self._too_fast(Step.DOT):
            self._end(keep=False)
        else:
            self._message = message
            self._replies.play(self._at_dot or self._find(Step.DOT), self._accept, self._end)

    def _accept(self) -> None:
        self._keep(answered=True)
        self._speaker.say(b"250 2.0.0 Ok: queued as %X\r\n" % (0x4000000 + self._speaker.network.totals.messages))
        self._end(keep=False)

    def abandon(self) -> None:
        """End with the connection; a message that waited for its reply is kept."""
        if self._message is not None:
            self._keep(answered=False)

    def _keep(self, *, answered: bool) -> None:
        message, speaker = self._message, self._speaker
        assert message is not None, "only a complete message is kept"
        self._message = None
        network, exchanger, client = speaker.network, speaker.exchanger, speaker.client
        network.totals.kept(len(self._recipients), len(message), answered=answered)
        network.store.add(
            ReceivedMessage(
                at=network.now(),
                mx=exchanger.name,
                ip=exchanger.ip,
                source_ip=client.ip,
                mail_from=self._sender or "",
                recipients=self._recipients,
                message=message,
                tls=client.tls,
                answered=answered,
            )
        )

    def _end(self, keep: bool) -> None:
        """End the message; ``keep`` it, though its sender is not told so."""
        if keep:
            self._keep(answered=False)
        client, persona = self._speaker.client, self._speaker.persona
        client.messages += 1
        self.reset()
        if persona.messages and client.messages >= persona.messages and not persona.messages_reply:
            self._speaker.hang_up()
