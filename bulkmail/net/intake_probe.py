"""Whether a mail server takes mail to some addresses, and how well its certificate is: asked as another server would.

Nothing is sent: the dialogue ends behind RCPT. The certificate is looked at twice where it is not valid, for a
handshake that fails by it tells nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import Sequence
from typing import NamedTuple

from cryptography.x509 import load_der_x509_certificate

from bulkmail.net.probe import UnreachableError

_LONGEST = 2048  # bytes of a line
_LINES = 100  # of one reply


class Intake(NamedTuple):
    """What a mail server answered.

    ``replies``: to RCPT for each address asked about, in order, as ``250 2.1.5 Ok``. ``tls``: whether STARTTLS was
    done. ``certificate``: why its certificate is not valid for the name; "" where it is. ``expires``: when that ends,
    epoch seconds; 0.0 without TLS.
    """

    greeting: str
    replies: tuple[str, ...]
    tls: bool = False
    certificate: str = ""
    expires: float = 0.0


async def intake(
    ip: str, port: int, name: str, recipients: Sequence[str], within: float, *, hostname: str = "localhost"
) -> Intake:
    """Ask the server at ``ip``, whose certificate is to be for ``name``, about ``recipients``. Raises UnreachableError.

    ``within``: seconds in all. ``hostname``: what we call ourselves in EHLO.
    """
    try:
        async with asyncio.timeout(within):
            try:
                return await _dialogue(ip, port, name, recipients, hostname, ssl.create_default_context())
            except ssl.SSLCertVerificationError as error:
                context = ssl.create_default_context()
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it sends nothing that is secret
                found = await _dialogue(ip, port, name, recipients, hostname, context)
                return found._replace(certificate=error.verify_message)
    except TimeoutError:
        raise UnreachableError(f"no answer within {within:g} s") from None
    except ssl.SSLError as error:
        raise UnreachableError(f"its TLS fails ({error.reason or error})") from None
    except OSError as error:
        raise UnreachableError(os.strerror(error.errno).lower() if error.errno else str(error)) from None
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        raise UnreachableError("it closes the connection, or says something else than SMTP") from None


class _Talk:
    """One connection: commands out, whole replies in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def reply(self) -> list[str]:
        """Return the lines of the next reply."""
        lines: list[str] = []
        while len(lines) < _LINES:
            line = (await self._reader.readuntil(b"\n")).decode("ascii", "replace").strip()
            lines.append(line)
            if line[3:4] != "-":
                return lines
        raise asyncio.LimitOverrunError("too many lines", 0)

    async def ask(self, command: str) -> list[str]:
        self.writer.write(f"{command}\r\n".encode())
        await self.writer.drain()
        return await self.reply()


async def _dialogue(
    ip: str, port: int, name: str, recipients: Sequence[str], hostname: str, context: ssl.SSLContext
) -> Intake:
    reader, writer = await asyncio.open_connection(ip, port, limit=_LONGEST)
    talk = _Talk(reader, writer)
    try:
        greeted = (await talk.reply())[-1]
        if not greeted.startswith("220"):
            raise UnreachableError(f"it greets with {greeted[:120]!r}")
        offered = await talk.ask(f"EHLO {hostname}")
        tls, expires = any(line[4:].upper() == "STARTTLS" for line in offered), 0.0
        if tls:
            said = (await talk.ask("STARTTLS"))[-1]
            if not said.startswith("220"):
                raise UnreachableError(f"it answers STARTTLS with {said[:120]!r}")
            await writer.start_tls(context, server_hostname=name)
            expires = _expires(writer)
            await talk.ask(f"EHLO {hostname}")
        await talk.ask("MAIL FROM:<>")
        replies = [(await talk.ask(f"RCPT TO:<{recipient}>"))[-1] for recipient in recipients]
        writer.write(b"QUIT\r\n")
        await writer.drain()
        return Intake(greeted, tuple(replies), tls, "", expires)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _expires(writer: asyncio.StreamWriter) -> float:
    shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return load_der_x509_certificate(shown).not_valid_after_utc.timestamp()
