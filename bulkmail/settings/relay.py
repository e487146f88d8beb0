"""The section `relay` of bulkmail.yaml: one server that takes everything, and how we sign in with it.

Secrets stand in files of their own, in the environment, or are what a command prints; never in the settings. They are
read here, once, before privileges are dropped; only a token is read anew, when the relay takes the old one no more.
"""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
import ssl
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PrivateAttr, ValidationInfo, model_validator

from bulkmail.files import read_regular
from bulkmail.mail import AddressError, domain_key
from bulkmail.settings.values import Count, Pace, Port, Reading, Seconds, folder_path, plain_path, preset, warn_readable
from bulkmail.yamlfile import ErrorAt, Line, Many, Section

SECRET_BYTES = 16_000
RELAY_SECRETS = ("password_file", "password_env", "token_file", "token_command")
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", re.ASCII)
_IMPLICIT_PORT, _SUBMISSION_PORT = 465, 587


def secret_of(raw: bytes) -> str:
    """Return the one line of a secret's file. Raises ValueError with a sentence's rest that shows nothing of it."""
    try:
        text = raw.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
    if not text:
        raise ValueError("is empty; it must hold the secret in one line")
    if any(character < " " or character == "\x7f" for character in text):
        raise ValueError("must hold the secret in one line, without control characters")
    return text


def read_secret(path: str) -> str:
    """Return the secret in a file. Raises ValueError with the rest of the sentence."""
    return secret_of(read_regular(path, SECRET_BYTES))


def _secret_file(path: str, info: ValidationInfo) -> str:
    try:
        raw = read_regular(path, SECRET_BYTES)
        secret_of(raw)
        warn_readable(path, "the secret in", info)
    except (ValueError, OSError) as error:
        raise ValueError(f"the file {path} {error}") from None
    if isinstance(info.context, Reading):
        info.context.keys[path] = raw
    return path


def _variable(name: str) -> str:
    try:
        secret_of(os.environ[name].encode())
    except KeyError:
        raise ValueError(f"the environment variable {name[:80]} is not set") from None
    except ValueError as error:
        raise ValueError(f"the environment variable {name} {error}") from None
    return name


def _command(words: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    if not words:
        raise ValueError("must name a program and its arguments, such as [/usr/local/bin/token, smtp]")
    program = words[0]
    found = shutil.which(folder_path(program, info) if "/" in program else program)
    if found is None:
        raise ValueError(f"{program[:200]} is not a program that this user can run")
    return (found, *words[1:])


def _host(text: str) -> str:
    bare = text.removeprefix("[").removesuffix("]")
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        pass
    if re.fullmatch(r"[^:\[\]]+:\d+", text):
        raise ValueError(f"{text!r} has a port; write it under `port`")
    try:
        name = domain_key(text) if "." in text else text.lower()
    except AddressError:
        name = ""
    labels = name.removesuffix(".").split(".")
    if len(name) > 253 or labels[-1].isdigit() or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{text[:80]!r} is neither a host name nor an IP address")
    return ".".join(labels)


def _authorities(path: str) -> str:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        raise ValueError(f"the file {path} holds no certificates in PEM form") from None
    except OSError as error:
        raise ValueError(f"the file {path} cannot be read ({error.strerror})") from None
    return path


Host = Annotated[Line, AfterValidator(_host)]
SecretFile = Annotated[Line, AfterValidator(plain_path), AfterValidator(_secret_file)]


class Relay(Section):
    """Where everything goes. ``tls`` and ``port`` know each other: 465 is for TLS from the start."""

    host: Annotated[Host, Field(description="the relay's name or address", examples=["smtp.example.com"])]
    port: Port = _SUBMISSION_PORT
    tls: Literal["starttls", "implicit", "opportunistic", "off"] = "starttls"
    ca_file: Annotated[Line, AfterValidator(plain_path), AfterValidator(_authorities)] | None = None
    auth: Literal["auto", "plain", "login", "cram-md5", "scram-sha-256", "xoauth2"] = "auto"
    username: Annotated[Line, Field(min_length=1)] | None = None
    password_file: SecretFile | None = None
    password_env: Annotated[Line, AfterValidator(_variable)] | None = None
    token_file: SecretFile | None = None
    token_command: Annotated[Many[Line], AfterValidator(_command)] | None = None
    connections: Count = 10
    messages_per_connection: Count = 100
    rate: Pace = preset("100/s")
    connection_rate: Pace = preset("100/m")
    idle: Seconds = preset("60s")
    _secret: str = PrivateAttr("")

    @model_validator(mode="before")
    @classmethod
    def _completed(cls, given: Any) -> Any:
        """Set the defaults of ``tls`` and ``port``, which depend on each other; refuse a secret in here unread."""
        if not isinstance(given, Mapping):
            return given
        for name in ("password", "token", "secret"):
            if name in given:
                raise ErrorAt(
                    (name,),
                    f"a {name} does not belong in the settings; put it into a file that only this user can read, "
                    f"and name the file: {'token_file' if name == 'token' else 'password_file'}: relay.secret",
                )
        completed = dict(given)
        if "tls" not in given and given.get("port") == _IMPLICIT_PORT:
            completed["tls"] = "implicit"
        if "port" not in given and given.get("tls") == "implicit":
            completed["port"] = _IMPLICIT_PORT
        return completed

    @model_validator(mode="after")
    def _fits(self) -> Relay:
        secrets = [name for name in RELAY_SECRETS if getattr(self, name) is not None]
        if len(secrets) > 1:
            raise ErrorAt((secrets[1],), f"one secret is enough; remove this or {secrets[0]}")
        if self.username is None and secrets:
            raise ErrorAt((secrets[0],), "whose is it? add username")
        if self.username is not None and not secrets:
            raise ErrorAt(("username",), f"nothing to sign in with is given; add one of {', '.join(RELAY_SECRETS)}")
        if self.auth != "auto" and not secrets:
            raise ErrorAt(("auth",), "there is nothing to sign in with; add username and its secret, or remove auth")
        if secrets and (self.auth == "xoauth2") != self.by_token and not (self.by_token and self.auth == "auto"):
            raise ErrorAt(("auth",), "xoauth2 goes with token_file or token_command, the others with a password")
        if secrets and self.tls == "opportunistic":
            words = "opportunistic would sign in over a connection that can be intercepted; write starttls or implicit"
            raise ErrorAt(("tls",), words)
        if secrets and self.tls == "off" and (self.by_token or self.auth in ("plain", "login")):
            raise ErrorAt(("tls",), "without TLS the secret would be sent in clear; write starttls or implicit")
        if self.ca_file is not None and self.tls in ("opportunistic", "off"):
            raise ErrorAt(("ca_file",), f"with tls: {self.tls} no certificate is looked at; remove one of the two")
        return self

    def model_post_init(self, context: Any, /) -> None:
        """Keep the secret that was read while checking."""
        path = self.password_file or self.token_file
        if path is not None:
            known = context.keys if isinstance(context, Reading) else {}
            self._secret = secret_of(known[path]) if path in known else read_secret(path)
        elif self.password_env is not None:
            self._secret = secret_of(os.environ[self.password_env].encode())

    @property
    def secret(self) -> str:
        """The password or token as it was read; ``""`` where a command gives it, or without sign-in."""
        return self._secret

    @property
    def by_token(self) -> bool:
        """Whether we sign in with an access token."""
        return self.token_file is not None or self.token_command is not None
