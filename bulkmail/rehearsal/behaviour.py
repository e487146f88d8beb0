"""What a mail exchanger is like, as data: a persona is a DNS layout, limits, and a list of behaviours.

A behaviour says: at this step of the session, for this share of the recipients, at their first so many tries, this
is replied and then that is done. `ScriptedReplies` plays them and knows no persona by name, so a new one is a few
lines of data. All waits are in real seconds; the world divides them by its speed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Step(StrEnum):
    """A step of the session. The comment says what a share of it is a share of."""

    CONNECT = "connect"  # the greeting; connections
    EHLO = "ehlo"  # connections
    HELO = "helo"  # connections
    STARTTLS = "starttls"  # connections
    MAIL = "mail"  # messages
    RCPT = "rcpt"  # recipients
    DATA = "data"  # messages, known by their first recipient
    BODY = "body"  # the same: in the middle of the message
    CHUNK = "chunk"  # the same: any BDAT, once its bytes are read
    DOT = "dot"  # the same; also the last BDAT
    RSET = "rset"  # connections
    QUIT = "quit"  # connections


class Then(StrEnum):
    """The action after the reply."""

    GO_ON = "go on"
    CLOSE = "close"
    ABORT = "abort"  # the connection is reset
    SILENCE = "silence"  # the connection stays, and nothing is ever said again
    HALF_CLOSE = "half-close"  # the server's direction only; under TLS that is a cut without close_notify
    REPEAT = "repeat"  # the reply again and again, as fast as it is taken, up to 64 MiB
    STOP_READING = "stop reading"  # the connection stays, and nothing is taken from it any more
    FORGET = "forget"  # what came behind the command in one write is thrown away


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One deviation from the good server. Of several at one step, the first that applies is the one.

    After ``wait`` the reply is said; after ``pause``, in which the client has said nothing, comes ``more``, and what is
    done ``then``. ``{you}`` in a reply is what the client called itself.
    """

    step: Step
    reply: bytes | None = None  # raw bytes, line end included; b"" says nothing; None: the usual reply
    then: Then = Then.GO_ON
    stores: bool = False  # at the dot: the message is kept although its reply does not say so
    does: bool = False  # the step is done as usual, only the words are these
    wait: float = 0.0  # seconds before the reply
    drip: float = 0.0  # seconds between one byte of the reply and the next; 0: all at once
    pause: float = 0.0  # seconds after the reply; a client that goes on meanwhile hears nothing of it
    more: bytes = b""  # what is said then without having been asked
    share: float = 1.0
    tries: int = 0  # only at the first so many of one recipient, before RCPT of one client; 0: always
    local: tuple[str, ...] = ()  # only for recipients whose local part starts with one of these
    behind: bool = False  # only for a command that came behind others in one write
    secure: bool | None = None  # only under TLS, or only in clear
    after: int = 0  # in the middle of a message: when so many bytes of it were read


class DnsKind(StrEnum):
    """How a domain answers."""

    MX = "mx"
    NULL = "null mx"  # RFC 7505
    IMPLICIT = "no mx, only an address"  # RFC 5321 5.1
    EMPTY = "neither mx nor address"
    NXDOMAIN = "nxdomain"
    SERVFAIL = "servfail"
    SILENT = "no answer"


@dataclass(frozen=True, slots=True)
class Layout:
    """A domain's MX records.

    In host names ``{domain}`` is the domain, ``{dashed}`` the same as one label, and ``{pool}`` a number from 1 to 8
    that the domain's hash picks. ``down``: hosts that refuse connections. ``holes``: those where connecting is never
    answered at all. ``lost``: hosts that do not exist.
    """

    kind: DnsKind = DnsKind.MX
    hosts: tuple[tuple[int, str], ...] = ((10, "mx.{domain}"),)
    down: tuple[str, ...] = ()
    holes: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


class Tls(StrEnum):
    """What STARTTLS leads to."""

    GOOD = "good"
    NONE = "none"  # not offered
    BROKEN = "broken"  # offered, and the handshake fails
    GARBAGE = "garbage"  # the handshake is answered with something else
    HANGS = "hangs"  # the handshake is never answered
    ONE_SEGMENT = "one segment"  # a hello of more than 1,400 bytes is never answered
    CUT = "cut"  # the connection is reset in the handshake
    OLD = "old"  # nothing newer than TLS 1.0
    REQUIRED = "required"  # MAIL in clear is refused


class Certificate(StrEnum):
    """What is shown in the handshake."""

    GOOD = "good"
    EXPIRED = "expired"
    SELF_SIGNED = "self-signed"
    WRONG_NAME = "wrong name"
    WEAK = "weak"  # RSA with 1,024 bits


@dataclass(frozen=True, slots=True)
class Persona:
    """A kind of mail exchanger. Limits of 0 are no limits; all are per client address."""

    name: str
    about: str
    dns: Layout = Layout()
    behaviours: tuple[Behaviour, ...] = ()
    tls: Tls = Tls.GOOD
    certificate: Certificate = Certificate.GOOD
    pipelining: bool = True
    eight_bit: bool = True
    chunking: bool = False
    smtputf8: bool = True
    size: int = 50_000_000
    recipients: int = 100  # a message
    connections: int = 0  # open at once
    connections_reply: bytes = b"421 4.7.0 Too many concurrent connections from your address\r\n"
    messages: int = 0  # a connection
    messages_reply: bytes = b""  # to the MAIL that is too many; empty: closes without a word after the last one
    rate: float = 0.0  # messages a second
    rate_doubles: float = 0.0  # real seconds after the first message that asks, the rate is twice that; 0: never
    rate_step: Step = Step.MAIL  # or RCPT, DOT: what gets the reply
    rate_reply: bytes = b"450 4.7.1 Rate limit exceeded, you are sending too fast\r\n"
    greylist: float = 0.0  # seconds
    pooled: bool = False  # connections and rate are counted over all hosts of the persona, else per address
    relays: bool = False  # takes mail for any domain
    open_data: bool = False  # DATA is answered 354 although every recipient was refused (RFC 2920 3.1)
    window: int = 0  # bytes that the socket takes in before it is read; 0: the system's way
    reads: int = 0  # bytes read a second, 0: as they come
