"""The section `inbound` of bulkmail.yaml: where what comes back is taken, and the server that takes it."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from bulkmail.files import read_regular
from bulkmail.settings.relay import Host
from bulkmail.settings.values import (
    KEY_BYTES,
    Count,
    Domain,
    KeyFile,
    OwnFolder,
    Port,
    Reading,
    Seconds,
    plain_path,
    preset,
)
from bulkmail.yamlfile import ErrorAt, Line, Many, Section

SYSTEMD = "systemd"
"""Stands for the sockets that systemd passes."""

_LONGEST = 200  # characters: before it stand a word and a token, and an address has 254 (RFC 5321 4.5.3.1.3)
_CERTIFICATE_BYTES = 1_000_000
_SHARE = 4  # one client gets a quarter of the memory, and a whole message must fit


def _listen(text: str) -> str:
    """Return ``ip:port`` or ``[ip]:port`` in one form, or the word for the sockets of systemd."""
    if text == SYSTEMD:
        return text
    found = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\]:(\d{1,5})|([0-9.]+):(\d{1,5})", text, re.ASCII)
    try:
        address = ipaddress.ip_address((found[1] or found[3]) if found else "")
        port = int((found[2] or found[4]) if found else "0")
    except ValueError:
        port = 0
    if not 1 <= port <= 65535:
        words = "write an IP address and a port, such as 0.0.0.0:25 or [::]:25, or the word systemd"
        raise ValueError(f"{text[:80]!r} is no place to listen on; {words}")
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def _domains(domains: tuple[str, ...]) -> tuple[str, ...]:
    if not domains:
        raise ValueError("must name at least one domain, such as bounces.example.com")
    for index, domain in enumerate(domains):
        if len(domain) > _LONGEST:
            raise ErrorAt((index,), f"is longer than {_LONGEST} characters, and no address with a token would fit")
        if domain in domains[:index]:
            raise ErrorAt((index,), f"{domain} is given more than once")
    return domains


def _rspamd(text: str) -> str:
    if re.fullmatch(r"https?://[A-Za-z0-9._-]+(:\d{1,5})?/?|https?://\[[0-9A-Fa-f:.]+\](:\d{1,5})?/?", text) is None:
        raise ValueError(f"{text[:80]!r} is not the address of rspamd; write it like http://127.0.0.1:11333")
    return text.rstrip("/")


def _clamd(text: str) -> str:
    if text.startswith("/") or re.fullmatch(r"[A-Za-z0-9._-]+:\d{1,5}|\[[0-9A-Fa-f:.]+\]:\d{1,5}", text):
        return text
    raise ValueError(f"{text[:80]!r} is not the address of clamd; write host:port, or the path of its socket")


def _certificate(path: str) -> str:
    try:
        content = read_regular(path, _CERTIFICATE_BYTES)
    except ValueError as error:
        raise ValueError(f"the certificate file {path} {error}") from None
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise ValueError(f"the file {path} holds no certificate in PEM form")
    return path


Size = Annotated[int, Field(ge=10_000, le=100_000_000_000)]


class ServerTls(Section):
    """The certificate that a server of ours shows, with those that it was signed by, and its key; both PEM files."""

    certificate: Annotated[Line, AfterValidator(plain_path), AfterValidator(_certificate)]
    key: KeyFile
    _pems: tuple[bytes, bytes] = PrivateAttr((b"", b""))

    def model_post_init(self, context: Any, /) -> None:
        """Keep the files as they were read while checking: before privileges are dropped."""
        known = context.keys if isinstance(context, Reading) else {}
        key = known[self.key] if self.key in known else read_regular(self.key, KEY_BYTES)
        self._pems = read_regular(self.certificate, _CERTIFICATE_BYTES), key

    @property
    def pems(self) -> tuple[bytes, bytes]:
        """The content of the certificate's file and of the key's."""
        return self._pems


class Forward(Section):
    """Where mail for people goes: a Maildir, or a mail server."""

    maildir: OwnFolder | None = None
    host: Host | None = None
    port: Port = 25

    @model_validator(mode="after")
    def _one(self) -> Forward:
        if (self.maildir is None) == (self.host is None):
            raise ErrorAt((), "give one of maildir and host")
        return self


class Filter(Section):
    """Who looks at mail for people before it is taken."""

    rspamd: Annotated[Line, AfterValidator(_rspamd)] | None = None
    clamd: Annotated[Line, AfterValidator(_clamd)] | None = None


class InboundLimits(Section):
    """Counts and octets."""

    connections: Count = 1000
    connections_per_address: Count = 20
    messages_per_connection: Count = 100
    recipients: Count = 100
    errors: Count = 20
    size: Size = 25_000_000
    memory: Size = 128_000_000

    @model_validator(mode="after")
    def _fits(self) -> InboundLimits:
        if self.memory < _SHARE * self.size:
            raise ErrorAt(("memory",), f"must be four times the size of a message at least, {_SHARE * self.size}")
        return self


class InboundTimeouts(Section):
    """The patience with a client, and with our own disk and mailbox."""

    greeting: Seconds = preset("200ms")
    command: Seconds = preset("5m")
    starttls: Seconds = preset("60s")
    data: Seconds = preset("5m")
    message: Seconds = preset("15m")
    store: Seconds = preset("4m")


class Unread(Section):
    """How much is kept of reports that were not understood."""

    files: Count = 10_000
    size: Size = 1_000_000_000


class Inbound(Section):
    """Where reports, complaints and requests to unsubscribe come back. ``domains``: the first is written into mail.

    ``listen``: empty where another server takes the mail; ``hostname`` None: that of the settings.
    """

    listen: Many[Annotated[Line, AfterValidator(_listen)]] = ()
    hostname: Domain | None = None
    domains: Annotated[
        Many[Domain],
        AfterValidator(_domains),
        Field(description="the domains whose mail comes here", examples=[["bounces.example.com"]]),
    ]
    tls: ServerTls | None = None
    forward: Forward | None = None
    filter: Filter = Filter()
    limits: InboundLimits = InboundLimits()
    timeouts: InboundTimeouts = InboundTimeouts()
    unread: Unread = Unread()

    @property
    def domain(self) -> str:
        """The domain of the addresses that are written into mail."""
        return self.domains[0]

    @model_validator(mode="after")
    def _systemd_alone(self) -> Inbound:
        if SYSTEMD in self.listen and len(self.listen) > 1:
            raise ErrorAt(("listen",), "systemd stands alone: list all addresses in its socket unit")
        return self
