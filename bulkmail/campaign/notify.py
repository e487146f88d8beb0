"""``notify`` of campaign.yaml: who is told of a campaign's start, of a stop by a rule, and of its end."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from bulkmail.mail import AddressError, parse_address
from bulkmail.yamlfile import Line, Many, Section

Occasion = Literal["start", "stopped", "end"]
_WORDS = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}


def listed(value: Any) -> Any:
    """Return a single text as a list of one."""
    return [value] if isinstance(value, str) else value


def mailbox(text: str) -> str:
    """Return the address as it is mailed to. Raises ValueError."""
    try:
        return str(parse_address(text))
    except AddressError as error:
        raise ValueError(str(error)) from None


def web_address(text: str) -> str:
    """Return an https address, or one of this machine by http. Raises ValueError."""
    found = urlsplit(text)
    if not text.isascii():
        raise ValueError(f"{text!r} must be ASCII; write its host as xn--… and other characters as %XX")
    if found.scheme == "https" and found.hostname:
        return text
    if found.scheme == "http" and found.hostname in ("127.0.0.1", "localhost", "::1"):
        return text
    raise ValueError(f"{text!r} must be an https:// address; http:// is taken for this machine only")


Addresses = Annotated[Many[Annotated[Line, AfterValidator(mailbox)]], BeforeValidator(listed), WithJsonSchema(_WORDS)]


class Notify(Section):
    """Who is told, and of what."""

    mail: Annotated[Addresses, Field(description="mail addresses that are told", examples=["ops@example.com"])] = ()
    command: Annotated[
        Many[Line] | None,
        BeforeValidator(listed),
        WithJsonSchema(_WORDS),
        Field(description="a program that is run, with its arguments", examples=[["/usr/local/bin/told"]]),
    ] = None
    url: Annotated[
        Annotated[Line, AfterValidator(web_address)] | None,
        Field(description="an address that gets a POST", examples=["https://hooks.example.com/bulkmail"]),
    ] = None
    on: Annotated[
        Many[Occasion], BeforeValidator(listed), Field(description="when", examples=[["start", "stopped", "end"]])
    ] = ("start", "stopped", "end")
