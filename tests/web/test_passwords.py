from __future__ import annotations

import base64
import hashlib

import pytest

from bulkmail.web.passwords import hash_password, is_hash, verify

SALT = bytes(range(16))
KEPT = hash_password("bücher und mehr", SALT)


def test_a_password_is_known_again_and_no_other():
    assert KEPT.startswith("scrypt:15:8:1:")
    assert verify("bücher und mehr", KEPT)
    assert verify("bu\u0308cher und mehr", KEPT)  # the same letters by another keyboard
    assert not verify("bucher und mehr", KEPT)
    assert hash_password("bücher und mehr", SALT[::-1]) != KEPT


def test_a_hash_of_less_work_is_read_by_its_own_numbers():
    derived = hashlib.scrypt(b"password", salt=SALT, n=1 << 12, r=8, p=1, dklen=32)
    kept = f"scrypt:12:8:1:{base64.b64encode(SALT).decode()}:{base64.b64encode(derived).decode()}"
    assert verify("password", kept)
    assert not verify("password", kept.replace(":8:1:", ":8:2:"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "scrypt",
        KEPT + ":",
        KEPT.replace(":15:", ":40:"),
        KEPT[:-9],
        KEPT.replace("scrypt", "md5"),
        "a:b:c:d:e:f",
    ],
)
def test_what_is_no_hash_is_nobodys(text):
    assert not is_hash(text)
    assert not verify("bücher und mehr", text)


def test_a_password_without_end_is_refused_before_any_work():
    assert not verify("x" * 1025, KEPT)
