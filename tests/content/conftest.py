from __future__ import annotations

import json
import re
from base64 import encodebytes
from binascii import a2b_qp, b2a_qp
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jinja2 import Environment, StrictUndefined

from bulkmail.content import bulk, headers
from bulkmail.content.compose import Composer
from bulkmail.content.message import MessageTemplate
from bulkmail.mail import message_id, parse_address, token


def _pem(key: Any) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.fixture(scope="session")
def rsa_pem() -> bytes:
    return _pem(rsa.generate_private_key(65537, 2048))


@pytest.fixture(scope="session")
def ed25519_pem() -> bytes:
    return _pem(ed25519.Ed25519PrivateKey.generate())


@pytest.fixture(scope="session")
def ec_pem() -> bytes:
    return _pem(ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture
def make() -> Callable[..., dict[str, Any]]:
    """A content that is right, with changes."""

    def content(**changes: Any) -> dict[str, Any]:
        return {
            "name": "spring-sale",
            "from": "Example Shop <news@example.com>",
            "subject": "{{ first_name }}, spring is here",
            "html": "<p>Dear {{ first_name }}</p>\n",
            "text": "Dear {{ first_name }}\n",
            "html_name": "body.html.j2",
            "text_name": "body.txt.j2",
            "includes": {},
            "reply_to": None,
            "envelope_from": None,
            "headers": {},
            "unsubscribe": None,
            "attachments": [],
            "defaults": {},
            "columns": [["email", "first_name"]],
            "list_id": "",
            "key": b"k" * 32,
            "dkim": [],
            **changes,
        }

    return content


@pytest.fixture
def compose(make: Callable[..., dict[str, Any]]) -> Callable[..., bytes]:
    """The message of a single row with these cells after the address."""

    def composed(*cells: str, n: int = 1, email: str = "ann@example.org", **changes: Any) -> bytes:
        content = make(**changes)
        json.dumps(cells)
        return MessageTemplate(content).compose(n, email, 1_795_424_400.25, 0, [email, *cells])

    return composed


@pytest.fixture
def work(make: Callable[..., dict[str, Any]]) -> Callable[..., list[Any]]:
    """Rows of cells through the worker: the answers."""

    def worked(rows: list[list[str]], **changes: Any) -> list[Any]:
        composer = Composer()
        assert composer.handle(("load", 7, make(**changes))) == ("loaded", 7)
        jobs = [
            (100 + n, n, row[0], 1_795_424_400.25, 0, json.dumps(row, ensure_ascii=True))
            for n, row in enumerate(rows, start=1)
        ]
        answers: list[Any] = composer.handle(("compose", 7, jobs))
        return answers

    return worked


def _plainly_encoded(text: str) -> tuple[str, bytes]:
    """A whole text's transfer encoding and wire form, the straightforward way."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.endswith("\n"):
        text += "\n"
    size, eight_bit = len(text.encode()), sum(byte > 127 for byte in text.encode())
    data = text.replace("\n", "\r\n").encode()
    if 3 * (size + 2 * eight_bit) > 4 * size:
        return "base64", encodebytes(data).replace(b"\n", b"\r\n")
    lines = []
    for line in b"\r\n".join(map(_plain_line, data.split(b"\r\n"))).split(b"\r\n"):
        if line.startswith(b"From "):
            lines += [b"=46" + line[1:]] if len(line) <= 74 else [b"=46=", line[1:]]
        else:
            lines.append(line)
    return "quoted-printable", b"\r\n".join(lines)


def _plain_line(text: bytes, column: int = 0) -> bytes:
    """One line in quoted-printable, one line on the wire after the other; a dot in column 0 is ``=2E``."""
    first, soft, _ = b2a_qp(b"x" * column + text + b"\r\n")[column:-2].partition(b"=\r\n")
    if first.startswith(b".") and not column:
        return b"=2E" + _plain_line(text[1:], 3)
    if not soft and column + len(first) > 76:  # a blank at its end, which is encoded without another line end
        return first[:-3] + b"=\r\n" + first[-3:]
    return first + soft + _plain_line(text[len(a2b_qp(first)) :]) if soft else first


def _plainly_composed(content: dict[str, Any], n: int, email: str, date: float, cells: list[str]) -> bytes:
    """The unsigned message to a row, for a content with HTML, text and a one-click URL and without headers of its own.

    The straightforward way: Jinja2 as it comes, whole texts, nothing prepared and nothing kept.
    """

    def render(source: str, *, html: bool = False) -> str:
        environment = Environment(autoescape=html, undefined=StrictUndefined)
        return environment.from_string(source).render(variables)

    key, name = content["key"], token(content["key"], n)
    variables = dict(zip(content["columns"][0], cells, strict=True))
    variables |= {"email": email, "token": name, "campaign": content["name"]}
    variables["unsubscribe_url"] = bulk.link(render(content["unsubscribe"]["url"]))
    display, sender = headers.parse_mailbox(content["from"])
    message = [
        headers.mailbox("From", display, sender),
        headers.mailbox("To", "", parse_address(email)),
        headers.structured("Date", headers.date_text(int(date))),
        headers.structured("Message-ID", message_id(key, n, sender.domain)),
        bulk.ONE_CLICK[1],
        bulk.list_id("", content["name"], sender.domain),
        bulk.feedback_id(token(key, 0)[:8], bulk.slug(content["name"]), "marketing", sender.domain),
        headers.structured("Precedence", "bulk"),
        headers.structured("MIME-Version", "1.0"),
        bulk.list_unsubscribe(variables["unsubscribe_url"]),
    ]
    if subject := render(content["subject"]).strip():
        message.append(headers.unstructured("Subject", subject))
    message.append(f'Content-Type: multipart/alternative;\r\n boundary="=_a{name}"\r\n\r\n'.encode())
    texts = [("plain", render(content["text"])), ("html", render(content["html"], html=True))]
    for kind, text in texts:
        transfer, wire = _plainly_encoded(text)
        fields = f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: {transfer}\r\n"
        message += f"--=_a{name}\r\n{fields}\r\n".encode(), wire
    return b"".join([*message, f"--=_a{name}--\r\n".encode()])


@pytest.fixture(scope="session")
def plainly_encoded() -> Callable[[str], tuple[str, bytes]]:
    return _plainly_encoded


@pytest.fixture(scope="session")
def plainly_composed() -> Callable[..., bytes]:
    return _plainly_composed


@pytest.fixture(scope="session")
def on_the_wire() -> Callable[[bytes], None]:
    """Asserts that any server carries these lines unharmed."""

    def check(body: bytes) -> None:
        assert body.isascii()
        assert not re.search(rb"(?<!\r)\n|\r(?!\n)", body)
        for line in body.split(b"\r\n"):
            assert len(line) <= 76
            assert not line.startswith(b"From ")
            assert not line.startswith(b".")
            assert not line.endswith((b" ", b"\t"))

    return check
