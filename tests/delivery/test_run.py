from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bulkmail.delivery.run import Run
from bulkmail.mail import Status, campaign_key, read_envelope_id, token

NOT_FINAL = {"pending", "deferred"}


def run(**changed):
    return Run(
        **{
            "id": 1,
            "name": "spring",
            "folder": "/c",
            "content": {},
            "on_unknown": "retry",
            "started_at": 0.0,
            **changed,
        }
    )


def test_its_tokens_are_those_of_its_messages():
    assert run(content={"key": b"k" * 32}).token(7) == token(b"k" * 32, 7)
    assert run(content={"key": b"k" * 32, "token_mark": "test-"}).token(7) == "test-" + token(b"k" * 32, 7)


def test_the_envelope_id_of_several_rows_tells_which():
    key = campaign_key(b"k" * 32, 3)
    assert read_envelope_id(b"k" * 32, run(content={"key": key}).envelope_id([9, 4, 6])) == (3, 4, 9)
    for content in ({"key": b"k" * 32}, {"key": key, "token_mark": "test-"}):  # neither leads to a row
        assert run(content=content).envelope_id([1, 2]) == run(content=content).token(0)


def test_a_fresh_run_is_all_pending():
    fresh = run(input_rows=7)
    assert fresh.by_status["pending"] == 7
    assert set(fresh.by_status) == {str(status) for status in Status}
    assert (fresh.by_category, fresh.by_provider, fresh.complete) == ({}, {}, False)


def test_it_is_complete_when_all_is_read_and_all_is_final():
    one = run(input_rows=2)
    one.move(None, ("", "delivered", ""))
    one.move(None, ("", "deferred", "greylisted"))
    one.import_done = True
    assert not one.complete
    one.move(("", "deferred", "greylisted"), ("", "bounced", "bad-mailbox"))
    assert one.complete
    assert not run(input_rows=0).complete
    assert run(input_rows=0, import_done=True).complete


def test_rows_left_out_of_sending_are_nobodys_provider():
    one = run(input_rows=3)
    one.add_to_totals(Counter({("", "invalid", "invalid-address"): 2, ("google", "delivered", ""): 1}))
    assert one.by_provider == {"google": {"delivered": 1}}
    assert one.by_category == {"invalid-address": 2}
    assert (one.final, one.delivered) == (3, 1)


def test_a_site_of_no_provider_counts_as_other():
    one = run(input_rows=1)
    one.move(None, ("", "delivered", ""))
    assert one.by_provider == {"other": {"delivered": 1}}


STATUSES = st.sampled_from(["delivered", "bounced", "blocked", "deferred", "expired", "unknown"])
MOVES = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["", "google"]), STATUSES), max_size=60)


@given(MOVES)
def test_the_counts_always_sum_to_the_input(moves):
    one, rows = run(input_rows=10, import_done=True), {}
    for row, provider, status in moves:
        before = rows.get(row)
        if before is not None and before[1] not in NOT_FINAL:
            continue
        rows[row] = (provider, status, "quota" if status == "deferred" else "")
        one.move(before, rows[row])
        counted = one.by_status
        assert sum(counted.values()) == 10
        assert min(counted.values()) >= 0
        assert counted["pending"] == 10 - len(rows)
        assert one.final == sum(key[1] not in NOT_FINAL for key in rows.values())
        assert one.delivered == counted["delivered"]
        assert sum(sum(by.values()) for by in one.by_provider.values()) == len(rows)
        assert one.complete == (one.final == 10)


def test_the_next_try_of_a_campaign_is_its_earliest():
    run = Run(1, "spring", "/c", {}, "retry", 0.0)
    run.tried_next(700.0, 0.0)
    run.tried_next(800.0, 100.0)
    assert run.next_try_at == 700.0
    run.tried_next(600.0, 100.0)
    assert run.next_try_at == 600.0
    run.tried_next(900.0, 650.0)
    assert run.next_try_at == 900.0, "the one before is past"


def test_what_comes_back_overwrites_a_status_and_no_row_is_lost():
    run = Run(1, "spring", "/c", {}, "retry", 0.0, input_rows=2, import_done=True)
    run.move(None, ("google", "delivered", ""))
    run.move(None, ("google", "unknown", "no-answer"))
    assert run.complete
    run.overwritten(("google", "delivered", ""), ("google", "bounced", "bad-mailbox"))
    run.overwritten(("google", "unknown", "no-answer"), ("google", "blocked", "quota"))
    assert (run.delivered, run.final, run.complete) == (0, 2, True)
    assert {status: count for status, count in run.by_status.items() if count} == {"bounced": 1, "blocked": 1}
    run.shared = True
    run.overwritten(("google", "bounced", "bad-mailbox"), ("google", "blocked", "quota"))
    assert run.by_status["bounced"] == 1, "only the spool counts"


def test_the_weight_is_by_the_priority_that_its_content_says_now():
    run = Run(1, "spring", "/c", {}, "retry", 0.0)
    weights = [run.weight]
    for priority in ("low", "high", "transactional"):
        run.content = {"priority": priority}
        weights.append(run.weight)
    assert weights == [3, 1, 9, 27]


def test_a_small_campaign_has_nine_times_its_weight_once_its_list_is_read():
    run = Run(1, "spring", "/c", {}, "retry", 0.0)
    run.input_rows = 500
    assert run.weight == 3
    run.import_done = True
    assert run.weight == 27
    run.input_rows = 501
    assert run.weight == 3
