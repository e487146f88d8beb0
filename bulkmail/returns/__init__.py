"""What comes back after a message was taken: reports, complaints, auto-replies, the wish to be taken off.

Room: reading of what comes back.
Takes: the bytes of one received message, and its envelope recipient and sender by argument.
Gives: one judged, frozen `Return`: its kind, what it says of each recipient, and candidate tokens, the surest first.
Never: decides whether a token is one of ours, changes anything, reads a clock, a file or a socket, raises.

How a report is read: `mime` cuts the message into parts, within bounds. `complaint` and `xarf` come first, because what
a complaint encloses may be a bounce itself; then disposition notifications, then the status part (`blocks`), then what
only a text tells (`prose`), and at last what is no report (`answers`). `wording` finds the receiver's reply and hands
it to the classifier of a live dialogue, so that the same words mean the same. `tokens` finds what may be a token.

The rules: the Action says what happened, not the class of the status (a mailbox that stayed full until the server gave
up is `failed` with 4.2.2). The receiver's reply beats the Status field. An address that a report names is a detail, for
it may be a forward's target; the token attributes. A block that blames one recipient for another's refusal is void.
"""

from __future__ import annotations

from bulkmail.returns.mime import LOOKED_AT
from bulkmail.returns.reader import Verdict, judge
from bulkmail.returns.reading import read
from bulkmail.returns.returned import Action, Block, Candidate, Copy, Kind, Return, Source, Weight

__all__ = [
    "LOOKED_AT",
    "Action",
    "Block",
    "Candidate",
    "Copy",
    "Kind",
    "Return",
    "Source",
    "Verdict",
    "Weight",
    "judge",
    "read",
]
