"""The page behind nginx, with the very configuration that docs/unsubscribe.md shows."""

from __future__ import annotations

import contextlib
import http.client
import os
import platform
import re
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.servers import FETCHED, write_certificate
from tests.ports import free_port
from tests.public.known import RIGHT, WRONG

pytestmark = [pytest.mark.loopback, pytest.mark.process, pytest.mark.interop]

TREE = FETCHED / "nginx"
NGINX = TREE / "usr/sbin/nginx"
PAGE = Path(__file__).parent.parent.parent / "docs" / "unsubscribe.md"
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
LETSENCRYPT = "/etc/letsencrypt/live/mail.example.com/"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ONE_CLICK = "List-Unsubscribe=One-Click"


class Proxied:
    """The page behind nginx: its calls, and what a client gets on the proxy's port."""

    def __init__(self, page: Any, port: int) -> None:
        self.page = page
        self._port = port

    def ask(self, method: str, path: str, body: Any = None, **fields: str) -> int:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=60, context=context)
        with contextlib.closing(connection):
            headers = (
                FORM | {"Host": "mail.example.com"} | {name.replace("_", "-"): text for name, text in fields.items()}
            )
            connection.request(method, path, body, headers)  # an iterator goes out in chunks
            with connection.getresponse() as response:
                response.read()
                return response.status


@pytest.fixture
def proxied(
    serving: Callable[..., Any], tmp_path: Path, missing: Callable[[str], None], until: Callable[..., Any], end: Any
) -> Iterator[Proxied]:
    if not NGINX.exists():
        missing("nginx is not there (scripts/servers)")
    page, port = serving(client_rate="1/s,burst=40"), free_port()
    write_certificate(tmp_path)
    shown = re.search(r"```nginx\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert shown is not None
    server = shown[1]
    for there, here in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        (f"{LETSENCRYPT}fullchain.pem", str(tmp_path / "cert.pem")),
        (f"{LETSENCRYPT}privkey.pem", str(tmp_path / "key.pem")),
        ("127.0.0.1:8026", f"127.0.0.1:{page.port}"),
    ):
        assert there in server
        server = server.replace(there, here)
    places = "".join(f"{name}_temp_path {tmp_path}/{name}; " for name in TEMPORARY)
    written = tmp_path / "nginx.conf"
    written.write_text(
        f"daemon off; master_process off; pid {tmp_path}/pid; error_log {tmp_path}/error.log;\n"
        f"events {{}}\nhttp {{ {places}\n{server} }}\n"
    )
    libraries = f"{TREE}/usr/lib/{platform.machine()}-linux-gnu"
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen(
            [str(NGINX), "-p", str(tmp_path), "-e", str(tmp_path / "error.log"), "-c", str(written)],
            stderr=said,
            env={**os.environ, "LD_LIBRARY_PATH": libraries},
        )
    try:
        found = Proxied(page, port)

        def up() -> bool:
            assert process.poll() is None, (tmp_path / "said").read_text() + (tmp_path / "error.log").read_text()
            try:
                return found.ask("GET", "/u/a/b") == 404
            except ConnectionError:
                return False

        until(up, "nginx")
        yield found
    finally:
        end(process)


def test_one_click_comes_through_in_every_form(proxied: Proxied) -> None:
    link = f"/u/{RIGHT}"
    assert proxied.ask("GET", link) == proxied.ask("HEAD", link) == 200
    assert {call[0] for call in proxied.page.asked()} == {"find"}
    multipart = f'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\n{"One-Click"}\r\n--x--\r\n'
    assert proxied.ask("POST", link, ONE_CLICK) == 200
    assert proxied.ask("POST", link, iter([b"List-Unsub", b"scribe=One-Click"])) == 200
    assert proxied.ask("POST", link, multipart, Content_Type="multipart/form-data; boundary=x") == 200
    written = [call for call in proxied.page.asked() if call[0] != "find"]
    assert written == [["unsubscribe", RIGHT, "one-click"]] * 3


def test_what_is_not_to_come_through(proxied: Proxied) -> None:
    assert proxied.ask("PUT", f"/u/{RIGHT}", ONE_CLICK) == 405
    assert proxied.ask("POST", f"/u/{RIGHT}", "x" * 20_000) == 413
    assert proxied.ask("GET", "/") == 404
    assert not proxied.page.asked()


def test_a_client_cannot_pretend_to_be_many(proxied: Proxied) -> None:
    statuses = [proxied.ask("GET", f"/u/{WRONG}", X_Forwarded_For=f"192.0.2.{n}") for n in range(40)]
    assert statuses[0] == 200
    assert 429 in statuses
