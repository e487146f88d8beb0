"""Whether a final dot may be believed when commands were written right behind it (RFC 2920 3.1).

The body and dot of one message and MAIL, RCPT and DATA of the next go out in one write, so the dot's reply is the
first of four or more. What is read in its slot is *held* until the replies behind it show that no reply was lost or
is too many: each must be of a class its slot allows (MAIL, RCPT: 2, 4, 5; DATA: 3, 4, 5).

What the server said       dot, MAIL, RCPT, DATA  | the dot        | the message behind it
---------------------------------------------------+----------------+----------------------------------------------
aligned                    250  250  250  354      | as its reply   | its body goes out
dot refused                550  250  250  354      | as its reply   | its body goes out
next one refused           250  550  503  503      | as its reply   | refused, by position
MAIL not understood        250  503  503  503      | as its reply   | free
421 or close, late         250  421 / 250  close   | as its reply   | free if MAIL was not answered, else as usual
deadline behind the dot    250  silence            | as its reply   | free if MAIL was not answered, else lost
a reply too many, 2xx      250  250  250  250      | stands         | free; the session is closed
a stray 2xx, dot refused   250  550  250  250      | unknown        | free; the session is closed
a stray 5xx, dot taken     550  250  250  250      | unknown        | free; the session is closed
a reply too few            250  250  354           | unknown        | free; the session is closed
not a reply, anywhere      250  250  what?         | unknown        | free; the session is closed

A 2xx where DATA's 354 belongs is one reply too many. Whichever it is, the dot's own is the first or the second: where
both are 2xx the dot stands, otherwise it cannot be known. A 3xx before DATA's turn is one reply too few, and then even
a 2xx in the dot's slot may be the answer to MAIL. A refusal of the next message is held as well: with a stray reply
before it, it would answer another command. Free is UNTRIED: nothing that was read is known to belong to it, and no byte
of its body was written.

What no client can see: a stray or missing reply where the next message is refused too, so that no class contradicts
(a stray 250, then 550 550 554). It takes a server that miscounts and refuses at once; the surplus is then found a
reply later and ends the session.
"""

from __future__ import annotations

from collections.abc import Sequence

from bulkmail.mail import Category, Fate, Stage
from bulkmail.smtp.events import Event, Settled
from bulkmail.smtp.table import Slot
from bulkmail.smtp.transaction import Transaction


class PendingReplies:
    """What is held back until the count is proven: of ``transaction``, and of the one behind its dot."""

    __slots__ = ("_events", "_next_taken", "_surplus", "_taken", "_transaction")

    def __init__(self, transaction: Transaction, events: Sequence[Event], *, taken: bool) -> None:
        self._transaction = transaction
        self._events = list(events)
        self._taken = taken  # the dot's reply was a 2xx
        self._next_taken = False  # and so was the one behind it
        self._surplus = False  # a 2xx stands where the 354 belongs

    def add(self, events: Sequence[Event]) -> None:
        """Hold back something more that is true if the count is right."""
        self._events += events

    def saw(self, slot: Slot, digit: int) -> None:
        """Note the class of a reply in a slot behind the dot."""
        if slot is Slot.MAIL:
            self._next_taken = digit == 2
        elif slot is Slot.DATA:
            self._surplus = digit == 2

    def proven(self) -> list[Event]:
        """Return what was held back: nothing contradicts it."""
        return self._events

    def refuted(self, note: str) -> list[Event]:
        """Return what is true although the count is wrong; ``note`` says why it is."""
        stands = self._surplus and self._taken and self._next_taken
        told: list[Event] = []
        for event in self._events:
            if not isinstance(event, Settled) or (stands and event.transaction is self._transaction):
                told.append(event)
            elif event.transaction is self._transaction:
                told.append(event._replace(fate=Fate.UNKNOWN, reply=None, note=note, category=Category.NO_ANSWER))
            else:
                free = event._replace(fate=Fate.UNTRIED, stage=Stage.MAIL, reply=None)
                told.append(free._replace(note=note, category=Category.PROTOCOL))
        return told
