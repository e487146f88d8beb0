from __future__ import annotations

import ctypes

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from bulkmail.content import rsa_batch
from bulkmail.content.rsa_batch import BATCH_MIN, LANES, BatchSigner, CryptoMb, crypto_mb


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


WRITTEN_OUT = CryptoMb(private, public)
LIBRARIES = [WRITTEN_OUT, *filter(None, [crypto_mb()])]


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(params=LIBRARIES, ids=["written out", "crypto_mb"][: len(LIBRARIES)])
def functions(request, monkeypatch):
    monkeypatch.setattr(rsa_batch, "crypto_mb", lambda: request.param)
    return request.param


def by_openssl(key, data):
    return [key.sign(one, padding.PKCS1v15(), hashes.SHA256()) for one in data]


@pytest.mark.parametrize("count", [0, 1, BATCH_MIN - 1, BATCH_MIN, LANES, LANES + 1, LANES + BATCH_MIN, 2 * LANES])
def test_the_same_bytes_as_one_by_one(functions, key, count):
    signing = BatchSigner.load(key)
    assert signing is not None
    data = [b"message %d" % n * n for n in range(count)]
    assert signing.sign(data) == by_openssl(key, data)


@pytest.mark.heavy
@pytest.mark.parametrize("bits", [1024, 4096])
def test_other_sizes(functions, bits):
    key = rsa.generate_private_key(65537, bits)
    data = [b"%d" % n for n in range(LANES)]
    assert BatchSigner.load(key).sign(data) == by_openssl(key, data)


def test_a_wrong_signature_never_leaves(key):
    broken = []

    def sometimes_wrong(asked, given, *rest):
        private(asked, given, *rest)
        ctypes.memset(given[5], 1, 1)
        broken.append(True)
        return 0

    data = [b"%d" % n for n in range(LANES)]
    assert BatchSigner(key, CryptoMb(sometimes_wrong, public)).sign(data) == by_openssl(key, data)
    assert broken


def test_a_lane_that_the_library_gives_up(key):
    data = [b"%d" % n for n in range(LANES)]
    assert BatchSigner(key, CryptoMb(lambda *_: 1 << 8, public)).sign(data) == by_openssl(key, data)
    assert BatchSigner(key, CryptoMb(private, lambda *_: 1)).sign(data) == by_openssl(key, data)


def test_not_every_key(functions, monkeypatch):
    assert BatchSigner.load(rsa.generate_private_key(3, 2048)) is None  # the library verifies with 65537 only
    assert BatchSigner.load(rsa.generate_private_key(65537, 1536)) is None
    monkeypatch.setattr(rsa_batch, "crypto_mb", lambda: None)
    assert BatchSigner.load(rsa.generate_private_key(65537, 2048)) is None


def test_a_library_that_is_not_what_it_should_be(key, monkeypatch):
    monkeypatch.setattr(rsa_batch, "crypto_mb", lambda: CryptoMb(lambda *_: 0, lambda *_: 0))
    assert BatchSigner.load(key) is None
    monkeypatch.undo()
    crypto_mb.cache_clear()
    try:
        monkeypatch.setattr(rsa_batch, "_LIBRARY", "no-such-library.so")
        assert crypto_mb() is None
    finally:
        crypto_mb.cache_clear()
