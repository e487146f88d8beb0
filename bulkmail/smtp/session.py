"""The client's side of one SMTP connection, without a socket: bytes in, events out, output drained by the caller.

The state is a FIFO of owed replies (`Pipeline`); `table` says what each reply does, and the methods below do it.
A reply counts only in the slot of a command that the caller has taken from `take_output`: what comes earlier was
not asked for and ends the session. PIPELINING decides only how many commands are on the wire at once: all of one
transaction, and those of the next one behind its dot (`follow`); what that dot's reply is worth then, `alignment` says.
"""

from __future__ import annotations

import re
from collections import deque

from bulkmail.mail import Category, Fate, Reply, Stage
from bulkmail.smtp.capabilities import NONE, Capabilities, parse_capabilities
from bulkmail.smtp.course import CATEGORY, Ending, ruled_out
from bulkmail.smtp.events import Closed, DotNext, Event, Ready, Settled, UpgradeToTls
from bulkmail.smtp.pipeline import Owed, Pipeline
from bulkmail.smtp.replies import MalformedReply, ReplyReader
from bulkmail.smtp.stuffing import stuff
from bulkmail.smtp.table import RULES, SLOTS, Phase, Slot, TlsMode
from bulkmail.smtp.transaction import Transaction, check, obstacle
from bulkmail.smtp.underway import Underway

_HOSTNAME = re.compile(r"[!-~]+", re.ASCII)
_QUIT = "QUIT\r\n"


