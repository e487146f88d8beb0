from __future__ import annotations

import csv
import json
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import RECIPIENT_COLUMNS, OwnFault, message_id, token
from bulkmail.report import write_recipients
from bulkmail.report.cells import guarded, one_line
from bulkmail.report.recipients import CHUNK
from tests.places import file_at

KEY = bytes(range(32))
START = 1_796_119_200.123  # 2026-12-01T10:00:00.123Z
ONE = [("people.csv", ["email", "first", "status"])]


def read(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file, strict=True))


def write(path, rows, files=ONE):
    return write_recipients(file_at(path), iter(rows), files, KEY, "example.com")


def test_the_columns_are_the_contract():
    assert ",".join(RECIPIENT_COLUMNS) == (
        "row,email,status,category,smtp_code,enhanced_code,reply,stage,mx_host,mx_ip,source_ip,tls,attempts,"
        "first_attempt_at,completed_at,message_id,token,bytes,tls_policy,variant,late_at,unsubscribed_at,"
        "complained_at"
    )


def test_a_row_of_the_file(tmp_path, recipient):
    path = tmp_path / "recipients.csv"
    row = recipient(n=7, email="Anna@Example.com", fields='["Anna@Example.com","Anna","vip"]', reply="2.0.0 OK, queued")
    write(path, [row._replace(tls_policy="sts-enforce")])
    header, cells = read(path)
    assert header == [*RECIPIENT_COLUMNS, "first", "input_status"]
    assert dict(zip(header, cells, strict=True)) == {
        "row": "7",
        "email": "Anna@Example.com",
        "status": "delivered",
        "category": "",
        "smtp_code": "250",
        "enhanced_code": "2.0.0",
        "reply": "2.0.0 OK, queued",
        "stage": "dot",
        "mx_host": "mx.example.com",
        "mx_ip": "192.0.2.1",
        "source_ip": "198.51.100.9",
        "tls": "TLSv1.3",
        "attempts": "1",
        "first_attempt_at": "2026-12-01T10:00:00.123Z",
        "completed_at": "2026-12-01T10:00:01.123Z",
        "message_id": message_id(KEY, 7, "example.com"),
        "token": token(KEY, 7),
        "bytes": "1234",
        "tls_policy": "sts-enforce",
        "variant": "",
        "late_at": "",
        "unsubscribed_at": "",
        "complained_at": "",
        "first": "Anna",
        "input_status": "vip",
    }


def test_what_came_back_has_columns_and_is_counted(tmp_path, recipient):
    path = tmp_path / "recipients.csv"
    fields = '["a@example.com","Anna","vip"]'
    rows = [
        recipient(n=1, fields=fields),
        recipient(n=2, fields=fields, status="bounced", category="bad-mailbox", stage="dsn", late_at=START),
        recipient(n=3, fields=fields, unsubscribed_at=START + 1),
        recipient(n=4, fields=fields, status="blocked", category="policy", complained_at=START, unsubscribed_at=START),
    ]
    stats = write(path, rows)
    header, *cells = read(path)
    told = [dict(zip(header, row, strict=True)) for row in cells]
    assert [(row["late_at"], row["unsubscribed_at"][:19], row["complained_at"]) for row in told] == [
        ("", "", ""),
        ("2026-12-01T10:00:00.123Z", "", ""),
        ("", "2026-12-01T10:00:01", ""),
        ("", "2026-12-01T10:00:00", "2026-12-01T10:00:00.123Z"),
    ]
    assert stats.late == {"returned": 1, "unsubscribed": 2, "complained": 1}
    header, *taken = read(tmp_path / "take-off.csv")
    assert [row[-1] for row in taken] == ["The mailbox does not exist", "Has unsubscribed", "Has complained"]
    assert len(read(tmp_path / "try-again.csv")) == 1, "who has said no is not written to again"


def test_where_everybody_gets_the_same_message_its_id_is_the_same(tmp_path, recipient):
    path = tmp_path / "recipients.csv"
    rows = [recipient(n=n, fields='["a@example.com","Anna","vip"]') for n in (1, 2)]
    write_recipients(file_at(path), iter(rows), ONE, KEY, "example.com", one_message=True)
    header, *cells = read(path)
    told = [dict(zip(header, row, strict=True)) for row in cells]
    assert {row["message_id"] for row in told} == {message_id(KEY, 0, "example.com")}
    assert [row["token"] for row in told] == [token(KEY, 1), token(KEY, 2)]


