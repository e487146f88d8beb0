"""The session's state machine as data: what each owed reply means, and what each class of reply does.

A session's state is the FIFO of replies the server owes us; its phase is what the oldest of them says. Only
`Session` applies this table; a (slot, class) pair that is not here is a protocol error.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from bulkmail.mail import Stage


class TlsMode(StrEnum):
    """What is done about STARTTLS (RFC 3207)."""

    OFF = "off"
    OPPORTUNISTIC = "opportunistic"  # used when offered; in clear otherwise
    REQUIRED = "required"  # no mail in clear; the certificate is not looked at
    VERIFY = "verify"  # no mail in clear, and the certificate must be valid for the host's name


class Phase(StrEnum):
    """Where the session stands."""

    GREETING = "greeting"
    HELLO = "hello"
    STARTTLS = "starttls"
    HANDSHAKE = "handshake"
    AUTH = "auth"
    READY = "ready"
    ENVELOPE = "envelope"
    BODY = "body"
    RESET = "reset"
    QUIT = "quit"
    CLOSED = "closed"


class Slot(StrEnum):
    """What the server owes us, named after what it answers."""

    BANNER = "greeting"
    EHLO = "EHLO"
    HELO = "HELO"
    STARTTLS = "STARTTLS"
    TLS = "the TLS handshake"  # no reply: the caller says how it ended
    AUTH = "AUTH"  # and each line of its dialogue (RFC 4954 4)
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    DOT = "the final dot"
    RESTART = "RSET between messages"  # in a group with the next (`window`; `data_pipeline` behind a refusal)
    BDAT = "BDAT"  # and the message it announces
    VOID = "the dot of an empty message"  # every recipient was refused, yet DATA was taken (RFC 2920 3.1)
    RSET = "RSET"  # alone, without PIPELINING
    QUIT = "QUIT"


class Facts(NamedTuple):
    """What is true while a slot is the oldest one owed.

    ``stage`` is None where a failure is no attempt's. ``patience`` names the timeout in the settings.
    """

    phase: Phase
    stage: Stage | None
    patience: str


SLOTS: dict[Slot, Facts] = {
    Slot.BANNER: Facts(Phase.GREETING, Stage.GREETING, "greeting"),
    Slot.EHLO: Facts(Phase.HELLO, Stage.EHLO, "ehlo"),
    Slot.HELO: Facts(Phase.HELLO, Stage.EHLO, "ehlo"),
    Slot.STARTTLS: Facts(Phase.STARTTLS, Stage.STARTTLS, "starttls"),
    Slot.TLS: Facts(Phase.HANDSHAKE, Stage.STARTTLS, "starttls"),
    Slot.AUTH: Facts(Phase.AUTH, Stage.AUTH, "auth"),
    Slot.MAIL: Facts(Phase.ENVELOPE, Stage.MAIL, "mail"),
    Slot.RCPT: Facts(Phase.ENVELOPE, Stage.RCPT, "rcpt"),
    Slot.DATA: Facts(Phase.ENVELOPE, Stage.DATA, "data"),
    Slot.DOT: Facts(Phase.BODY, Stage.DOT, "dot"),
    Slot.RESTART: Facts(Phase.ENVELOPE, Stage.MAIL, "mail"),
    Slot.BDAT: Facts(Phase.BODY, Stage.DOT, "dot"),
    Slot.VOID: Facts(Phase.RESET, None, "data"),
    Slot.RSET: Facts(Phase.RESET, None, "mail"),
    Slot.QUIT: Facts(Phase.QUIT, None, "quit"),
}

# What a reply does, by the slot it fills and its first digit: the name of the session's method.
# A 421 is not here: it ends the session in every slot (RFC 5321 3.8).
RULES: dict[Slot, dict[int, str]] = {
    Slot.BANNER: {2: "_greeted", 4: "_refused", 5: "_refused"},
    Slot.EHLO: {2: "_introduced", 4: "_refused", 5: "_without_extensions"},
    Slot.HELO: {2: "_introduced", 4: "_refused", 5: "_refused"},
    Slot.STARTTLS: {2: "_upgrade", 4: "_without_tls", 5: "_without_tls"},
    Slot.TLS: {},
    Slot.AUTH: {2: "_signed_in", 3: "_challenged", 4: "_not_signed_in", 5: "_not_signed_in"},
    Slot.MAIL: {2: "_taken", 4: "_sender_refused", 5: "_sender_refused"},
    Slot.RCPT: {2: "_taken", 4: "_recipient_refused", 5: "_recipient_refused"},
    Slot.DATA: {3: "_send_message", 4: "_data_refused", 5: "_data_refused"},
    Slot.DOT: {2: "_message_accepted", 4: "_message_refused", 5: "_message_refused"},
    Slot.RESTART: {2: "_taken"},
    Slot.BDAT: {2: "_chunk_taken", 4: "_chunk_refused", 5: "_chunk_refused"},
    Slot.VOID: {2: "_reset", 4: "_reset", 5: "_reset"},
    Slot.RSET: {2: "_become_ready", 4: "_refused", 5: "_refused"},
    Slot.QUIT: {2: "_left", 4: "_left", 5: "_left"},
}
