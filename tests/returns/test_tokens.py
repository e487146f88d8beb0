from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import message_id, token
from bulkmail.returns import Copy, Source
from bulkmail.returns.mime import Fields
from bulkmail.returns.tokens import candidates, in_message_id, in_text, tagged, tagged_in

TOKEN = "k5x2w7q3m4n6b2v5c7z3lahj4h"
OTHER = "z" * 26


@given(st.binary(min_size=32, max_size=32), st.integers(1, 2**40))
def test_what_this_program_writes_is_found(key, number):
    own = token(key, number)
    assert in_message_id(message_id(key, number, "news.example.com")) == own
    assert tagged(f"bounces+{own}@in.example.com") == own
    assert tagged(f"<BOUNCES+{own.upper()}@IN.EXAMPLE.COM>") == own
    assert in_text(f"<https://mail.example.com/u/{own}>, <mailto:unsubscribe+{own}@in.example.com>") == own


@pytest.mark.parametrize(
    "address",
    [
        "bounces@d.example",
        f"bounces+{TOKEN}x@d.example",
        f"bounces+{TOKEN[1:]}@d.example",
        f"bounces+{TOKEN[1:]}1@d.example",
        f"+{TOKEN}@d.example",
        f"bounces {TOKEN}@d.example",
        "",
    ],
)
def test_what_is_no_token_of_an_address(address):
    assert tagged(address) == ""


@pytest.mark.parametrize(
    "identifier",
    [f"<x.{TOKEN}@d.example>", f"<abcdefgh.{TOKEN}.1@d.example>", f"<{TOKEN}@d.example>", "<>", "a@b", ""],
)
def test_what_is_no_message_id_of_ours(identifier):
    assert in_message_id(identifier) == ""


def test_a_token_cut_out_of_a_longer_word_is_none():
    assert in_text(f"x{TOKEN}") == ""
    assert in_text(f"{TOKEN} {OTHER}") == ""
    assert in_text(f"{TOKEN} {TOKEN.upper()}") == TOKEN


def test_an_address_among_several():
    assert tagged_in(f"Joe <joe@d.example>, <bounces+{TOKEN}@d.example>") == TOKEN
    assert tagged_in("joe@d.example") == ""


def test_candidates_come_with_the_surest_first():
    own = Fields(
        f"To: bounces+{TOKEN}@d.example\nIn-Reply-To: <x@y>\n"
        f"References: <abcdefgh.{OTHER}@e.example> <abcdefgh.{TOKEN}@e.example> <x@y>".encode()
    )
    copy = Copy(
        f"abcdefgh.{TOKEN}@e.example",
        (),
        f"a:{TOKEN}:b:c",
        f"<https://e.example/u/{TOKEN}>",
        "news@e.example",
        f"bounces+{TOKEN}@d.example",
    )
    found = list(candidates(f"bounces+{TOKEN}@d.example", own, copy, [f"bounces+{OTHER}@d.example"], TOKEN, ""))
    assert [one.source for one in found] == [
        Source.ENVELOPE,
        Source.MESSAGE_ID,
        Source.UNSUBSCRIBE,
        Source.FEEDBACK_ID,
        Source.RETURN_PATH,
        Source.RETURN_PATH,
        Source.ENVELOPE_ID,
        Source.TO,
        Source.REFERENCES,
    ]
    assert {one.token for one in found if one.source is not Source.RETURN_PATH} == {TOKEN}
