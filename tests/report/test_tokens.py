from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import token
from bulkmail.report.tokens import tokens


@given(
    st.sampled_from([32, 40]).flatmap(lambda size: st.binary(min_size=size, max_size=size)),
    st.lists(st.integers(0, 2**40 - 1), max_size=40),
)
def test_they_are_the_tokens_of_the_mail(key, numbers):
    assert tokens(key, numbers) == [token(key, number) for number in numbers]


def test_a_thousand_at_once():
    key = b"k" * 32
    assert tokens(key, range(1, 1001))[::97] == [token(key, n) for n in range(1, 1001)][::97]
