from __future__ import annotations

import contextlib
import hashlib
import marshal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.spool.stored import fingerprint, restore, store, without_keys

SIMPLE = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary(max_size=20)
)
VALUES = st.recursive(
    SIMPLE, lambda of: st.one_of(st.lists(of), st.dictionaries(st.text() | st.just("$"), of)), max_leaves=20
)


@given(VALUES)
def test_what_is_stored_is_restored(value):
    assert restore(store(value)) == value


@given(VALUES)
def test_what_an_earlier_version_stored_is_restored(value):
    assert restore(marshal.dumps(value, 4)) == value


def test_tuples_and_shared_parts_of_an_earlier_version():
    pem = b"-----BEGIN"
    value = {"a": (1, "x", pem), "b": [pem, "x", "x" * 300, "ü", "\udcff"], "c": 1 << 80, "d": -(1 << 80)}
    assert restore(marshal.dumps(value, 4)) == value
    assert restore(store({"a": (1, 2)})) == {"a": [1, 2]}


@given(st.binary())
def test_any_bytes_are_a_value_or_a_valueerror(data):
    with contextlib.suppress(ValueError):
        restore(data)


@given(VALUES, st.integers(0, 200), st.integers(0, 255))
def test_damaged_bytes_are_a_value_or_a_valueerror(value, place, byte):
    data = bytearray(marshal.dumps(value, 4))
    data[place % len(data)] = byte
    with contextlib.suppress(ValueError):
        restore(bytes(data))


@pytest.mark.parametrize(
    "data",
    [
        marshal.dumps(compile("1", "x", "eval")),
        marshal.dumps({1: 2}),
        marshal.dumps(1j),
        b"r\0\0\0\0",
        b"(\xff\xff\xff\xff",
        b"[\x01\0\0\0" * 5000,
        b"json:" + b"[" * 100_000,
        b"json:{",
        b"",
    ],
)
def test_what_is_no_plain_data_is_refused(data):
    with pytest.raises(ValueError, match=r"stored data|Expecting|property name"):
        restore(data)


@pytest.mark.parametrize("value", [{1: 2}, object(), {"a": {1}}, bytearray(b"x")])
def test_what_is_no_plain_data_is_not_stored(value):
    with pytest.raises(TypeError):
        store(value)


def test_keys_give_way_to_their_fingerprints():
    content = {"name": "x", "dkim": [{"domain": "a.test", "selector": "s1", "pem": b"PRIVATE"}]}
    kept = without_keys(content)
    mark = hashlib.sha256(b"PRIVATE").hexdigest()
    assert kept == {"name": "x", "dkim": [{"domain": "a.test", "selector": "s1", "fingerprint": mark}]}
    assert without_keys(kept) == kept
    assert fingerprint(content["dkim"][0]) == fingerprint(kept["dkim"][0]) == mark
    assert without_keys({"name": "x"}) == {"name": "x"}
