"""What any part of a session builds on: the line, the reader, whose turn it is, and the ways it ends."""

from __future__ import annotations

import re

from bulkmail.mail import Category, Reply, Stage
from bulkmail.smtp.capabilities import NONE, Capabilities
from bulkmail.smtp.course import CATEGORY, Ending
from bulkmail.smtp.events import Closed, Event
from bulkmail.smtp.pipeline import Pipeline
from bulkmail.smtp.replies import ReplyReader
from bulkmail.smtp.sasl import Credentials
from bulkmail.smtp.signin import SignIn
from bulkmail.smtp.table import SLOTS, Phase, Slot, TlsMode
from bulkmail.smtp.underway import Underway
from bulkmail.smtp.window import Window

_HOSTNAME = re.compile(r"[!-~]+", re.ASCII)
QUIT = "QUIT\r\n"


class Dialogue:
    """The state of one connection's dialogue, and its end. `Session` has what is said."""

    def __init__(
        self,
        *,
        hostname: str,
        tls: TlsMode | str = TlsMode.OPPORTUNISTIC,
        implicit_tls: bool = False,
        pipelining: bool = True,
        chunking: bool = True,
        credentials: Credentials | None = None,
        namesake: bool = False,
    ) -> None:
        if _HOSTNAME.fullmatch(hostname) is None:
            raise ValueError(f"{hostname!r} is not a host name to greet with")
        self.capabilities: Capabilities = NONE
        self.tls = ""  # the version agreed, e.g. "TLSv1.3"
        self._hostname = hostname
        self._mode = TlsMode(tls)
        self._secure = False
        self._pipelining = pipelining
        self._in_groups = False  # the server takes several commands at once
        self._chunking = chunking
        self._reader = ReplyReader()
        self._line = Pipeline(greeting=not implicit_tls)
        self._mail: Underway | Window = Underway()
        self._events: list[Event] = []
        self._upgraded = False
        self._handshake = self._implicit = implicit_tls  # TLS comes first, and the greeting in it (RFC 8314 3.3)
        self._namesake = namesake  # a server with our own name is our own relay, and no loop
        self._sign_in = None if credentials is None else SignIn(credentials)
        self._closed = False
        self._leaving = False  # quit() was called
        self._stray = False  # bytes were read that nobody asked for, not yet a whole 421

    # -- what the caller reads

    @property
    def phase(self) -> Phase:
        """Where the dialogue stands: told by the oldest owed reply."""
        if self._closed:
            return Phase.CLOSED
        slot = self._line.oldest
        if slot is not None:
            return SLOTS[slot].phase
        return Phase.HANDSHAKE if self._handshake else Phase.READY

    @property
    def ready(self) -> bool:
        """Whether `submit` takes a transaction."""
        return not (self._line.owed or self._closed or self._handshake or self._reader.pending)

    @property
    def submitted(self) -> int:
        """Transactions that were written, or are being written."""
        return self._mail.started

    @property
    def owed(self) -> Slot | None:
        """What the oldest owed reply answers."""
        return self._line.oldest

    @property
    def turn(self) -> int:
        """Changes whenever the wait begins anew: the deadline of `patience` starts again then, and only then."""
        return self._line.turn

    @property
    def patience(self) -> str | None:
        """The name of the timeout that runs now, None while nothing is waited for. It covers the whole reply."""
        if self._line.in_message:
            return "body"
        slot = self._line.oldest
        if slot is not None:
            return SLOTS[slot].patience
        if self._handshake and not self._closed:
            return "starttls"
        return "mail" if self._reader.pending else None

    @property
    def output_pending(self) -> bool:
        """Whether `take_output` has something to give."""
        return self._line.pending

    def __repr__(self) -> str:
        line = self._line
        owed = ", ".join(f"{slot}[{index}]" if slot is Slot.RCPT else slot for slot, index in line.owed)
        return (
            f"<Session {self.phase}: owed {owed or 'nothing'}; {line.asked} asked; "
            f"{self.submitted} submitted{'; under ' + self.tls if self.tls else ''}>"
        )

    # -- what the caller does

    def quit(self) -> None:
        """Say QUIT as soon as nothing else is under way; no further transaction is taken."""
        self._leaving = True
        if self.phase is Phase.READY:
            self._line.say(Slot.QUIT, QUIT)

    def take_output(self) -> bytes:
        """The bytes to be written now; taking them is putting them on the wire. A large message comes in pieces."""
        return self._line.take()

    def eof(self, reason: str = "the server closed the connection") -> list[Event]:
        """The peer is gone."""
        return self._ended(reason, Ending.GONE)

    def deadline(self, reason: str) -> list[Event]:
        """The `patience` ran out."""
        return self._ended(reason, Ending.LATE)

    def abandon(self, reason: str) -> list[Event]:
        """We end the session ourselves: nobody is charged; only a message whose dot is out stays unknown."""
        return self._ended(reason, Ending.OURS)

    def tls_failed(self, reason: str) -> list[Event]:
        """The handshake failed, or the certificate is not what the policy asks for."""
        return self._ended(reason, Ending.TLS)

    # -- the ways a session ends

    def _ended(self, reason: str, ending: Ending) -> list[Event]:
        if not self._closed:
            self._break_off(reason, ending)
        return self._told()

    def _break_off(self, reason: str, ending: Ending) -> None:
        line, mail = self._line, self._mail
        failed = mail.failed(line.oldest, ending) if self._in_groups else {}
        told = mail.broken_off(
            line.oldest,
            ending,
            reason,
            asked=line.asked > 0,
            silent=not self._reader.pending,
            written=line.chunks_written,
        )
        self._events += told
        stage = Stage.STARTTLS if self._handshake else line.stage
        self._close(reason, stage, None, CATEGORY[ending], **failed)

    def _farewell(
        self, reason: str, stage: Stage | None, reply: Reply | None, category: Category | None = None, **more: bool
    ) -> None:
        """End a session that is of no use to us: say so, and wait for no answer."""
        self._close(reason, stage, reply, category, **more)
        self._line.drop(last_words=QUIT.encode())

    def _close(
        self, reason: str, stage: Stage | None, reply: Reply | None, category: Category | None = None, **more: bool
    ) -> None:
        self._events += self._mail.closed(reason, category)
        tls_failed = stage is Stage.STARTTLS or (stage is Stage.EHLO and self._upgraded)
        if reply is not None and reply.code == 421:  # it takes nobody now, in whatever way
            tls_failed = False
        if isinstance(self._mail, Window) and self._mail.out_of_step:
            more["chunking_failed"] = True
        self._events.append(Closed(stage, reply, reason, category, tls_failed=tls_failed, **more))
        self._closed = True
        self._line.drop()
        self._reader.clear()

    # -- small steps

    def _offered(self, capabilities: Capabilities) -> None:
        self.capabilities = capabilities
        self._in_groups = self._pipelining and capabilities.pipelining

    def _told(self) -> list[Event]:
        events = self._events
        self._events = []
        return events
