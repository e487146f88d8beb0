from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import (
    TOKEN_SIZE,
    address_hash,
    campaign_key,
    envelope_id,
    message_id,
    new_key,
    read_envelope_id,
    read_token,
    token,
)

KEY = bytes(range(32))


def test_a_token_is_stable_and_opaque() -> None:
    assert token(KEY, 1) == token(KEY, 1)
    assert len({token(KEY, number) for number in range(1000)}) == 1000
    assert token(KEY, 1) != token(new_key(), 1)
    assert all(character in "abcdefghijklmnopqrstuvwxyz234567" for character in token(KEY, 7))
    assert len(token(KEY, 7)) == 26


def test_a_message_id_names_the_campaign_and_the_recipient() -> None:
    first, second = message_id(KEY, 1, "example.com"), message_id(KEY, 2, "example.com")
    assert first.startswith("<")
    assert first.endswith("@example.com>")
    assert first.split(".")[0] == second.split(".")[0]
    assert token(KEY, 2) in second


@given(st.integers(1, 2**23 - 1), st.integers(0, 2**40 - 1))
def test_a_token_tells_its_row_to_who_has_the_key(campaign, number):
    text = token(campaign_key(KEY, campaign), number)
    assert len(text) == TOKEN_SIZE
    assert read_token(KEY, text) == (campaign, number)
    assert read_token(KEY, text.upper()) == (campaign, number)
    assert read_token(bytes(32), text) is None


@given(st.integers(1, 2**40 - 1), st.integers(0, 24), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_a_changed_token_is_none(number, place, letter):
    text = token(campaign_key(KEY, 7), number)
    changed = text[:place] + letter + text[place + 1 :]
    assert read_token(KEY, changed) == ((7, number) if changed == text else None)


@pytest.mark.parametrize("text", ["", "a" * 25, "a" * 26, "a" * 27, "1" * 26, "\u00e4" * 26, "=" * 26, token(KEY, 1)])
def test_other_texts_are_no_tokens(text):
    assert read_token(KEY, text) is None


@given(st.integers(1, 2**23 - 1), st.integers(0, 2**39), st.integers(0, 2**32 - 1))
def test_an_envelope_id_tells_its_rows_to_who_has_the_key_and_is_no_token(campaign, first, span):
    text = envelope_id(campaign_key(KEY, campaign), first, first + span)
    assert len(text) == 32
    assert read_envelope_id(KEY, text.upper()) == (campaign, first, first + span)
    assert read_envelope_id(bytes(32), text) is None
    assert read_token(KEY, text) is None
    assert read_token(KEY, text[:TOKEN_SIZE]) is None


@given(st.integers(0, 31), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_a_changed_envelope_id_is_none(place, letter):
    text = envelope_id(campaign_key(KEY, 7), 1, 50)
    changed = text[:place] + letter + text[place + 1 :]
    assert read_envelope_id(KEY, changed) == ((7, 1, 50) if changed == text else None)


@pytest.mark.parametrize("text", ["", "a" * 31, "a" * 32, "1" * 32, "\u00e4" * 32, "=" * 32, token(KEY, 1)])
def test_other_texts_are_no_envelope_ids(text):
    assert read_envelope_id(KEY, text) is None


def test_there_is_no_envelope_id_that_could_not_be_read():
    assert envelope_id(KEY, 1, 2) == ""
    assert envelope_id(campaign_key(KEY, 7), 1, 2**32 + 1) == ""


@given(st.text(), st.text())
def test_an_address_has_one_number_for_each_key(one, other):
    number = address_hash(KEY, one)
    assert 0 <= number < 2**63
    assert (address_hash(KEY, other) == number) == (one == other)
    assert address_hash(bytes(32), one) != number


def test_the_tokens_of_two_campaigns_differ():
    first, second = campaign_key(KEY, 1), campaign_key(KEY, 2)
    assert token(first, 1) != token(second, 1)
    assert message_id(first, 1, "example.com").split(".")[0] != message_id(second, 1, "example.com").split(".")[0]


def test_a_token_has_one_spelling_but_for_the_case_of_its_letters():
    """Its last character has two bits that stand for nothing."""
    spool = bytes(range(32))
    text = token(campaign_key(spool, 7), 3)
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    read = [read_token(spool, text[:-1] + last) for last in alphabet]
    assert read.count((7, 3)) == 1
    assert [one for one in read if one is not None] == [(7, 3)]
    assert read_token(spool, text.upper()) == (7, 3)
