"""The kinds of values in bulkmail.yaml: checked, and brought into the form that the house works with."""

from __future__ import annotations

import ipaddress
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
)

from bulkmail.files import open_regular, read_regular
from bulkmail.mail import AddressError, Rate, UnitError, domain_key, parse_duration, parse_rate
from bulkmail.yamlfile import Line, Many, YamlFile

KEY_BYTES = 64_000
_Value = TypeVar("_Value")


@dataclass
class Reading:
    """What validators know of the file they read for, and what they found by the way."""

    folder: str = ""
    file: YamlFile | None = None
    warnings: dict[str, str] = field(default_factory=dict)  # key file -> what is risky about it
    keys: dict[str, bytes] = field(default_factory=dict)  # key file -> its content


def _reading(info: ValidationInfo) -> Reading:
    return info.context if isinstance(info.context, Reading) else Reading()


def preset(value: Any) -> Any:
    """Return a default as a person would write it; it goes through the same checks as a written one."""
    return Field(default=value, validate_default=True)


def _or_value_error(parse: Callable[[Any], _Value]) -> Callable[[Any], _Value]:
    """Return ``parse`` with its house errors as ValueError, which pydantic collects."""

    def checked(value: Any) -> _Value:
        try:
            return parse(value)
        except (AddressError, UnitError) as error:
            raise ValueError(str(error)) from None

    return checked


def plain_path(text: str, info: ValidationInfo) -> str:
    """Return an absolute path; relative ones start at the settings file."""
    if not text:
        raise ValueError("must name a file or folder, not nothing")
    if text.startswith("~"):
        raise ValueError("~ is not expanded; write the whole path")
    return folder_path(text, info)


def folder_path(text: str, info: ValidationInfo) -> str:
    """Return the path from the settings file's folder."""
    return os.path.abspath(os.path.join(_reading(info).folder, text))


def warn_readable(path: str, what: str, info: ValidationInfo) -> None:
    """Note it where other users, or a group that others may be in, can read ``what`` in this file. Raises OSError.

    A file of root's that our group, or root's, can read is how a service is given one (systemd does it so, by an ACL).
    """
    found = os.stat(path)
    who = ""
    if found.st_mode & stat.S_IROTH:
        who = "every user of this machine"
    elif found.st_mode & stat.S_IRGRP and not (found.st_uid == 0 and found.st_gid in (0, os.getegid())):
        who = "every user of the file's group"
    if who:
        _reading(info).warnings[path] = f"{who} can read {what} {path}; run chmod 600 on it"


def _file(path: str) -> str:
    try:
        os.close(open_regular(path))
    except ValueError as error:
        raise ValueError(f"the file {path} {error}") from None
    return path


def _key_file(path: str, info: ValidationInfo) -> str:
    try:
        _reading(info).keys[path] = read_regular(path, KEY_BYTES)
        warn_readable(path, "the private key", info)
    except (ValueError, OSError) as error:
        raise ValueError(f"the key file {path} {error}") from None
    return path


def _spool(text: str, info: ValidationInfo) -> str:
    if text.startswith(("postgresql://", "postgres://")):
        return text
    if "://" in text:
        raise ValueError("must be a folder, such as ./spool, or postgresql://user@host/database")
    return _folder(text, info)


def _folder(text: str, info: ValidationInfo) -> str:
    if "://" in text:
        raise ValueError("must be a folder, such as ./machine")
    path = plain_path(text, info)
    if os.path.lexists(path) and not os.path.isdir(path):
        raise ValueError(f"must be a folder, but {path} is something else")
    return path


def _library(text: str, info: ValidationInfo) -> str:
    path = plain_path(text, info)
    if not os.path.isdir(path):
        raise ValueError(f"must be a folder, and there is none at {path}")
    return path


def _machine_name(text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62})", text, re.ASCII) is None:
        raise ValueError(f"{text!r} is not a machine's name; it is letters, digits, dots and hyphens, such as mta1")
    return text


def _lease_time(seconds: float) -> float:
    if not 3.0 <= seconds <= 600.0:
        raise ValueError("must be from 3s to 10m")
    return seconds


def _nameserver(text: str) -> str:
    """Return ``ip``, ``ip:port`` or ``[ip]:port``, always given back with the port."""
    found = re.fullmatch(r"\[([^\]]*)\](?::(\d{1,5}))?|([^:]*)(?::(\d{1,5}))?", text, re.ASCII)
    host, port = (found[1] or found[3], found[2] or found[4] or "53") if found else (text, "53")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(f"{text!r} is not a name server; write an IP address, such as 127.0.0.1:53") from None
    if not 1 <= int(port) <= 65535:
        raise ValueError(f"{text!r}: the port must be from 1 to 65535")
    return f"[{address}]:{int(port)}" if address.version == 6 else f"{address}:{int(port)}"


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        pass
    try:
        near = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is not a network; write it like 127.0.0.0/8 or fd00::/8") from None
    raise ValueError(f"{text!r} has bits set behind its prefix; did you mean {near}?")


