from __future__ import annotations

from bulkmail.mail import message_id, new_key, token

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
