"""Whether a web page answers, asked as a mail provider asks for it: over https, to one address, without redirection."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from typing import NamedTuple

from bulkmail.net.probe import UnreachableError

_MOST = 256_000  # bytes of an answer


class WebPage(NamedTuple):
    """The answer: its status, and the first 256 kB of what follows the status line, header and all."""

    status: int
    text: str


async def web_page(ip: str, port: int, host: str, path: str, within: float, form: str | None = None) -> WebPage:
    """Ask the server at ``ip`` for ``https://<host><path>``; with ``form`` by POST. Raises UnreachableError.

    ``within``: seconds in all. A certificate that is not valid for ``host`` counts as unreachable: the words say so.
    """
    try:
        async with asyncio.timeout(within):
            return await _asked(ip, port, host, path, form)
    except TimeoutError:
        raise UnreachableError(f"no answer within {within:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise UnreachableError(f"its certificate is not valid for {host} ({error.verify_message})") from None
    except ssl.SSLError as error:
        raise UnreachableError(f"it speaks no TLS that we do ({error.reason or error})") from None
    except OSError as error:
        raise UnreachableError(os.strerror(error.errno).lower() if error.errno else str(error)) from None


async def _asked(ip: str, port: int, host: str, path: str, form: str | None) -> WebPage:
    reader, writer = await asyncio.open_connection(ip, port, ssl=ssl.create_default_context(), server_hostname=host)
    lines = [f"{'GET' if form is None else 'POST'} {path} HTTP/1.1", f"Host: {host}{'' if port == 443 else f':{port}'}"]
    lines += ["User-Agent: bulkmail", "Accept: text/html", "Connection: close"]
    if form is not None:
        lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(form)}"]
    try:
        writer.write("\r\n".join([*lines, "", form or ""]).encode("ascii"))
        await writer.drain()
        data = b""
        while len(data) < _MOST and (more := await reader.read(65_536)):
            data += more
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    status, _, rest = data.partition(b"\r\n")
    version, _, code = status.partition(b" ")
    if not version.startswith(b"HTTP/1.") or not code[:3].isdigit():
        raise UnreachableError(f"it answers with something else than HTTP ({status[:60].decode('ascii', 'replace')!r})")
    return WebPage(int(code[:3]), rest.decode("utf-8", "replace"))
