"""Whether a mail server can be reached from this machine: connected to, its greeting read, and left again."""

from __future__ import annotations

import asyncio
import contextlib
import os

from bulkmail.net.proxying import SOCKS_GREETING, Proxy, SocksClient, header

_LONGEST = 2048  # bytes of a greeting


class UnreachableError(Exception):
    """The server cannot be reached, or greets with something else than SMTP; the text says why."""


async def greeting(
    ip: str, port: int, within: float, *, silent: bool = False, source_ip: str = "", proxy: Proxy | None = None
) -> str:
    """Connect, read the first line, say QUIT, and return the line. Raises UnreachableError.

    ``within``: seconds in all. ``silent``: the server says nothing before TLS, so that being connected is enough.
    ``source_ip``: the address to connect from, "" for the one that the system chooses; with a ``proxy`` it is that's.
    """
    try:
        async with asyncio.timeout(within):
            if proxy is not None:
                return await _greeted_through(proxy, source_ip, ip, port)
            own = (source_ip, 0) if source_ip else None
            return await _greeted(
                *await asyncio.open_connection(ip, port, limit=_LONGEST, local_addr=own), silent=silent
            )
    except TimeoutError:
        raise UnreachableError(f"no answer within {within:g} s") from None
    except OSError as error:
        raise UnreachableError(os.strerror(error.errno).lower() if error.errno else str(error)) from None
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        raise UnreachableError("it does not greet with one line") from None


async def _greeted_through(proxy: Proxy, source_ip: str, ip: str, port: int) -> str:
    try:
        reader, writer = await asyncio.open_connection(proxy.ip, proxy.port, limit=_LONGEST)
    except OSError as error:
        why = os.strerror(error.errno).lower() if error.errno else str(error)
        raise UnreachableError(f"the proxy {proxy} cannot be connected to: {why}") from None
    try:
        begun = b""
        if proxy.protocol == "haproxy":
            writer.write(header(source_ip, ip, port))
        else:
            begun = await _asked(proxy, SocksClient(ip, port), reader, writer)
    except BaseException:
        writer.close()
        raise
    try:
        return await _greeted(reader, writer, begun)
    except asyncio.IncompleteReadError:
        raise UnreachableError(f"the proxy {proxy} closes without a greeting") from None


async def _asked(proxy: Proxy, socks: SocksClient, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Have a SOCKS proxy connect; return what came behind its answer."""
    writer.write(SOCKS_GREETING)
    while not socks.connected:
        data = await reader.read(_LONGEST)
        if not data:
            raise UnreachableError(f"the proxy {proxy}: it has closed the connection")
        writer.write(socks.receive(data))
        if socks.failure:
            told = f"the proxy {proxy}: {socks.failure}"
            raise UnreachableError(told if socks.blames_proxy else f"{socks.failure} (told by the proxy {proxy})")
    return socks.rest


async def _greeted(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, begun: bytes = b"", *, silent: bool = False
) -> str:
    """Read the greeting, of which ``begun`` has come already, and say QUIT."""
    try:
        if silent:
            return ""
        line = begun if b"\n" in begun else begun + await reader.readuntil(b"\n")
        writer.write(b"QUIT\r\n")
        await writer.drain()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    text = line.partition(b"\n")[0].decode("ascii", "replace").strip()
    if not text.startswith("220"):
        raise UnreachableError(f"it greets with {text[:120]!r}")
    return text
