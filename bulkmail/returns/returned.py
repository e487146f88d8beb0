"""What a received message turned out to be: the values that leave this room, all frozen.

Nothing here decides whether a token is one of ours: `Return.candidates` are strings that have a token's form, the
surest first, and the caller looks them up in the spool. Attribution is by token alone; the addresses that a report
names are details, and `Return.block_for` says which of its blocks concerns the recipient whom the token stands for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from bulkmail.mail import AddressError, Category, Stage, Status, parse_address


class Kind(StrEnum):
    """What kind of message came back."""

    FAILED = "failed"  # a report of a final failure; whether it counts hard is in its blocks
    DELAYED = "delayed"  # a warning: the reporting server still tries
    DELIVERED = "delivered"  # success reports (RFC 3464 2.3.3)
    RELAYED = "relayed"
    EXPANDED = "expanded"
    COMPLAINT = "complaint"  # a feedback report (RFC 5965, RFC 9477, JMRP)
    AUTO_REPLY = "auto-reply"  # on vacation, received, out of office (RFC 3834, and what carries other marks)
    DISPOSITION = "disposition"  # a disposition notification (RFC 8098): the address is alive
    CHALLENGE = "challenge"  # "prove that you are a person": the message waits at the recipient's filter
    UNSUBSCRIBE = "unsubscribe"  # by mail, told by the address or the subject
    LOOP = "loop"  # our own message, or a report about a report: nothing follows from it
    OTHER = "other"  # a person's answer, or what carries no mark
    UNREADABLE = "unreadable"  # looks like a report, but says nothing that can be relied on


class Action(StrEnum):
    """The Action field of a block (RFC 3464 2.3.3), without its comment."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


class Weight(StrEnum):
    """What a final failure counts as."""

    HARD = "hard"  # the address's own permanent fault: the report's `bounced`
    BLOCKED = "blocked"  # every other permanent refusal: policy, reputation, content, quota
    SOFT = "soft"  # given up after temporary failures: final for this message, and says little of the address


class Source(StrEnum):
    """Where a token was found, the surest first."""

    ENVELOPE = "envelope"  # the address that the message was delivered to
    MESSAGE_ID = "message-id"  # of the enclosed copy
    UNSUBSCRIBE = "list-unsubscribe"  # of the enclosed copy
    FEEDBACK_ID = "feedback-id"  # of the enclosed copy, or CFBL-Feedback-ID of a complaint
    RETURN_PATH = "return-path"  # of the enclosed copy, or the sender that a report names
    ENVELOPE_ID = "envelope-id"  # the ENVID that a report repeats
    SUBJECT = "subject"  # of a message that unsubscribes
    TO = "to"  # the message's own To field
    REFERENCES = "references"  # the message's own In-Reply-To and References


# Two different tokens from these contradict each other; the later ones are hints only.
SURE = frozenset({Source.ENVELOPE, Source.MESSAGE_ID, Source.UNSUBSCRIBE, Source.FEEDBACK_ID, Source.RETURN_PATH})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A string of a token's form (26 characters of a-z and 2-7, in lower case), and where it stood."""

    token: str
    source: Source


@dataclass(frozen=True, slots=True)
class Block:
    """What a report says of one recipient.

    ``original``, ``final``: the addresses of its two fields, decoded, ``""`` where there is none. ``aliases``: other
    addresses that the report gives for the same recipient (forward targets): never mailed by us. ``status``: the
    report's Status field as it stands. ``code``, ``enhanced``, ``reply``: the receiver's reply (0 and ``""`` without
    one; ``reply`` is one line of at most 512 characters). ``about``: an address that the reply names and that is none
    of this recipient's: often what a server behind a forward made of it, so it voids nothing by itself. ``weight`` only
    with Action failed. ``void``: why nothing follows from this block, a sentence, else ``""``; a void block has no
    weight. ``whole``: it has once each of the four fields that tell whom it is about and what happened, and no line
    that belongs to no block.
    """

    action: Action
    original: str = ""
    final: str = ""
    aliases: tuple[str, ...] = ()
    status: str = ""
    code: int = 0
    enhanced: str = ""
    reply: str = ""
    stage: Stage = Stage.RCPT
    remote_mta: str = ""
    about: str = ""
    category: Category | None = None
    weight: Weight | None = None
    void: str = ""
    whole: bool = False

    @property
    def recipient(self) -> str:
        """The address that was mailed, as far as the report tells: some servers name a forward target instead."""
        return self.original or self.final

    @property
    def row_status(self) -> Status | None:
        """The status in the report of a failure that counts: ``bounced`` for a hard one, else ``blocked``."""
        if self.weight is None or self.void:
            return None
        return Status.BOUNCED if self.weight is Weight.HARD else Status.BLOCKED

    def names(self, address: str) -> bool:
        """Return whether this block is about ``address``, in any spelling."""
        wanted = address_key(address)
        return bool(wanted) and wanted in {address_key(one) for one in (self.original, self.final, *self.aliases)}


