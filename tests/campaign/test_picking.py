from __future__ import annotations

import copy
import json

import pytest

from bulkmail.campaign.intake import Intake
from bulkmail.campaign.picking import Rules
from bulkmail.campaign.places import Stored, changed_since
from bulkmail.mail import Refused


@pytest.fixture
def write(tmp_path):
    def write(text, name="a.csv"):
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


def drain(intake, limit=1000):
    """The rows, the states behind each answer, and what settling says."""
    rows, states, settled, done = [], [], [], False
    while not done:
        _, found, state, done = intake.next(limit)
        rows += found
        states.append((len(rows), copy.deepcopy(state)))
    done = False
    while not done:
        _, found, done, state = intake.settle(limit)
        settled += found
    intake.close()
    return rows, [*states, (len(rows), state)], settled


def lines(count, start=0):
    return "".join(
        f"u{n}@b.test,{'plus' if n % 3 == 0 else 'free'},{n * 7 % 50}\n" for n in range(start, start + count)
    )


HEAD = "email,plan,last open\n"


def test_no_rule_is_none():
    assert not Rules().some
    assert Rules(limit=1).some


def test_only_rows_of_which_the_condition_is_true_belong_to_the_campaign(write):
    path = write(HEAD + lines(10) + "bad,plus,1\nbad,free,1\n")
    rows, _, _ = drain(Intake([path], pick={"where": "plan == 'plus'"}))
    assert [(row[0], row[2], row[3], row[6]) for row in rows] == [
        (1, 1, "u0@b.test", "ok"),
        (2, 4, "u3@b.test", "ok"),
        (3, 7, "u6@b.test", "ok"),
        (4, 10, "u9@b.test", "ok"),
        (5, 11, "bad", "invalid"),
    ]
    assert rows[4][7].startswith("line 12: ")


def test_a_row_to_which_it_cannot_be_applied_is_a_bad_row(write):
    path = write(HEAD + lines(2))
    rows, _, _ = drain(Intake([path], pick={"where": "last_open > 3"}))
    assert [row[6] for row in rows] == ["bad-row", "bad-row"]
    assert rows[0][7].startswith("line 2: `where` cannot be applied: ")
    assert "|int" in rows[0][7]


def test_a_column_that_a_list_has_not_refuses_it(write):
    first, second = write(HEAD + lines(2)), write("email,plans\n", "b.csv")
    with pytest.raises(Refused, match=r"b\.csv:1: `where` cannot be applied to this list: `plan` is no column"):
        Intake([first, second], pick={"where": "plan"})
    with pytest.raises(Refused, match=r"b\.csv:1: `order_by` names the column `last_open`, which this list has not"):
        Intake([first, second], pick={"order_by": "-last_open"})


def test_a_sample_goes_by_the_address_and_a_larger_one_holds_the_smaller(write):
    path = write(HEAD + lines(3000))
    tenth, fifth = ({row[3] for row in drain(Intake([path], pick={"sample": share}))[0]} for share in (0.1, 0.2))
    assert 200 < len(tenth) < 400 < len(fifth) < 800
    assert tenth < fifth
    other = write("Mail\n" + "".join(f"U{n}@B.test\n" for n in range(3000)), "b.csv")
    assert {row[3].lower() for row in drain(Intake([other], pick={"sample": 0.1}))[0]} == tenth


def test_a_limit_counts_rows_that_are_mailed(write):
    path = write("email,unsubscribed\na@b.test,yes\nbad,\nc@b.test,\nd@b.test,\ne@b.test,\n")
    for batch in (1, 2, 100):
        rows, states, _ = drain(Intake([path], pick={"limit": 2}), batch)
        assert [row[6] for row in rows] == ["no-consent", "invalid", "ok", "ok"]
    again = Intake([path], stored=Stored(4, states[-1][1]), pick={"limit": 2})
    assert again.next(10)[1::2] == ([], True)
    again.close()


