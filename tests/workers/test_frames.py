from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.workers.frames import Frames, frame

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.lists(plain, max_size=5), st.integers(1, 50))
def test_values_survive_any_cut_of_the_stream(values: list[object], size: int) -> None:
    stream = b"".join(frame(value) for value in values)
    frames = Frames()
    got = [value for at in range(0, len(stream), size) for value in frames.feed(stream[at : at + size])]
    assert got == values


def test_a_length_that_nobody_sends_is_refused() -> None:
    with pytest.raises(ValueError, match="over the limit"):
        list(Frames().feed(b"\xff\xff\xff\xff"))


def test_only_plain_data_is_framed() -> None:
    with pytest.raises(ValueError, match="unmarshallable"):
        frame(object())