class Session:
    """One connection's dialogue. The caller feeds `receive`, drains `take_output` and acts on the events."""

    def __init__(
        self,
        *,
        hostname: str,
        tls: TlsMode | str = TlsMode.OPPORTUNISTIC,
        secure: bool = False,
        pipelining: bool = True,
    ) -> None:
        if _HOSTNAME.fullmatch(hostname) is None:
            raise ValueError(f"{hostname!r} is not a host name to greet with")
        self.capabilities: Capabilities = NONE
        self.tls = ""  # the version agreed, e.g. "TLSv1.3"
        self._hostname = hostname
        self._mode = TlsMode(tls)
        self._secure = secure
        self._pipelining = pipelining
        self._reader = ReplyReader()
        self._line = Pipeline()
        self._mail = Underway()
        self._events: list[Event] = []
        self._upgraded = False
        self._handshake = False
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
    def provisional(self) -> tuple[Settled, ...]:
        """Recipients whose dot was answered 2xx, before the replies behind it proved the count (`alignment`)."""
        return self._mail.provisional

    @property
    def may_follow(self) -> bool:
        """Whether `follow` takes a transaction: a message is about to be written and nothing stands behind its dot."""
        return self._line.in_message and self._mail.follower is None and self._in_groups and not self._leaving

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

    def submit(self, transaction: Transaction) -> list[Event]:
        """Start a transaction. Raises ValueError for what must never reach the wire, RuntimeError when not ready.

        The events are empty unless the server's extensions rule the transaction out: then it is settled at once.
        """
        if not self.ready:
            raise RuntimeError(f"{self!r} takes no transaction now")
        check(transaction)
        verdict = obstacle(transaction, self.capabilities)
        if verdict is not None:
            return [*ruled_out(transaction, verdict), Ready(self.capabilities)]
        commands = self._mail.start(transaction, self.capabilities)
        if self._in_groups:
            self._line.say_group(commands)
        else:
            self._mail.current.to_say = deque(commands)
            self._say_next()
        return []

    def follow(self, transaction: Transaction) -> list[Event]:
        """Start the next transaction behind the dot that is about to be written. Events and errors are `submit`'s."""
        if not self.may_follow:
            raise RuntimeError(f"{self!r} takes no transaction behind a dot now")
        check(transaction)
        verdict = obstacle(transaction, self.capabilities)
        if verdict is not None:
            return ruled_out(transaction, verdict)
        self._line.say_group(self._mail.start(transaction, self.capabilities))
        return []

    def quit(self) -> None:
        """Say QUIT as soon as nothing else is under way; no further transaction is taken."""
        self._leaving = True
        if self.phase is Phase.READY:
            self._line.say(Slot.QUIT, _QUIT)

    def take_output(self) -> bytes:
        """The bytes to be written now; taking them is putting them on the wire. A large message comes in pieces."""
        return self._line.take()

    def receive(self, data: bytes) -> list[Event]:
        """What the server's bytes mean. However they are cut, the events are the same."""
        if self._closed:
            return []
        reader, line = self._reader, self._line
        reader.feed(data)
        try:
            while not self._closed and reader.pending:
                if not line.asked:
                    self._check_unasked()
                reply = reader.next()
                if reply is None:
                    break
                self._answer(reply)
        except MalformedReply as error:
            self._break_off(str(error), Ending.GARBLED)
        if not (line.owed or self._stray) and reader.pending:
            self._stray = True
            line.turn += 1
        return self._told()

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

    def tls_established(self, version: str) -> list[Event]:
        """The handshake is done. Nothing said in clear counts any more (RFC 3207 4.2): EHLO anew."""
        self._handshake = False
        self._upgraded = self._secure = True
        self.tls = version
        self.capabilities = NONE
        self._line.say(Slot.EHLO, f"EHLO {self._hostname}\r\n")
        return self._told()

    # -- replies; the table names these methods

    def _check_unasked(self) -> None:
        """Refuse bytes that no command on the wire asked for.

        A 421 may come at any time, and a refusal may come before the message is complete; a success may not.
        """
        opening = self._reader.opening
        if self._line.in_message and opening[:1] in (b"4", b"5"):
            return
        if not b"421".startswith(opening):
            raise MalformedReply("the server said something that was not asked for")

    def _answer(self, reply: Reply) -> None:
        line, mail = self._line, self._mail
        if reply.code == 421:  # RFC 5321 3.8: the answer in the oldest slot, and the end of the session
            self._events += mail.shut_down(line.oldest, reply, asked=line.asked > 0)
            self._close(f"the server closes the session: {reply}", line.stage, reply)
            return
        owed, digit = line.owed[0], reply.code // 100
        mail.saw(owed[0], digit)
        act = _ACTIONS[owed[0]].get(digit)
        if act is None:
            raise MalformedReply(f"{reply.code} is no answer to {owed[0]}")
        line.answered()
        act(self, reply, owed)

    def _greeted(self, _reply: Reply, _owed: Owed) -> None:
        self._line.say(Slot.EHLO, f"EHLO {self._hostname}\r\n")

    def _turned_away(self, reply: Reply, owed: Owed) -> None:
        self._farewell(f"refused: {reply}", SLOTS[owed[0]].stage, reply)

    def _without_extensions(self, reply: Reply, owed: Owed) -> None:
        if self._upgraded:  # EHLO was fine in clear: it is TLS that this server cannot do
            self._turned_away(reply, owed)
        else:
            self._line.say(Slot.HELO, f"HELO {self._hostname}\r\n")

    def _introduced(self, reply: Reply, owed: Owed) -> None:
        name = reply.lines[0].partition(" ")[0]
        if name.lower() == self._hostname.lower():
            reason = f"the server calls itself {name}, as we do: mail would loop"
            self._farewell(reason, Stage.EHLO, None, Category.ROUTING)
            return
        if owed[0] is Slot.EHLO:
            self.capabilities = parse_capabilities(reply.lines[1:])
        if self._mode is TlsMode.OFF or self._secure:
            self._become_ready()
        elif self.capabilities.starttls:
            self._line.say(Slot.STARTTLS, "STARTTLS\r\n")
        elif self._mode is TlsMode.OPPORTUNISTIC:
            self._become_ready()
        else:
            reason = "TLS is required and the server does not offer STARTTLS"
            self._farewell(reason, Stage.STARTTLS, None, Category.TLS)

    def _upgrade(self, _reply: Reply, _owed: Owed) -> None:
        self._handshake = True
        if self._reader.pending:  # CVE-2021-38371: what was said in clear must not be read as said under TLS
            raise MalformedReply("the server said more in clear after it took STARTTLS")
        self._events.append(UpgradeToTls())

    def _without_tls(self, reply: Reply, owed: Owed) -> None:
        if self._mode is TlsMode.OPPORTUNISTIC:
            self._become_ready()
        else:
            self._turned_away(reply, owed)

    def _become_ready(self, _reply: Reply | None = None, _owed: Owed | None = None) -> None:
        if self._leaving:
            self._line.say(Slot.QUIT, _QUIT)
        else:
            self._events.append(Ready(self.capabilities))

    def _taken(self, _reply: Reply, _owed: Owed) -> None:
        self._say_next()

    def _sender_refused(self, reply: Reply, _owed: Owed) -> None:
        self._events += self._mail.sender_refused(reply)
        self._say_next()

    def _recipient_refused(self, reply: Reply, owed: Owed) -> None:
        self._events += self._mail.recipient_refused(owed[1], reply)
        self._say_next()

    def _data_refused(self, reply: Reply, _owed: Owed) -> None:
        self._events += self._mail.believed()
        self._events += self._mail.current.settle_rest(Fate.REFUSED, Stage.DATA, reply)
        self._call_off()

    def _send_message(self, _reply: Reply, _owed: Owed) -> None:
        self._events += self._mail.believed()
        course = self._mail.current
        if course.left:
            self._line.send(stuff(course.transaction.message))
            self._events.append(DotNext(course.transaction))
        else:
            self._events += self._mail.finish()
            self._line.say(Slot.VOID, ".\r\n")

    def _message_accepted(self, reply: Reply, _owed: Owed) -> None:
        self._events += self._mail.dot_answered(Fate.ACCEPTED, reply)
        if self._mail.course is None:
            self._become_ready()

    def _message_refused(self, reply: Reply, _owed: Owed) -> None:
        if self._line.in_message:  # commands would be read as more of the message
            self._events += self._mail.current.settle_rest(Fate.REFUSED, Stage.DOT, reply)
            self._close(f"refused before the end of the message: {reply}", Stage.DOT, reply)
            return
        self._events += self._mail.dot_answered(Fate.REFUSED, reply)
        if self._mail.course is None:
            self._reset()

    def _reset(self, _reply: Reply | None = None, _owed: Owed | None = None) -> None:
        self._line.say(Slot.RSET, "RSET\r\n")

    def _left(self, reply: Reply, _owed: Owed) -> None:
        self._close("the session ended with QUIT", None, reply)

    # -- the ways a session ends

    def _ended(self, reason: str, ending: Ending) -> list[Event]:
        if not self._closed:
            self._break_off(reason, ending)
        return self._told()

    def _break_off(self, reason: str, ending: Ending) -> None:
        line, mail = self._line, self._mail
        failed = self._in_groups and mail.pipelining_failed(ending)
        asked, silent = line.asked > 0, not self._reader.pending
        self._events += mail.broken_off(line.oldest, ending, reason, asked=asked, silent=silent)
        stage = Stage.STARTTLS if self._handshake else line.stage
        self._close(reason, stage, None, CATEGORY[ending], pipelining_failed=failed)

    def _farewell(
        self, reason: str, stage: Stage | None, reply: Reply | None, category: Category | None = None
    ) -> None:
        """End a session that is of no use to us: say so, and wait for no answer."""
        self._close(reason, stage, reply, category)
        self._line.drop(last_words=_QUIT.encode())

    def _close(
        self, reason: str, stage: Stage | None, reply: Reply | None, category: Category | None = None, **more: bool
    ) -> None:
        self._events += self._mail.closed(reason, category)
        tls_failed = stage is Stage.STARTTLS or (stage is Stage.EHLO and self._upgraded)
        self._events.append(Closed(stage, reply, reason, category, tls_failed=tls_failed, **more))
        self._closed = True
        self._line.drop()
        self._reader.clear()

    # -- small steps

    @property
    def _in_groups(self) -> bool:
        return self._pipelining and self.capabilities.pipelining

    def _call_off(self) -> None:
        """Nobody is left to send to. A sender that was refused leaves nothing to reset (RFC 5321 4.1.1.2)."""
        refused = self._mail.current.sender_refused
        self._events += self._mail.finish()
        if refused:
            self._become_ready()
        else:
            self._reset()

    def _say_next(self) -> None:
        """Without PIPELINING: say the next command, or none where DATA has nobody left to go to."""
        course = self._mail.current
        if not course.to_say:
            return
        slot, index, line = course.to_say.popleft()
        if course.left:
            self._line.say(slot, line, index)
        else:
            self._call_off()

    def _told(self) -> list[Event]:
        events = self._events
        self._events = []
        return events


_ACTIONS = {slot: {digit: getattr(Session, name) for digit, name in rules.items()} for slot, rules in RULES.items()}
