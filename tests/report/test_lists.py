from __future__ import annotations

from bulkmail.report import write_addresses, write_list


def test_a_list_has_the_union_of_the_columns_and_cells_that_are_not_guarded(recipient):
    written = []
    files = [("a.csv", ["email", "status"]), ("b.csv", ["=x", "email"])]
    rows = [
        recipient(fields='["a@x.example","=1"]'),
        recipient(file_no=1, fields='["Leeds, Yorks","b@x.example"]'),
    ]
    assert write_list(written.append, files, iter([rows, []])) == 2
    assert b"".join(written).decode("utf-8-sig").splitlines() == [
        "email,status,=x",
        "a@x.example,=1,",
        'b@x.example,,"Leeds, Yorks"',
    ]


def test_an_address_that_begins_like_a_comment_stands_behind_its_number(recipient):
    written = []
    write_addresses(written.append, iter([[recipient(n=7, email="#a@x.example")]]))
    assert b"".join(written).decode("utf-8-sig").splitlines() == ["row,email", "7,#a@x.example"]
