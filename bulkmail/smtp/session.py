"""The client's side of one SMTP connection, without a socket: bytes in, events out, output drained by the caller.

The state is a FIFO of owed replies (`Pipeline`); `table` says what each reply does, and the methods below do it.
A reply counts only in the slot of a command that the caller has taken from `take_output`: what comes earlier was
not asked for and ends the session. PIPELINING (RFC 2920) decides only how many commands are on the wire at once: all
of one transaction, and those of the next one behind its dot (`submit_behind`); `alignment` says what that dot's reply
is worth then. With CHUNKING (RFC 3030) as well, whole messages stand behind each other: see `window`.
"""

from __future__ import annotations

from collections import deque

from bulkmail.mail import Category, Fate, Reply, Stage
from bulkmail.smtp.course import Ending, ruled_out
from bulkmail.smtp.dialogue import QUIT
from bulkmail.smtp.events import DotNext, Event, Ready, Settled
from bulkmail.smtp.introduction import Introduction
from bulkmail.smtp.pipeline import Owed
from bulkmail.smtp.replies import MalformedReply
from bulkmail.smtp.stuffing import stuff
from bulkmail.smtp.table import RULES, Slot
from bulkmail.smtp.transaction import Transaction, check, obstacle
from bulkmail.smtp.underway import Underway
from bulkmail.smtp.window import Window


