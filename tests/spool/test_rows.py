from __future__ import annotations

import marshal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import Status
from bulkmail.spool.rows import (
    HOLD_KINDS,
    Attempt,
    Claimed,
    Hold,
    Recovered,
    Settlement,
    campaign_of,
    id_range,
    number_of,
    pack,
    recipient_id,
    unpack,
)


@given(st.integers(1, 2**23 - 1), st.integers(1, 2**40 - 1))
def test_an_id_is_a_campaign_and_a_number_and_fits_sqlite(campaign, number):
    identity = recipient_id(campaign, number)
    assert (campaign_of(identity), number_of(identity)) == (campaign, number)
    low, high = id_range(campaign)
    assert low < identity <= high < 2**63


def claimed(**more):
    values = {"status": "pending", "category": "", "provider": ""} | more
    return Claimed(recipient_id(3, 7), 3, 1, "a@b.example", "[]", 0, 0, 0.0, 1.0, **values)


def test_a_claimed_row_knows_its_number_and_how_it_is_counted():
    assert claimed().number == 7
    assert claimed().previous is None
    assert claimed(status="deferred", category="dns", provider="google").previous == ("google", "deferred", "dns")


@pytest.mark.parametrize("attempt", [None, Attempt(1.5, 2, "failed", reply="no", duration_ms=3)])
def test_a_settlement_survives_the_journal(attempt):
    settlement = Settlement(5, 6, "bounced", "policy", "google", attempt, 1.0, 2.0, 0.0, 9, "why", 4)
    assert Settlement.from_plain(unpack(marshal.dumps(settlement.plain()))) == settlement


def test_what_is_no_settlement_is_a_type_error():
    with pytest.raises(TypeError):
        Settlement.from_plain((1,) * 40)


@pytest.mark.parametrize("status", list(Status))
def test_a_final_status_has_no_next_time_and_the_others_must_have_one(status):
    assert bool(Settlement(1, 1, str(status)).problem) is not status.final
    assert bool(Settlement(1, 1, str(status), next_at=5.0).problem) is status.final


def test_an_unknown_status_is_a_problem():
    assert "sent" in Settlement(1, 1, "sent").problem


def test_plain_data_is_packed_and_unpacked():
    value = {"a": [1, 2.5, None, True, b"x", ("y",)]}
    assert unpack(pack(value)) == value


def test_what_a_start_found_is_told_in_words():
    assert str(Recovered(replied=1_200, returned=3)) == (
        "claimed rows: 1,200 settled from the journal, 3 that were not sent"
    )


def test_a_hold_says_what_it_is() -> None:
    hold = Hold(1, "paused", "the list is wrong", 0.0, "google", "ann", 1_796_148_000.0)
    assert hold.words == "paused at google by ann until 2026-12-01T18:00:00Z: the list is wrong"
    assert Hold(1, "rule", "", 0.0).words == "stopped by a rule"
    assert Hold(1, "fault", "the template does not come to an end", 0.0).words == "the template does not come to an end"
    assert {Hold(1, kind, "why", 0.0).words.rpartition("why")[1] for kind in HOLD_KINDS} == {"why"}
