"""The file of an MTA-STS policy: one GET over HTTPS from ``mta-sts.<domain>`` (RFC 8461 3.3).

The certificate must be valid for that name, by the system's authorities (SSL_CERT_FILE names others). No redirection is
followed, no other media type than text/plain is read, and nothing longer than 64 KiB. Which addresses are connected to
is the caller's: who owns the domain owns what its names lead to.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import Sequence
from functools import cache

PATH = "/.well-known/mta-sts.txt"

_LONGEST = 65536  # bytes of a policy
_LONGEST_HEADER = 16384
_CONNECT = 10.0  # seconds for one address, the handshake included
_PORT = 443


class NoPolicyError(Exception):
    """There is no policy to be had; the text says why."""


@cache
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()


async def fetch(host: str, addresses: Sequence[str], port: int = _PORT) -> str:
    """Return the policy file of the host at the first of its addresses that answers. Raises NoPolicyError."""
    problem = "it has no address"
    for address in addresses:
        try:
            async with asyncio.timeout(_CONNECT):
                reader, writer = await asyncio.open_connection(
                    address, port, ssl=_context(), server_hostname=host, limit=_LONGEST_HEADER
                )
        except TimeoutError:
            problem = f"{address}: no answer within {_CONNECT:g} s"
        except ssl.SSLCertVerificationError as error:
            problem = f"{address}: its certificate is not valid for {host} ({error.verify_message})"
        except ssl.SSLError as error:
            problem = f"{address}: {error.reason or error}"
        except OSError as error:
            problem = f"{address}: {os.strerror(error.errno).lower() if error.errno else error}"
        else:
            return await _ask(reader, writer, host if port == _PORT else f"{host}:{port}")
    raise NoPolicyError(problem)


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> str:
    lines = f"GET {PATH} HTTP/1.1", f"Host: {host}", "User-Agent: bulkmail", "Accept: text/plain", "Connection: close"
    try:
        writer.write("\r\n".join([*lines, "", ""]).encode("ascii"))
        status, header = await _head(reader)
        if status != 200:
            raise NoPolicyError(f"HTTP status {status}")
        media = header.get("content-type", "")
        if media.partition(";")[0].strip().lower() != "text/plain":
            raise NoPolicyError(f"its media type is {media[:60]!r}, not text/plain")
        return (await _body(reader, header)).decode("utf-8")
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
        raise NoPolicyError(f"what it answers is not HTTP, or ends too early ({error})") from None
    finally:
        writer.close()
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Read the status and the header, names in lower case; of two equal names the first counts."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
        raise ValueError(first[:60])
    header: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        header.setdefault(name.lower(), value.strip())
    return int(rest[:3]), header


async def _body(reader: asyncio.StreamReader, header: dict[str, str]) -> bytes:
    """Read the body, however its end is told (RFC 9112 6)."""
    body = bytearray()
    if header.get("transfer-encoding", "").lower() == "chunked":
        while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0].strip(), 16):
            body += await reader.readexactly(_fits(len(body) + size) - len(body))
            await reader.readexactly(2)
        return bytes(body)
    length = header.get("content-length")
    if length is not None:
        return await reader.readexactly(_fits(int(length)))
    while more := await reader.read(_LONGEST):
        body += more
        _fits(len(body))
    return bytes(body)


def _fits(size: int) -> int:
    if size > _LONGEST:
        raise NoPolicyError(f"it is longer than {_LONGEST} bytes")
    if size < 0:
        raise ValueError("a size below nothing")
    return size
