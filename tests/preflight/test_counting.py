from __future__ import annotations

from bulkmail.preflight.counting import Counting, Messages
from bulkmail.preflight.kinds import warning
from bulkmail.preflight.row_lines import RowLines

FILES = ("recipients.csv",)


def row(number, email, verdict="ok", note=""):
    return (number, 0, number, email, email.partition("@")[2], "[]", verdict, note)


def test_rows_by_what_becomes_of_them():
    counting = Counting(FILES, RowLines(None))
    usable = counting.add_rows(
        [
            row(1, "ann@example.org"),
            row(2, "foo", "invalid", "line 3: 'foo' has no @; correct the address"),
            row(3, "x", "bad-row", "line 4: the row has 4 cells and the header 3"),
            row(4, "no@example.org", "suppressed", "the address is on the suppress list no.txt"),
            row(5, "bob@gmial.com", "held"),
            row(6, "bar", "invalid", "line 9: 'bar' has no @; correct the address"),
        ]
    )
    assert [one[0] for one in usable] == [1, 5]
    assert (counting.rows, counting.usable, counting.suppressed, counting.unusable) == (6, 2, 1, 3)
    assert counting.unusable_rows == [2, 3, 6]
    assert (counting.mistyped, list(counting.mistyped_as)) == (1, ["gmial.com"])
    counting.add_repeated(5)
    told = {one.code: (one.rows, one.count) for one in counting.kinds.findings(2, 0)}
    assert told == {
        "invalid-address": ((2, 6), 2),
        "bad-row": ((3,), 1),
        "suppressed": ((4,), 1),
        "mistyped-domain": ((5,), 1),
        "duplicate": ((5,), 1),
    }


def batch(numbers, **found):
    given = {
        "composed": len(numbers),
        "names": {(0, 1): {"Ann": len(numbers)}},
        "subjects": ((numbers[0], "Hi"), False),
        "bytes": (1000 * len(numbers), 1200, numbers[0]),
        "html": (500, numbers[0]),
        "signed_by": ["example.com"],
    }
    return [(number, 0, "a@b.example", "[]") for number in numbers], {**given, **found}


def messages(*batches, varies=True):
    counted = Messages(FILES, [["email", "first_name"]], subject_varies=varies)
    for one in batches:
        counted.add(*one)
    return counted


def test_one_name_and_one_subject_in_all_rows():
    counted = messages(batch(range(65, 129)), batch(range(1, 65)))
    assert (counted.composed, counted.looked_at, counted.bytes) == (128, 128, 128_000)
    assert (counted.largest, counted.largest_html, counted.signed_by) == (1200, 500, ("example.com",))
    assert [kind[1:3] for kind in counted.odd()] == [("same-subject", "subject"), ("same-name", "column `first_name`")]


def test_subjects_that_differ_and_the_first_rows_subject():
    counted = messages(batch(range(65, 129), subjects=((65, "Later"), False)), batch(range(1, 65)))
    assert counted.subject == "Hi"
    assert [kind[1] for kind in counted.odd()] == ["same-name"]
    assert [kind[1] for kind in messages(batch(range(1, 65)), varies=False).odd()] == ["same-name"]
    assert list(messages(batch([1, 2, 3])).odd()) == []


def test_no_message_at_all():
    rows = [(1, 0, "a", "[]")]
    kinds = {"kinds": [(warning("x", "y", "z"), [1])]}
    assert [kind[1] for kind in messages((rows, kinds)).odd()] == ["no-message"]
    assert messages().subject == ""