def parse_selector(text: str) -> str:
    """Return a DKIM selector (RFC 6376 3.1). Raises ValueError."""
    name, found, _ = text.lower().partition("._domainkey")
    if found:
        raise ValueError(f"{text!r} is the name of the DNS record; the selector is what stands before it: {name}")
    if re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", text, re.ASCII) is None:
        raise ValueError(f"{text!r} is not a DKIM selector; it is letters, digits and hyphens, such as s1")
    return text


def suffix(text: str) -> str:
    """Return the end of an MX host name, in small letters. Raises ValueError."""
    bare = text.removeprefix(".")
    if re.fullmatch(r"(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z0-9-]{1,63}", bare, re.ASCII) is None:
        raise ValueError(f"{text!r} is not the end of an MX host name, such as .protection.outlook.com")
    return text.lower()


def _processes(value: Any) -> Any:
    if value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 256):
        return value
    raise ValueError("must be auto or a whole number from 1 to 256")


def _shares(value: Any) -> Any:
    if value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 100):
        return value
    raise ValueError("must be auto or a whole number from 1 to 100")


def _filled(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise ValueError("must not be empty; remove the key to get the default")
    return values


_DURATION = {"type": "string", "pattern": r"^\s*\d{1,9}(\.\d{1,3})?(ms|s|m|h|d)\s*$"}
_RATE = {"type": "string", "pattern": r"^\s*\d{1,9}/(s|m|h|d)(,\s*burst=\d{1,9})?\s*$"}
_AUTO = {"anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 1, "maximum": 256}]}
_SHARES = {"anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 1, "maximum": 100}]}

Seconds = Annotated[float, PlainValidator(_or_value_error(parse_duration)), WithJsonSchema(_DURATION)]
Shares = Annotated[Literal["auto"] | int, PlainValidator(_shares), WithJsonSchema(_SHARES)]
Pace = Annotated[Rate, PlainValidator(_or_value_error(parse_rate)), PlainSerializer(str), WithJsonSchema(_RATE)]
Waits = Annotated[Many[Seconds], AfterValidator(_filled)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Port = Annotated[int, Field(ge=1, le=65535)]
Processes = Annotated[Literal["auto"] | int, PlainValidator(_processes), WithJsonSchema(_AUTO)]
TlsMode = Literal["off", "opportunistic", "required", "verify"]
Domain = Annotated[Line, AfterValidator(_or_value_error(domain_key))]
Nameservers = Annotated[Many[Annotated[str, AfterValidator(_nameserver)]], AfterValidator(_filled)]
Networks = Many[Annotated[str, AfterValidator(_network)]]
Suffixes = Annotated[Many[Annotated[str, AfterValidator(suffix)]], AfterValidator(_filled)]
Selector = Annotated[str, AfterValidator(parse_selector)]
ListFile = Annotated[Line, AfterValidator(plain_path), AfterValidator(_file)]
KeyFile = Annotated[Line, AfterValidator(plain_path), AfterValidator(_key_file)]
SpoolPlace = Annotated[Line, AfterValidator(_spool)]
Library = Annotated[Line, AfterValidator(_library)]
OwnFolder = Annotated[Line, AfterValidator(_folder)]
MachineName = Annotated[Line, AfterValidator(_machine_name)]
LeaseTime = Annotated[Seconds, AfterValidator(_lease_time)]


def _program(text: str) -> str:
    if not os.path.isabs(text):
        raise ValueError(f"{text!r} must be the absolute path of a program")
    if not os.access(text, os.X_OK) or os.path.isdir(text):
        raise ValueError(f"{text} is not a program that can be run")
    return text


def _url_prefix(text: str) -> str:
    if re.fullmatch(r"https://[^/?#@\s]+/[^?#\s]*", text) or re.fullmatch(
        r"http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?/[^?#\s]*", text
    ):
        return text
    raise ValueError(
        f"{text!r} must begin with https:// and have a / behind the host, such as https://hooks.example.com/"
    )


Program = Annotated[Line, AfterValidator(_program)]
UrlPrefix = Annotated[Line, AfterValidator(_url_prefix)]


NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,49}", re.ASCII)
"""The names that operators give to routes, sources and pools."""


def name_of(what: str, example: str) -> Callable[[str], str]:
    """Return what checks the name of such a thing (`NAME`)."""

    def check(text: str) -> str:
        if NAME.fullmatch(text) is None:
            raise ValueError(
                f"{text!r} is not a {what}'s name; use small letters, digits and hyphens, such as {example}"
            )
        return text

    return check
