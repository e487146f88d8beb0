"""The state of a session: the line, the reader, the messages under way, whose turn it is, and the ways it ends."""

from __future__ import annotations

import re

from bulkmail.mail import Category, Reply, Stage
from bulkmail.smtp.capabilities import NONE, Capabilities
from bulkmail.smtp.data_pipeline import DataPipeline
from bulkmail.smtp.events import Closed, Event, Settled
from bulkmail.smtp.outstanding import Outstanding
from bulkmail.smtp.pipeline import Pipeline
from bulkmail.smtp.replies import ReplyReader
from bulkmail.smtp.sasl import Credentials
from bulkmail.smtp.settlement import CATEGORY, Ending
from bulkmail.smtp.signin import SignIn
from bulkmail.smtp.table import SLOTS, Phase, Slot, TlsMode
from bulkmail.smtp.telling import Tell, telling
from bulkmail.smtp.window import Window

_HOSTNAME = re.compile(r"[!-~]+", re.ASCII)
QUIT = "QUIT\r\n"


class Dialogue:
    """The state of one session, and its end. `Handshake` and `Session` have what is said."""

    def __init__(
        self,
        *,
        hostname: str,
        tls: TlsMode | str = TlsMode.OPPORTUNISTIC,
        implicit_tls: bool = False,
        pipelining: bool = True,
        chunking: bool = True,
        credentials: Credentials | None = None,
        allow_own_name: bool = False,
    ) -> None:
        if _HOSTNAME.fullmatch(hostname) is None:
            raise ValueError(f"{hostname!r} is not a host name to greet with")
        self.capabilities: Capabilities = NONE
        self.tls = ""  # the version agreed, e.g. "TLSv1.3"
        self._hostname = hostname
        self._mode = TlsMode(tls)
        self._secure = False  # TLS is established
        self._pipelining = pipelining
        self._in_groups = False  # the server takes several commands at once
        self._chunking = chunking
        self._reader = ReplyReader()
        self._line = Pipeline(greeting=not implicit_tls)
        if implicit_tls:
            self._line.expect(Slot.TLS)
        self._mail: Outstanding = DataPipeline()
        self._events: list[Event] = []
        self._implicit = implicit_tls  # TLS comes first, and the greeting in it (RFC 8314 3.3)
        self._allow_own_name = allow_own_name  # a server with our own name is our own relay, and no loop
        self._sign_in = None if credentials is None else SignIn(credentials)
        self._closed = False
        self._leaving = False  # quit() was called
        self._unsolicited = False  # bytes were read that no command asked for, not yet a whole 421

    # -- what the caller reads

    @property
    def phase(self) -> Phase:
        """Return where the session stands: what the oldest owed reply says."""
        if self._closed:
            return Phase.CLOSED
        slot = self._line.oldest
        return Phase.READY if slot is None else SLOTS[slot].phase

    @property
    def ready(self) -> bool:
        """Whether `submit` takes a transaction."""
        return not (self._line.owed or self._closed or self._reader.pending)

    @property
    def chunking(self) -> bool:
        """Whether messages go out by BDAT, several of them before the first is answered if the caller likes."""
        return isinstance(self._mail, Window)

    @property
    def may_pipeline(self) -> bool:
        """Whether `submit_behind` takes a transaction: behind a dot that is about to be written, or into the window."""
        mail = self._mail
        if self._leaving or not mail.takes_another:
            return False
        return isinstance(mail, Window) or (self._line.in_message and self._in_groups)

    def take_provisional(self) -> list[Settled]:
        """Take the recipients whose message was answered 2xx since the last call, before the count is proven."""
        return self._mail.take_provisional()

    @property
    def submitted(self) -> int:
        """Count the transactions that were written, or are being written."""
        return self._mail.started

    @property
    def owed(self) -> Slot | None:
        """Return what the oldest owed reply answers."""
        return self._line.oldest

    @property
    def turn(self) -> int:
        """Return a number that changes with each wait: only then the deadline of `patience` starts again."""
        return self._line.turn

    @property
    def patience(self) -> str | None:
        """Return the name of the timeout that runs now, for the whole reply; None while nothing is waited for."""
        if self._line.in_message:
            return "body"
        slot = self._line.oldest
        if slot is not None:
            return SLOTS[slot].patience
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
        """Send QUIT as soon as nothing else is under way; no further transaction is taken."""
        self._leaving = True
        if self.phase is Phase.READY:
            self._line.send_command(Slot.QUIT, QUIT)

    def tell(self, tell: Tell | None) -> None:
        """Call ``tell(what, text)`` with what is said from now on, or with None no more; not inside of a call of it."""
        sign_in = self._sign_in
        hidden = str if sign_in is None else sign_in.hidden
        self._line, self._reader = telling(self._line, self._reader, tell, hidden)

    def take_output(self) -> bytes:
        """Take the bytes to be written now: they count as on the wire. A large message comes in pieces."""
        return self._line.take()

    def eof(self, reason: str = "the server closed the connection") -> list[Event]:
        """End: the peer is gone."""
        return self._ended(reason, Ending.GONE)

    def deadline(self, reason: str) -> list[Event]:
        """End: the `patience` ran out."""
        return self._ended(reason, Ending.LATE)

    def abandon(self, reason: str) -> list[Event]:
        """End at our own wish: no recipient is charged; only a message whose dot is out stays unknown."""
        return self._ended(reason, Ending.OURS)

    def tls_failed(self, reason: str) -> list[Event]:
        """End: the handshake failed, or the certificate is not what the policy asks for."""
        return self._ended(reason, Ending.TLS)

    # -- the ways a session ends

    def _ended(self, reason: str, ending: Ending) -> list[Event]:
        if not self._closed:
            self._break_off(reason, ending)
        return self._take_events()

    def _break_off(self, reason: str, ending: Ending) -> None:
        line, mail, stage = self._line, self._mail, self._line.stage
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
        self._close(reason, stage, None, CATEGORY[ending], **failed)

    def _close_with_quit(
        self, reason: str, stage: Stage | None, reply: Reply | None, category: Category | None = None, **more: bool
    ) -> None:
        """End a session that is of no use to us with QUIT, and wait for no answer."""
        self._close(reason, stage, reply, category, **more)
        self._line.drop(last_words=QUIT.encode())

    def _close(
        self, reason: str, stage: Stage | None, reply: Reply | None, category: Category | None = None, **more: bool
    ) -> None:
        self._events += self._mail.closed(reason, category)
        tls_failed = stage is Stage.STARTTLS or (stage is Stage.EHLO and self._secure)
        if reply is not None and reply.code == 421:  # it takes no session now, in clear or not
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

    def _take_events(self) -> list[Event]:
        events = self._events
        self._events = []
        return events
