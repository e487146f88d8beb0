"""The section `public` of bulkmail.yaml: the page behind the links for unsubscribing, and who may reach it."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from bulkmail.mail import AddressError, domain_key
from bulkmail.settings.inbound import ServerTls
from bulkmail.settings.values import Networks, Pace, plain_path, preset
from bulkmail.yamlfile import ErrorAt, Line, Section

LOOPBACK = ("127.0.0.0/8", "::1/128")
_UNIX = "unix:"
_PORT = re.compile(r"(?P<host>\[[^\]]+\]|[^:\[\]]+):(?P<port>\d{1,5})", re.ASCII)
_URL = re.compile(r"https://(?P<host>[^/?#@:\[\]\s]+)(?P<port>:\d{1,5})?/?", re.IGNORECASE)


class ListenAt(NamedTuple):
    """Where a server listens: a path, or an address and a port."""

    path: str
    address: str = ""
    port: int = 0

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"unix:{self.path}" if self.path else f"{host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether it can be reached from this machine alone."""
        return bool(self.path) or ipaddress.ip_address(self.address).is_loopback


def parse_listen(text: str) -> ListenAt:
    """Read ``127.0.0.1:8026``, ``[::1]:8026`` or ``unix:/run/bulkmail/public.sock``. Raises ValueError."""
    if text.startswith(_UNIX):
        return ListenAt(text.removeprefix(_UNIX))
    found = _PORT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:80]!r} must be an address and a port, such as 127.0.0.1:8026, or unix: and a path")
    try:
        address = ipaddress.ip_address(found["host"].strip("[]"))
    except ValueError:
        words = f"{found['host'][:80]!r} is not an IP address; write one of this machine, such as 127.0.0.1:8026"
        raise ValueError(words) from None
    if not 1 <= int(found["port"]) <= 65535:
        raise ValueError(f"{text!r}: the port must be from 1 to 65535")
    return ListenAt("", str(address), int(found["port"]))


def only_here_without_tls(given: Any, what: str) -> None:
    """Raise ErrorAt for a section as it is written that listens for other machines without ``tls``.

    ``what`` everybody on the way could do then: "read the links".
    """
    if isinstance(given, Mapping) and given.get("tls") is None and isinstance(given.get("listen"), str):
        try:
            here = parse_listen(given["listen"]).loopback
        except ValueError:
            return  # told with the value itself
        if not here:
            raise ErrorAt(
                ("listen",),
                f"{given['listen']} can be reached from other machines, and without TLS everybody on the way could "
                f"{what}; listen on 127.0.0.1 behind a proxy that has the certificate, or give tls",
            )


def _listen(text: str, info: ValidationInfo) -> str:
    if text.startswith(_UNIX):
        path = plain_path(text.removeprefix(_UNIX), info)
        if len(os.fsencode(path)) > 90:  # sun_path of unix(7) has 108, and Twisted's lock beside it needs some
            raise ValueError(f"{path} is too long for the name of a socket; 90 bytes are the most")
        return _UNIX + path
    parse_listen(text)
    return text


def _url(text: str) -> str:
    found = _URL.fullmatch(text)
    if found is None:
        raise ValueError(
            f"{text[:80]!r} must be https:// and a host name alone, such as https://mail.example.com; "
            "mail programs unsubscribe over https only (RFC 8058 3.1)"
        )
    try:
        host = domain_key(found["host"])
    except AddressError as error:
        raise ValueError(str(error)) from None
    return f"https://{host}{found['port'] or ''}"


def _folder(path: str) -> str:
    if not os.path.isdir(path):
        raise ValueError(f"{path} is not a folder")
    return path


Listen = Annotated[Line, AfterValidator(_listen)]


class Public(Section):
    """The page for unsubscribing. ``url`` is what the letters say; ``listen`` is where it is asked."""

    listen: Listen = "127.0.0.1:8026"
    url: Annotated[
        Line,
        AfterValidator(_url),
        Field(description="what the links in the letters begin with", examples=["https://mail.example.com"]),
    ]
    name: Annotated[Line, Field(max_length=100)] = ""
    texts: Annotated[Line, AfterValidator(plain_path), AfterValidator(_folder)] | None = None
    tls: ServerTls | None = None
    trusted_proxies: Networks = preset(list(LOOPBACK))
    client_rate: Pace = preset("20/s,burst=200")

    @model_validator(mode="before")
    @classmethod
    def _only_here_without_tls(cls, given: Any) -> Any:
        """Without TLS the tokens would cross the network in clear."""
        only_here_without_tls(given, "read the links")
        return given

    @property
    def place(self) -> ListenAt:
        """Where to listen."""
        return parse_listen(self.listen)
