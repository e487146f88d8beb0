from __future__ import annotations

import ctypes

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from bulkmail.content import eightfold
from bulkmail.content.eightfold import LANES, WORTH, Eightfold, Library, library


def numbers_at(lanes, size):
    return [int.from_bytes(ctypes.string_at(lane, size), "little") for lane in lanes]


def answer(lanes, values, size):
    for lane, value in zip(lanes, values, strict=True):
        ctypes.memmove(lane, value.to_bytes(size, "big"), size)
    return 0


def asked_in(lanes, size):
    return [int.from_bytes(ctypes.string_at(lane, size), "big") for lane in lanes]


def private(asked, given, p, q, dp, dq, iq, bits, method, buffer):
    """What crypto_mb's function of that name is documented to do (RFC 8017 5.1.2), in plain numbers."""
    assert method is buffer is None
    size = bits // 8
    values = []
    halves = zip(*[numbers_at(lanes, size // 2) for lanes in (p, q, dp, dq, iq)], strict=True)
    for message, (p1, q1, dp1, dq1, iq1) in zip(asked_in(asked, size), halves, strict=True):
        first, second = pow(message, dp1, p1), pow(message, dq1, q1)
        values.append(second + q1 * ((first - second) * iq1 % p1))
    return answer(given, values, size)


def public(asked, given, n, bits, method, buffer):
    assert method is buffer is None
    size = bits // 8
    pairs = zip(asked_in(asked, size), numbers_at(n, size), strict=True)
    return answer(given, [pow(value, 65537, n1) for value, n1 in pairs], size)


WRITTEN_OUT = Library(private, public)
LIBRARIES = [WRITTEN_OUT, *filter(None, [library()])]


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(params=LIBRARIES, ids=["written out", "crypto_mb"][: len(LIBRARIES)])
def functions(request, monkeypatch):
    monkeypatch.setattr(eightfold, "library", lambda: request.param)
    return request.param


def by_openssl(key, data):
    return [key.sign(one, padding.PKCS1v15(), hashes.SHA256()) for one in data]


@pytest.mark.parametrize("count", [0, 1, WORTH - 1, WORTH, LANES, LANES + 1, LANES + WORTH, 2 * LANES])
def test_the_same_bytes_as_one_by_one(functions, key, count):
    signing = Eightfold.load(key)
    assert signing is not None
    data = [b"message %d" % n * n for n in range(count)]
    assert signing.sign(data) == by_openssl(key, data)


@pytest.mark.parametrize("bits", [1024, 4096])
def test_other_sizes(functions, bits):
    key = rsa.generate_private_key(65537, bits)
    data = [b"%d" % n for n in range(LANES)]
    assert Eightfold.load(key).sign(data) == by_openssl(key, data)


def test_a_wrong_signature_never_leaves(key):
    broken = []

    def sometimes_wrong(asked, given, *rest):
        private(asked, given, *rest)
        ctypes.memset(given[5], 1, 1)
        broken.append(True)
        return 0

    data = [b"%d" % n for n in range(LANES)]
    assert Eightfold(key, Library(sometimes_wrong, public)).sign(data) == by_openssl(key, data)
    assert broken


def test_a_lane_that_the_library_gives_up(key):
    data = [b"%d" % n for n in range(LANES)]
    assert Eightfold(key, Library(lambda *_: 1 << 8, public)).sign(data) == by_openssl(key, data)
    assert Eightfold(key, Library(private, lambda *_: 1)).sign(data) == by_openssl(key, data)


def test_not_every_key(functions, monkeypatch):
    assert Eightfold.load(rsa.generate_private_key(3, 2048)) is None  # the library verifies with 65537 only
    assert Eightfold.load(rsa.generate_private_key(65537, 1536)) is None
    monkeypatch.setattr(eightfold, "library", lambda: None)
    assert Eightfold.load(rsa.generate_private_key(65537, 2048)) is None


def test_a_library_that_is_not_what_it_should_be(key, monkeypatch):
    monkeypatch.setattr(eightfold, "library", lambda: Library(lambda *_: 0, lambda *_: 0))
    assert Eightfold.load(key) is None
    monkeypatch.undo()
    library.cache_clear()
    try:
        monkeypatch.setattr(eightfold, "_LIBRARY", "no-such-library.so")
        assert library() is None
    finally:
        library.cache_clear()