class Session(Introduction):
    """One connection's dialogue. The caller feeds `receive`, drains `take_output` and acts on the events."""

    # -- what the caller reads

    @property
    def chunking(self) -> bool:
        """Whether messages go out by BDAT, several of them before the first is answered if the caller likes."""
        return isinstance(self._mail, Window)

    @property
    def may_pipeline(self) -> bool:
        """Whether `submit_behind` takes a transaction: behind a dot that is about to be written, or into the window."""
        mail = self._mail
        if self._leaving:
            return False
        if isinstance(mail, Window):
            return not (mail.idle or mail.out_of_step)
        return self._line.in_message and mail.follower is None and self._in_groups

    def take_provisional(self) -> list[Settled]:
        """Recipients whose message was answered 2xx since this was asked last, before the count is proven."""
        return self._mail.take_provisional()

    # -- what the caller does

    def submit(self, transaction: Transaction) -> list[Event]:
        """Start a transaction. Raises ValueError for what must never reach the wire, RuntimeError when not ready.

        Where the server's extensions rule the transaction out it is settled at once.
        """
        if not self.ready:
            raise RuntimeError(f"{self!r} takes no transaction now")
        check(transaction)
        verdict = obstacle(transaction, self.capabilities)
        if verdict is not None:
            return [*ruled_out(transaction, verdict), Ready(self.capabilities)]
        return self._begin(transaction)

    def submit_behind(self, transaction: Transaction) -> list[Event]:
        """Start the next transaction behind the one that is under way. Events and errors are `submit`'s."""
        if not self.may_pipeline:
            raise RuntimeError(f"{self!r} takes no transaction behind another now")
        check(transaction)
        verdict = obstacle(transaction, self.capabilities)
        if verdict is not None:
            return ruled_out(transaction, verdict)
        return self._begin(transaction)

    def _begin(self, transaction: Transaction) -> list[Event]:
        commands = self._mail.start(transaction, self.capabilities)
        if self.chunking:
            self._line.say_group(commands)
            self._line.chunk(transaction.message)
            return [DotNext(transaction)]
        if self._in_groups:
            self._line.say_group(commands)
        else:
            self._mail.current.to_say = deque(commands)
            self._say_next()
        return []

    def withdraw(self, reason: str) -> list[Event]:
        """What is about to be written must not be: what of a window is on the wire is still waited for, then QUIT.

        Where nothing is on the wire it is `abandon`.
        """
        if isinstance(self._mail, Window):
            self._events += self._mail.withdrawn(self._line.withdraw(), reason)
            if not self._mail.idle:
                self.quit()
                return self._told()
        return self.abandon(reason)

    def receive(self, data: bytes) -> list[Event]:
        """What the server's bytes mean. However they are cut, the events are the same."""
        if self._closed:
            return []
        reader, line = self._reader, self._line
        reader.feed(data)
        try:
            while not self._closed:
                if not line.asked and reader.pending:
                    self._check_unasked()
                reply = reader.next()
                if reply is None:
                    break
                self._answer(reply)
        except MalformedReply as error:
            self._break_off(str(error), Ending.GARBLED)
        if not (self._closed or line.owed or self._stray):
            if reader.pending:
                self._stray = True
                line.turn += 1
            elif isinstance(self._mail, Window) and self._mail.held:
                self._events += self._mail.believed()
                if self._mail.out_of_step:
                    self._farewell(self._mail.out_of_step, None, None, Category.PROTOCOL)
                else:
                    self._become_ready()
        return self._told()

    # -- replies; the table names these methods

    def _check_unasked(self) -> None:
        """Refuse bytes that no command on the wire asked for.

        A 421 may come at any time, and a refusal may come before the message is complete; a success may not.
        """
        opening = self._reader.opening
        if self._line.in_message and self._line.oldest in (Slot.DOT, Slot.BDAT) and opening[:1] in (b"4", b"5"):
            return
        if not b"421".startswith(opening):
            self._mail.unasked(opening)
            raise MalformedReply("the server said something that was not asked for")

    def _answer(self, reply: Reply) -> None:
        line, mail = self._line, self._mail
        if reply.code == 421:  # RFC 5321 3.8: the answer in the oldest slot, and the end of the session
            self._events += mail.shut_down(line.oldest, reply, asked=line.asked > 0)
            self._close(f"the server closes the session: {reply}", line.stage, reply)
            return
        owed = line.owed[0]
        mail.saw(owed[0], reply)
        digit = reply.code // 100
        act = _ACTIONS[owed[0]].get(digit)
        if digit == 5 and self._in_groups and isinstance(mail, Underway) and mail.out_of_step(owed[0], reply):
            raise MalformedReply(f"the server loses its place in a group of commands: {reply}")
        if act is None:
            raise MalformedReply(f"{reply.code} is no answer to {owed[0]}")
        line.answered()
        act(self, reply, owed)

    def _become_ready(self, _reply: Reply | None = None, _owed: Owed | None = None) -> None:
        if self._leaving:
            self._line.say(Slot.QUIT, QUIT)
            return
        if not self.chunking and self._in_groups and self._chunking and self.capabilities.chunking:
            self._mail = Window()
        self._events.append(Ready(self.capabilities))

    def _taken(self, _reply: Reply, _owed: Owed) -> None:
        if not self._in_groups:
            self._say_next()

    def _sender_refused(self, reply: Reply, _owed: Owed) -> None:
        self._events += self._mail.sender_refused(reply)
        self._say_next()

    def _recipient_refused(self, reply: Reply, owed: Owed) -> None:
        self._events += self._mail.recipient_refused(owed[1], reply)
        self._say_next()

    def _data_refused(self, reply: Reply, _owed: Owed) -> None:
        self._events += self._dotted.data_refused(reply)
        self._call_off()

    def _send_message(self, _reply: Reply, _owed: Owed) -> None:
        self._events += self._dotted.believed()
        course = self._mail.current
        if course.left:
            transaction = course.transaction
            self._line.send(transaction.message if transaction.plain else stuff(transaction.message))
            self._events.append(DotNext(transaction))
        else:
            self._events += self._dotted.finish()
            self._line.say(Slot.VOID, ".\r\n")

    def _message_accepted(self, reply: Reply, _owed: Owed) -> None:
        self._events += self._dotted.dot_answered(Fate.ACCEPTED, reply)
        if self._mail.idle:
            self._become_ready()

    def _message_refused(self, reply: Reply, _owed: Owed) -> None:
        if self._line.early:
            self._refused_early(reply)
            return
        self._events += self._dotted.dot_answered(Fate.REFUSED, reply)
        if self._mail.idle:
            self._reset()

    def _refused_early(self, reply: Reply) -> None:  # commands would be read as more of the message
        self._events += self._mail.refused_early(reply)
        self._close(f"refused before the end of the message: {reply}", Stage.DOT, reply)

    def _chunk_taken(self, reply: Reply, _owed: Owed) -> None:
        self._window.chunk_answered(Fate.ACCEPTED, reply)

    def _chunk_refused(self, reply: Reply, _owed: Owed) -> None:
        window = self._window
        if window.not_understood(reply, early=self._line.early):
            self._events += window.believed()
            self._close(f"BDAT was offered and is refused: {reply}", Stage.DATA, reply, chunking_failed=True)
        elif self._line.early:
            self._refused_early(reply)
        else:
            window.chunk_answered(Fate.REFUSED, reply)

    def _reset(self, _reply: Reply | None = None, _owed: Owed | None = None) -> None:
        if self._in_groups:
            self._dotted.reset_first()
            self._become_ready()
        else:
            self._line.say(Slot.RSET, "RSET\r\n")

    def _left(self, reply: Reply, _owed: Owed) -> None:
        self._close("the session ended with QUIT", None, reply)

    # -- small steps

    @property
    def _dotted(self) -> Underway:
        """Where a slot is owed that only DATA can owe."""
        assert isinstance(self._mail, Underway)
        return self._mail

    @property
    def _window(self) -> Window:
        """Where a slot is owed that only BDAT can owe."""
        assert isinstance(self._mail, Window)
        return self._mail

    def _call_off(self) -> None:
        """Nobody is left to send to. A sender that was refused leaves nothing to reset (RFC 5321 4.1.1.2)."""
        refused = self._mail.current.sender_refused
        self._events += self._dotted.finish()
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


_ACTIONS = {slot: {digit: getattr(Session, name) for digit, name in rules.items()} for slot, rules in RULES.items()}
