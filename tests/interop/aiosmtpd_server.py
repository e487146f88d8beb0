"""aiosmtpd, keeping what it takes: ``python aiosmtpd_server.py PORT CERTIFICATES KEPT MESSAGES-A-CONNECTION``."""

from __future__ import annotations

import itertools
import ssl
import sys
import threading
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP


class Keep:
    """Answers by the beginning of the recipient's address (see servers.py), one file for each message."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = itertools.count()

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if address.startswith("bounce"):
            return "550 5.1.1 No such user here"
        if address.startswith("busy"):
            return "451 4.3.0 Please try again later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if envelope.rcpt_tos[0].startswith("reject"):
            return "550 5.7.1 Not wanted here"
        (self._folder / f"{next(self._number)}").write_bytes(envelope.content)
        return "250 2.0.0 OK"


class Tls(Controller):
    """STARTTLS, and a limit to the messages of a connection."""

    def __init__(self, handler: Keep, context: ssl.SSLContext, messages: int, **kwargs: Any) -> None:
        super().__init__(handler, **kwargs)
        self._context = context
        self._messages = messages

    def factory(self) -> SMTP:
        return SMTP(
            self.handler, hostname="mx.interop.test", tls_context=self._context, data_size_limit=50_000_000,
            command_call_limit={"MAIL": self._messages, "*": 100_000},
        )  # fmt: skip


def main() -> None:
    port, certificates, kept, messages = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{certificates}/cert.pem", f"{certificates}/key.pem")
    Tls(Keep(Path(kept)), context, int(messages), hostname="127.0.0.1", port=int(port)).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