def test_what_has_not_happened_is_empty_and_no_attempt_is_0(tmp_path, recipient):
    path = tmp_path / "recipients.csv"
    row = recipient(
        status="pending", smtp_code=None, reply="", attempts=0, first_attempt_at=None, completed_at=0, bytes=0,
        fields='["a@example.com","Anna","vip"]',
    )  # fmt: skip
    write(path, [row])
    cells = dict(zip(*read(path), strict=True))
    assert [cells[name] for name in ("smtp_code", "attempts", "first_attempt_at", "completed_at", "bytes")] == [
        "", "0", "", "", "",
    ]  # fmt: skip


def test_several_files_show_file_and_row_and_the_union_of_their_columns(tmp_path, recipient):
    path = tmp_path / "recipients.csv"
    files = [("a.csv", ["email", "first"]), ("=b.csv", ["plan", "email"])]
    rows = [
        recipient(n=1, fields='["a@example.com","Anna"]'),
        recipient(n=2, file_no=1, row_in_file=1, fields='["gold","a@example.com"]'),
        recipient(n=3, file_no=1, row_in_file=2, fields='["=1","a@example.com"]'),
    ]
    write(path, rows, files)
    header, *found = read(path)
    assert header[-2:] == ["first", "plan"]
    assert [(cells[0], *cells[-2:]) for cells in found] == [
        ("a.csv:1", "Anna", ""),
        ("'=b.csv:1", "", "gold"),
        ("'=b.csv:2", "", "'=1"),
    ]


def test_no_rows_is_a_header(tmp_path):
    stats = write(tmp_path / "recipients.csv", [])
    assert (tmp_path / "recipients.csv").read_bytes().endswith(b"complained_at,first,input_status\r\n")
    assert stats.rows == 0


def test_more_than_one_chunk_keeps_the_order(tmp_path, recipient):
    path = tmp_path / "recipients.csv"
    count = 2 * CHUNK + 3
    stats = write(path, (recipient(n=n, fields="[]") for n in range(1, count + 1)))
    assert [cells[0] for cells in read(path)[1:]] == [str(n) for n in range(1, count + 1)]
    assert stats.rows == count


def test_the_statuses_sum_to_the_input(tmp_path, sample):
    stats = write(tmp_path / "recipients.csv", sample.rows, sample.files)
    assert sum(stats.by_status.values()) == len(sample.rows) == len(read(tmp_path / "recipients.csv")) - 1
    assert {status: n for status, n in stats.by_status.items() if n} == sample.facts["by_status"]


def test_it_is_readable_whatever_the_umask_and_has_a_byte_order_mark(tmp_path, recipient):
    before = os.umask(0o077)
    try:
        write(tmp_path / "report" / "recipients.csv", [recipient()])
    finally:
        os.umask(before)
    path = tmp_path / "report" / "recipients.csv"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert path.read_bytes().startswith(b"\xef\xbb\xbfrow,")


def test_a_reader_that_fails_leaves_the_last_report(tmp_path, recipient):
    path = tmp_path / "recipients.csv"
    write(path, [recipient()])
    before = path.read_bytes()

    def rows():
        yield recipient()
        raise OwnFault("the spool is locked")

    with pytest.raises(OwnFault):
        write(path, rows())
    assert path.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["recipients.csv", "take-off.csv", "try-again.csv"]


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.text("=+-@\t\r\n,\"'", max_size=6)


@given(st.lists(st.tuples(text, text, text, text, text), min_size=1, max_size=4))
def test_any_cell_reads_back_but_for_the_guard(tmp_path_factory, recipient, values):
    path = tmp_path_factory.mktemp("report") / "recipients.csv"
    rows = [
        recipient(n=n, email=email, reply=reply, mx_host=host, fields=json.dumps([email, first, second]))
        for n, (email, reply, host, first, second) in enumerate(values, 1)
    ]
    write(path, rows)
    header, *found = read(path)
    assert len(found) == len(rows)
    for cells, (email, reply, host, first, second) in zip(found, values, strict=True):
        row = dict(zip(header, cells, strict=True))
        assert [row["email"], row["mx_host"], row["first"], row["input_status"]] == guarded(
            [email, host, first, second]
        )
        assert row["reply"] == guarded([one_line(reply)])[0]
