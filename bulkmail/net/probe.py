"""Whether a mail server can be reached from this machine: connected to, its greeting read, and left again."""

from __future__ import annotations

import asyncio
import contextlib
import os

_LONGEST = 2048  # bytes of a greeting


class UnreachableError(Exception):
    """The server cannot be reached, or greets with something else than SMTP; the text says why."""


async def greeting(ip: str, port: int, within: float, *, silent: bool = False) -> str:
    """Connect, read the first line, say QUIT, and return the line. Raises UnreachableError.

    ``within``: seconds in all. ``silent``: the server says nothing before TLS, so that being connected is enough.
    """
    try:
        async with asyncio.timeout(within):
            return await _greeted(ip, port, silent=silent)
    except TimeoutError:
        raise UnreachableError(f"no answer within {within:g} s") from None
    except OSError as error:
        raise UnreachableError(os.strerror(error.errno).lower() if error.errno else str(error)) from None
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        raise UnreachableError("it does not greet with one line") from None


async def _greeted(ip: str, port: int, *, silent: bool) -> str:
    reader, writer = await asyncio.open_connection(ip, port, limit=_LONGEST)
    try:
        if silent:
            return ""
        line = await reader.readuntil(b"\n")
        writer.write(b"QUIT\r\n")
        await writer.drain()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    text = line.decode("ascii", "replace").strip()
    if not text.startswith("220"):
        raise UnreachableError(f"it greets with {text[:120]!r}")
    return text