@dataclass(frozen=True, slots=True)
class Copy:
    """What the enclosed copy of the message says of itself; all ``""`` where a report encloses none."""

    message_id: str = ""
    references: tuple[str, ...] = ()
    feedback_id: str = ""
    list_unsubscribe: str = ""
    sender: str = ""  # its From field's address
    return_path: str = ""

    def __bool__(self) -> bool:
        return bool(self.message_id or self.feedback_id or self.list_unsubscribe or self.sender or self.return_path)


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a complaint says beside the copy (RFC 5965 3.1, 3.2); many name no recipient."""

    type: str = ""  # abuse, fraud, not-spam, ...
    recipients: tuple[str, ...] = ()  # Original-Rcpt-To, often blacked out
    source_ip: str = ""
    reported_domain: str = ""
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class Return:
    """One received message, judged. ``reason``: one sentence that says why it is of this kind.

    ``blocks``: what a report says of each recipient; empty for every other kind. ``unread``: recipients of whom the
    report speaks and of whom it could not be read what it says. ``by_target``: the reporter (OpenSMTPD, qmail) never
    tells the address that was mailed, only where it was forwarded to. ``message_id``, ``references``: of the message
    itself. ``disposition``: of a notification.
    """

    kind: Kind
    reason: str
    blocks: tuple[Block, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    copy: Copy = field(default_factory=Copy)
    feedback: Feedback = field(default_factory=Feedback)
    disposition: str = ""
    reporting_mta: str = ""
    envelope_id: str = ""
    subject: str = ""
    message_id: str = ""
    references: tuple[str, ...] = ()
    unread: int = 0
    by_target: bool = False

    @property
    def contradicted(self) -> bool:
        """Whether two sure places name different tokens. Then nothing is certain."""
        return len({one.token for one in self.candidates if one.source in SURE}) > 1

    @property
    def token(self) -> str:
        """The surest candidate, ``""`` without one or where sure ones differ. Who can read tokens asks `attributed`."""
        return self.candidates[0].token if self.candidates and not self.contradicted else ""

    def attributed(self, read: Callable[[str], tuple[int, int] | None]) -> str:
        """Return the token that this message is about, ``""`` where that is not certain.

        ``read``: gives the campaign and the number of a token, None for what only looks like one (`mail.read_token`
        with a spool's key): such a string contradicts nothing. The token of a whole campaign (number 0, where it shares
        its return path) gives way to that of one of its recipients.
        """
        real = [(one, meant) for one in self.candidates if (meant := read(one.token)) is not None]
        real = [pair for pair in real if pair[0].source in SURE] or real
        own = {one.token: meant for one, meant in real if meant[1]}
        campaigns = {meant[0] for _, meant in real}
        if len(own) > 1 or len(campaigns) > 1 or not real:
            return ""
        return next(iter(own), real[0][0].token)

    @property
    def stray(self) -> bool:
        """Whether this is about a message that bears no mark of ours: back-scatter of a forged sender.

        Only told where something is enclosed: a report without a copy and without a token may be about ours.
        """
        return bool(self.copy) and not self.candidates

    def block_for(self, address: str, token: str = "") -> Block | None:
        """Return the block that concerns ``address``, to whom the token's message went; None where that is not certain.

        ``token``: what `attributed` gave; without it `token` counts.

        A block that names the address counts, whatever else the report says. Where none does and the reporter is one
        that names only the target of a forward, a single block counts if the report was sent to the recipient's own
        return path and encloses the message's own copy.
        Two recipients under one token: only the block of the token's own recipient counts, never its neighbour's. Void
        blocks never count.
        """
        wanted = address_key(address)
        named = [block for block in self.blocks if wanted and address_key(block.recipient) == wanted]
        if named:
            return agreed(named)
        # from here on it takes the return path: another recipient's forward may lead to an address that was mailed, too
        token = token or self.token
        if not token or Candidate(token, Source.ENVELOPE) not in self.candidates:
            return None
        named = [block for block in self.blocks if block.names(address)]
        if named:
            return agreed(named)
        enclosed = self.by_target and Candidate(token, Source.MESSAGE_ID) in self.candidates
        alone = enclosed and len(self.blocks) == 1 and not self.unread and not self.blocks[0].about
        return agreed(list(self.blocks)) if alone else None


def agreed(some: list[Block]) -> Block | None:
    """Return the first of these blocks, where they say the same and none is void."""
    said = {(block.action, block.weight, bool(block.void)) for block in some}
    return some[0] if len(said) == 1 and not some[0].void else None


def address_key(address: str) -> str:
    """Return one spelling for all forms of an address, to compare by; ``""`` for what has no ``@``."""
    try:
        return parse_address(address).key
    except AddressError:
        return address.strip().casefold() if "@" in address else ""
