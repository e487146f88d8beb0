from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from bulkmail.content.compose import Composer, Letter


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
        return Letter(content).compose(n, email, 1_795_424_400.25, 0, [email, *cells])

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
