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
from bulkmail.smtp.data_pipeline import DataPipeline
from bulkmail.smtp.events import DotNext, Event, Ready
from bulkmail.smtp.handshake import Handshake
from bulkmail.smtp.pipeline import Owed
from bulkmail.smtp.replies import MalformedReply
from bulkmail.smtp.settlement import Ending, ruled_out
from bulkmail.smtp.stuffing import stuff
from bulkmail.smtp.table import RULES, Slot
from bulkmail.smtp.transaction import Transaction, check, obstacle
from bulkmail.smtp.window import Window


class Session(Handshake):
    """One connection's session. The caller feeds `receive`, drains `take_output` and acts on the events."""

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
        if isinstance(self._mail, Window):
            self._line.send_group(commands)
            self._line.send_chunk(transaction.message)
            return [DotNext(transaction)]
        if self._in_groups:
            self._line.send_group(commands)
        else:
            self._mail.current.unsent = deque(commands)
            self._send_next()
        return []

    def withdraw(self, reason: str) -> list[Event]:
        """Write no message that is not on the wire yet; wait for those of a window that are, then QUIT.

        Where nothing is on the wire it is `abandon`.
        """
        if isinstance(self._mail, Window):
            self._events += self._mail.withdrawn(self._line.withdraw(), reason)
            if not self._mail.idle:
                self.quit()
                return self._take_events()
        return self.abandon(reason)

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes from the server. Returns what they mean; however they are cut, the events are the same."""
        if self._closed:
            return []
        reader, line = self._reader, self._line
        reader.feed(data)
        try:
            while not self._closed:
                if not line.asked and reader.pending:
                    self._check_unsolicited()
                reply = reader.next()
                if reply is None:
                    break
                self._answer(reply)
        except MalformedReply as error:
            self._break_off(str(error), Ending.GARBLED)
        if not (self._closed or line.owed or self._unsolicited):
            if reader.pending:
                self._unsolicited = True
                line.turn += 1
            elif isinstance(self._mail, Window) and self._mail.held:
                self._events += self._mail.believed()
                if self._mail.out_of_step:
                    self._close_with_quit(self._mail.out_of_step, None, None, Category.PROTOCOL)
                else:
                    self._become_ready()
        return self._take_events()

    # -- replies; the table names these methods

    def _check_unsolicited(self) -> None:
        """Refuse bytes that no command on the wire asked for.

        A 421 may come at any time, and a refusal may come before the message is complete; a success may not.
        """
        opening = self._reader.opening
        if self._line.in_message and self._line.oldest in (Slot.DOT, Slot.BDAT) and opening[:1] in (b"4", b"5"):
            return
        if not b"421".startswith(opening):
            self._mail.unsolicited(opening)
            raise MalformedReply("the server said something that was not asked for")

    def _answer(self, reply: Reply) -> None:
        line, mail = self._line, self._mail
        if reply.code == 421:  # RFC 5321 3.8: the answer in the oldest slot, and the end of the session
            self._events += mail.shut_down(line.oldest, reply, asked=line.asked > 0)
            self._close(f"the server closes the session: {reply}", line.stage, reply)
            return
        owed = line.owed[0]
        mail.saw(owed[0], reply)
        act = _ACTIONS[owed[0]].get(reply.code // 100)
        if (
            reply.code >= 500
            and self._in_groups
            and isinstance(mail, DataPipeline)
            and mail.out_of_step(owed[0], reply)
        ):
            raise MalformedReply(f"the server loses its place in a group of commands: {reply}")
        if act is None:
            raise MalformedReply(f"{reply.code} is no answer to {owed[0]}")
        line.answered()
        act(self, reply, owed)

    def _taken(self, _reply: Reply, _owed: Owed) -> None:
        if not self._in_groups:
            self._send_next()

    def _sender_refused(self, reply: Reply, _owed: Owed) -> None:
        self._events += self._mail.sender_refused(reply)
        self._send_next()

    def _recipient_refused(self, reply: Reply, owed: Owed) -> None:
        self._events += self._mail.recipient_refused(owed[1], reply)
        self._send_next()

    def _data_refused(self, reply: Reply, _owed: Owed) -> None:
        self._events += self._dotted.data_refused(reply)
        self._call_off()

    def _send_message(self, _reply: Reply, _owed: Owed) -> None:
        self._events += self._dotted.believed()
        settlement = self._mail.current
        if settlement.left:
            transaction = settlement.transaction
            self._line.send_message(transaction.message if transaction.plain else stuff(transaction.message))
            self._events.append(DotNext(transaction))
        else:
            self._events += self._dotted.finish()
            self._line.send_command(Slot.VOID, ".\r\n")

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
            self._line.send_command(Slot.RSET, "RSET\r\n")

    def _left(self, reply: Reply, _owed: Owed) -> None:
        self._close("the session ended with QUIT", None, reply)

    # -- small steps

    @property
    def _dotted(self) -> DataPipeline:
        """Return the messages under way, in a slot that only DATA can owe."""
        assert isinstance(self._mail, DataPipeline)
        return self._mail

    @property
    def _window(self) -> Window:
        """Return the messages under way, in a slot that only BDAT can owe."""
        assert isinstance(self._mail, Window)
        return self._mail

    def _call_off(self) -> None:
        """End a transaction without recipients. A refused sender leaves nothing to reset (RFC 5321 4.1.1.2)."""
        refused = self._mail.current.sender_refused
        self._events += self._dotted.finish()
        if refused:
            self._become_ready()
        else:
            self._reset()

    def _send_next(self) -> None:
        """Send the next command, without PIPELINING; none where no recipient is left for DATA."""
        settlement = self._mail.current
        if not settlement.unsent:
            return
        slot, index, line = settlement.unsent.popleft()
        if settlement.left:
            self._line.send_command(slot, line, index)
        else:
            self._call_off()


_ACTIONS = {slot: {digit: getattr(Session, name) for digit, name in rules.items()} for slot, rules in RULES.items()}