def test_a_list_that_grows_behind_a_limit_has_not_changed(write):
    path = write(HEAD + lines(50))
    rules = {"limit": 5}
    rows, states, _ = drain(Intake([path], pick=rules), 3)
    assert len(rows) == 5
    write(HEAD + lines(60))
    assert changed_since([path, "other.csv"], states[-1][1]) == []
    rows, _, _ = drain(Intake([path], stored=Stored(5, states[-1][1]), pick=rules))
    assert rows == []
    write(HEAD + lines(60, 1))
    assert changed_since([path], states[-1][1]) == ["a.csv"]


RULES = [
    {"where": "plan == 'plus'"},
    {"sample": 0.3},
    {"limit": 17},
    {"where": "plan == 'plus'", "limit": 9},
    {"order_by": "-last_open"},
    {"order_by": "last_open", "where": "plan != 'plus'", "sample": 0.5, "limit": 11},
]


@pytest.mark.parametrize("rules", RULES, ids=str)
@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_reading_goes_on_from_each_state_as_if_it_had_never_stopped(write, rules, batch):
    first = write(HEAD + lines(60) + "u3@b.test,plus,9\n")
    second = write("plan,last_open,Mail\n" + "".join(f"plus,{n},v{n}@b.test\n" for n in range(20)), "b.csv")
    paths = [first, second]
    whole, states, settled = drain(Intake(paths, pick=rules), batch)
    assert [row[0] for row in whole] == list(range(1, len(whole) + 1))
    for count, state in states[::5] + states[-2:]:
        rest, _, also = drain(Intake(paths, stored=Stored(count, state), pick=rules), 5)
        assert rest == whole[count:]
        if count < len(whole):
            assert also == settled


def test_the_highest_come_first_over_all_lists(write):
    first = write(HEAD + lines(20))
    second = write("last_open;email\n45;x@b.test\n;y@b.test\n", "b.csv")
    rows, _, _ = drain(Intake([first, second], pick={"order_by": "-Last Open"}), 4)
    opened = [json.loads(row[5])[0 if row[1] else 2] for row in rows]
    assert opened == sorted(opened, key=lambda value: -int(value or -1))
    assert (rows[-1][3], rows[-1][1:3]) == ("y@b.test", (1, 2))
    assert {(row[1], row[2]) for row in rows} == {(0, n) for n in range(1, 21)} | {(1, 1), (1, 2)}


def test_a_sorted_list_cannot_grow(write):
    path = write(HEAD + lines(5))
    _, states, _ = drain(Intake([path], pick={"order_by": "plan"}))
    write(HEAD + lines(6))
    with pytest.raises(Refused, match="has grown, and its rows were sorted by `order_by` before"):
        Intake([path], stored=Stored(5, states[-1][1]), pick={"order_by": "plan"})
    with pytest.raises(Refused, match=r"a\.csv: has grown"):
        Intake([path, write("email,plan\n", "b.csv")], stored=Stored(5, states[-1][1]), pick={"order_by": "plan"})


def test_a_repeated_row_is_told_without_a_number_where_rows_are_left_aside(write):
    path = write(HEAD + "a@b.test,free,1\na@b.test,plus,1\nA@b.test,plus,2\n")
    _, _, settled = drain(Intake([path], pick={"where": "plan == 'plus'"}))
    assert settled == [(2, True, "the same address as an earlier row")]


def test_a_suppress_list_that_got_longer_does_not_move_the_limit(write):
    path, gone = write(HEAD + lines(30)), write("", "gone.txt")
    rules = {"limit": 10}
    _, states, _ = drain(Intake([path], suppress=[gone], pick=rules), 4)
    count, state = states[1]
    write("u1@b.test\nu20@b.test\n", "gone.txt")
    rest, _, _ = drain(Intake([path], suppress=[gone], stored=Stored(count, state), pick=rules), 4)
    assert [row[3] for row in rest] == [f"u{n}@b.test" for n in range(count, 10)]
