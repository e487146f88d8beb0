"""A real HTTPS server on loopback that gives MTA-STS policies, well or badly: it says the bytes that it is given."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading

WHOLE = "version: STSv1\r\nmode: enforce\r\nmx: *.shop.test\r\nmax_age: 604800\r\n"


def answer(text: str = WHOLE, status: str = "200 OK", media: str = "text/plain", more: str = "") -> bytes:
    body = text.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {media}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


class PolicyHost:
    """``says``: what is said to a request; None: nothing, until the client leaves. ``asked``: the requests' heads."""

    def __init__(self, context: ssl.SSLContext, says: bytes | None, ip: str = "127.0.0.1", port: int = 0) -> None:
        self.says = says
        self.asked: list[str] = []
        self.handshakes = 0
        self._context = context
        self._listener = socket.create_server((ip, port))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(30)
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        self.handshakes += 1
        with self._context.wrap_socket(connection, server_side=True) as secure:
            head = b""
            while b"\r\n\r\n" not in head:
                more = secure.recv(4096)
                if not more:
                    return
                head += more
            self.asked.append(head.decode())
            if self.says is None:
                secure.recv(1)
            else:
                secure.sendall(self.says)
