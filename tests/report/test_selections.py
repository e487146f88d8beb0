from __future__ import annotations

import csv
import json

import pytest

from bulkmail.mail import Status
from bulkmail.report import write_recipients
from tests.places import file_at

KEY = bytes(range(32))
FILES = [("people.csv", ["first", "email", "status", "phone"])]


def read(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file, strict=True))


def written(folder, rows, files=FILES):
    write_recipients(file_at(folder / "recipients.csv"), iter(rows), files, KEY, "example.com")
    return read(folder / "take-off.csv"), read(folder / "try-again.csv")


def fields(email):
    return json.dumps(["Zoë", email, "vip", "+49 30"])


def test_the_input_s_own_columns_come_first_in_the_order_of_the_input(tmp_path, recipient):
    rows = [
        recipient(n=1, email="a@x.example", fields=fields("a@x.example")),
        recipient(n=2, status="bounced", category="bad-mailbox", fields=fields("b@x.example")),
        recipient(n=3, status="expired", category="connection", fields=fields("c@x.example")),
        recipient(n=4, status="cancelled", category="", fields=fields("d@x.example")),
    ]
    take_off, try_again = written(tmp_path, rows)
    header = ["first", "email", "input_status", "phone", "status", "category", "reason"]
    own = ["vip", "'+49 30"]
    assert take_off == [
        header,
        ["Zoë", "b@x.example", *own, "bounced", "bad-mailbox", "The mailbox does not exist"],
    ]
    assert try_again == [
        header,
        ["Zoë", "c@x.example", *own, "expired", "connection", "The mail server could not be reached"],
        ["Zoë", "d@x.example", *own, "cancelled", "", "Cancelled"],
    ]
    assert (tmp_path / "take-off.csv").read_bytes().startswith(b"\xef\xbb\xbffirst,")


TAKEN = {"bounced": "take off", "blocked": "try again", "expired": "try again", "cancelled": "try again"}


@pytest.mark.parametrize("status", Status)
def test_who_may_have_it_and_who_is_still_tried_is_in_neither(tmp_path, recipient, status):
    take_off, try_again = written(tmp_path, [recipient(status=status, category="other", fields=fields("a@x.example"))])
    found = "take off" if len(take_off) > 1 else "try again" if len(try_again) > 1 else ""
    assert found == TAKEN.get(status, "")


@pytest.mark.parametrize(
    ("category", "leaves"),
    [("unsubscribed", True), ("complained", True), ("bounced-before", True), ("listed", False), ("no-consent", False),
     ("", False)],
)  # fmt: skip
def test_who_was_left_out_for_having_said_no_is_to_leave_the_list(tmp_path, recipient, category, leaves):
    row = recipient(status="suppressed", category=category, fields=fields("a@x.example"))
    take_off, try_again = written(tmp_path, [row])
    assert (len(take_off) > 1, len(try_again) > 1) == (leaves, False)


def test_a_row_for_which_the_template_failed_may_be_tried_again_and_no_other_invalid_one(tmp_path, recipient):
    rows = [
        recipient(n=1, status="invalid", category="template", fields=fields("a@x.example")),
        recipient(n=2, status="invalid", category="invalid-address", fields=fields("b")),
    ]
    _, try_again = written(tmp_path, rows)
    assert [row[1] for row in try_again] == ["email", "a@x.example"]


def test_several_lists_give_the_union_of_their_columns(tmp_path, recipient):
    files = [("a.csv", ["email", "plan"]), ("b.csv", ["city", "email"])]
    rows = [
        recipient(n=1, status="expired", fields='["a@x.example","plus"]'),
        recipient(n=2, file_no=1, status="blocked", category="quota", fields='["Bath","b@x.example"]'),
    ]
    _, try_again = written(tmp_path, rows, files)
    assert [row[:3] for row in try_again] == [
        ["email", "plan", "city"],
        ["a@x.example", "plus", ""],
        ["b@x.example", "", "Bath"],
    ]


def test_they_agree_with_recipients_csv(tmp_path, sample):
    take_off, try_again = written(tmp_path, sample.rows, sample.files)
    statuses = [row[2] for row in read(tmp_path / "recipients.csv")[1:]]
    assert len(take_off) - 1 == statuses.count("bounced") > 0
    template = sum(row.category == "template" for row in sample.rows)
    assert len(try_again) - 1 == statuses.count("blocked") + statuses.count("expired") + template
