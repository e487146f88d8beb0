from __future__ import annotations

import json

import pytest

from bulkmail.campaign import json_lines as module
from bulkmail.campaign.intake import Intake
from bulkmail.mail import Refused


@pytest.fixture
def rows(tmp_path):
    def rows(text, name="list.jsonl"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        intake = Intake([str(path)])
        columns = intake.opened[1][0]
        _, found, _, done = intake.next(1000)
        intake.close()
        assert done
        return columns, [(json.loads(row[5]), row[6], row[7]) for row in found]

    return rows


def test_each_object_is_a_row_and_each_value_as_it_is_written(rows):
    columns, found = rows(
        '{"email": "a@b.example", "n": 1.50, "ok": true, "tags": ["a"], "x": null, "note": "two\\nlines"}\n\n'
        '{"Note": "n", "email": "c@d.example"}\r\n'
    )
    assert columns == ["email", "n", "ok", "tags", "x", "note", "Note"]
    assert found == [
        (["a@b.example", "1.50", "true", '["a"]', "", "two\nlines", ""], "ok", ""),
        (["c@d.example", "", "", "", "", "", "n"], "ok", ""),
    ]


def test_a_broken_line_costs_itself_and_is_told_with_its_number(rows):
    lines = [
        '{"email": "a@b.example", "n": 1}',
        '{"email": "a2@b.example", "n": NaN}',
        "",
        "[1]",
        '{"email": "e@b.example", "n": "\\ud800"}',
        '{"email": ',
        '{"email": "f@b.example", "n": "\\u0001"}',
        '{"email": "g@b.example"}',
    ]
    _, found = rows("\n".join(lines).encode() + b'\n{"email": "\xff"}\n')
    assert [(verdict, words.partition(": ")[0]) for _, verdict, words in found] == [
        ("ok", ""),
        ("bad-row", "line 2"),
        ("bad-row", "line 4"),
        ("bad-row", "line 5"),
        ("bad-row", "line 6"),
        ("bad-row", "line 7"),
        ("ok", ""),
        ("bad-row", "line 9"),
    ]
    words = [words for _, _, words in found]
    assert "NaN is no number" in words[1]
    assert "no object with names and values" in words[2]
    assert "half a character" in words[3]
    assert "U+0001" in words[5]
    assert "byte 12 (0xFF) is not UTF-8" in words[7]


def test_a_name_that_comes_late_makes_a_bad_row_for_it_may_say_who_may_not_be_mailed(rows, monkeypatch):
    monkeypatch.setattr(module, "_LOOKED_AT", 2)
    text = "".join(f'{{"email": "u{n}@b.example"}}\n' for n in range(3))
    _, found = rows(text + '{"email": "x@b.example", "unsubscribed": true}\n')
    assert [verdict for _, verdict, _ in found] == ["ok", "ok", "ok", "bad-row"]
    assert "the name 'unsubscribed' is in none of the first 2 lines" in found[3][2]


def test_it_is_known_by_its_beginning_too_and_the_header_is_its_line_0(rows):
    _, found = rows('\ufeff{"email": "a@b.example", "unsubscribed": true}\n', "list.txt")
    assert found[0][1] == "no-consent"
    with pytest.raises(Refused, match=r"list.jsonl: no column is named"):
        rows('{"name": "a"}\n')


def test_a_line_that_is_too_long_costs_itself(rows, monkeypatch):
    monkeypatch.setattr(module, "_LONGEST", 50)
    text = '{"email": "a@b.example"}\n' + '{"email": "' + "x" * 300 + '"}\n{"email": "c@b.example"}\n'
    _, found = rows(text)
    assert [verdict for _, verdict, _ in found] == ["ok", "bad-row", "ok"]
    assert "longer than 1 MiB" in found[1][2]
