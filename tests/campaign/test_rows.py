from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from bulkmail.campaign import lines as lines_module
from bulkmail.campaign.lines import LONGEST_CELL, Lines
from bulkmail.campaign.rows import Rows
from bulkmail.mail import Refused

HEADER = "email,name,note\n"


@pytest.fixture
def read(tmp_path):
    def read(data, step=1000, **options):
        path = tmp_path / "list.csv"
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        lines = Lines(str(path), options.pop("encoding", "utf-8"), options.pop("cuts", ()))
        try:
            rows = Rows(lines, **options)
            found = []
            while taken := rows.take(step):
                found += taken
        finally:
            lines.close()
        return found

    return read


@pytest.fixture(params=[40, 128 * 1024])
def block(request, monkeypatch):
    """Reading in tiny blocks and in usual ones must be the same."""
    monkeypatch.setattr(lines_module, "_BLOCK", request.param)


def cells_of(rows):
    for number, cells, encoded, wrong in rows:
        assert json.loads(encoded) == cells
        assert not wrong or wrong.startswith(f"line {number}: ")
    return [cells for _, cells, _, wrong in rows if not wrong]


def bad(rows):
    return {number: wrong.partition(": ")[2] for number, _, _, wrong in rows if wrong}


cell = st.text(st.sampled_from('ab@.,;"\n\r\t |\\\u00f6\u2028#'), max_size=8)
address = st.integers(0, 10**6).map(lambda number: f"user{number}@example.com")


def as_csv(rows, delimiter=",", quoting=csv.QUOTE_MINIMAL, end="\n"):
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows(rows)
    return out.getvalue()


@settings(max_examples=2 * settings.default.max_examples)
@given(
    st.lists(st.tuples(address, cell, cell).map(list), max_size=12),
    st.sampled_from(",;\t|"),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(1, 5),
    st.sampled_from([16, 64, 128 * 1024]),
)
@example([["user@example.com", "", "\r"]], ",", csv.QUOTE_MINIMAL, "\r\n", 1, 16)
def test_what_csv_writer_wrote_is_read_back(tmp_path_factory, rows, delimiter, quoting, end, step, size):
    # csv.writer leaves a CR bare where its line end has none
    assume(end == "\r\n" or quoting == csv.QUOTE_ALL or not any("\r" in cell for row in rows for cell in row))
    path = tmp_path_factory.mktemp("rows") / "list.csv"
    text = as_csv([["email", "name", "note"], *rows], delimiter, quoting, end)
    path.write_bytes(text.encode())
    before, lines_module._BLOCK = lines_module._BLOCK, size
    try:
        lines = Lines(str(path))
        found = []
        reader = Rows(lines, delimiter=delimiter)
        while taken := reader.take(step):
            assert len(taken) <= step
            found += taken
        assert cells_of(found) == rows
        assert bad(found) == {}
        assert lines.offset == len(text.encode())
        physical = text.split("\n")
        assert all(cells[0] in physical[number - 1] for number, cells, _, _ in found)
        lines.close()
    finally:
        lines_module._BLOCK = before


@settings(max_examples=2 * settings.default.max_examples)
@given(
    st.lists(st.tuples(address, cell, cell).map(list), min_size=1, max_size=8, unique_by=lambda row: row[0]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.data(),
)
def test_a_stray_quote_costs_its_own_row_at_most(tmp_path_factory, rows, quoting, data):
    parts = [as_csv([row], quoting=quoting, end="\r\n") for row in rows]
    hit = data.draw(st.integers(0, len(rows) - 1))
    place = data.draw(st.integers(0, len(parts[hit]) - 1))
    parts[hit] = parts[hit][:place] + '"' + parts[hit][place:]
    path = tmp_path_factory.mktemp("rows") / "list.csv"
    path.write_text(HEADER + "".join(parts), newline="")
    lines = Lines(str(path))
    found = cells_of(Rows(lines).take(10_000))
    lines.close()
    for index, row in enumerate(rows):
        assert index == hit or row in found, (index, row, path.read_text())


def test_a_quote_inside_a_bare_value_is_a_character(read, block):
    assert cells_of(read(HEADER + 'a@b.de,5" pipe,Robert "Bob" Smith\n')) == [
        ["a@b.de", '5" pipe', 'Robert "Bob" Smith']
    ]


def test_an_unclosed_quote_costs_one_row_and_not_the_rest_of_the_file(read, block):
    good = [f"a{number}@b.de,n,x" for number in range(2000)]
    rows = read(HEADER + "\n".join([*good[:700], 'bob@b.de,"Bob,x', *good[700:]]))
    assert bad(rows) == {702: "a quote opens here and is not closed; close it, or remove it"}
    assert [cells[0] for cells in cells_of(rows)] == [text.split(",")[0] for text in good]
    assert rows[700][1] == ["bob@b.de", "Bob", "x"]


def test_a_quote_closed_in_a_later_row_does_not_join_the_rows_between(read, block):
    rows = read(HEADER + 'a@b.de,"Bob,1\nb@b.de,Ann,2\nc@b.de,Cid",3\nd@b.de,Dan,4\n')
    assert list(bad(rows)) == [2]
    assert [cells[0] for cells in cells_of(rows)] == ["b@b.de", "c@b.de", "d@b.de"]


def test_values_over_several_lines_are_data_up_to_fifty_lines(read, block):
    lines = "\n".join(f"line {number}, with a@b.de in it" for number in range(49))
    assert cells_of(read(HEADER + f'a@b.de,x,"{lines}"\nb@b.de,y,"1\r\n2"\n')) == [
        ["a@b.de", "x", lines],
        ["b@b.de", "y", "1\r\n2"],
    ]
    rows = read(HEADER + 'a@b.de,x,"' + "\n" * 60 + '"\nb@b.de,y,z\n')
    assert bad(rows)[2].startswith("a quote opens here")
    assert cells_of(rows) == [["b@b.de", "y", "z"]]


def test_a_value_over_several_lines_is_at_most_32_kib(read, block):
    rows = read(HEADER + 'a@b.de,x,"' + ("y" * 20_000 + "\n") * 2 + '"\nb@b.de,y,z\n')
    assert [cells[0] for cells in cells_of(rows)] == ["b@b.de"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a@b.de,x,y,z", "the row has 4 cells"),
        ('a@b.de,"x",y,z', "the row has 4 cells"),
        ("a@b.de,x\0,y", "the value of `name` has the control character U+0000; remove it"),
        ('a@b.de,"x",y\x1b', "the value of `note` has the control character U+001B"),
        ("a@b.de,x\x7f,y", "U+007F"),
        ("a@b.de,x\ry,z", "there is a bare CR"),
        ('a@b.de,"x"\ry,z', "there is a bare CR"),
        ('a@b.de,"x"y,z', "a quote is out of place"),
        ('a@b.de,x,"y', "a quote opens here"),
        (b"a@b.de,J\xf6rg,x", "byte 9 (0xF6) is not UTF-8; correct it"),
        (b'a@b.de,"J\xf6rg\nx",x', "byte 10 (0xF6) is not UTF-8 in line 3; correct it"),
        (b'a@b.de,"Jo\nx\xf6",x', "byte 2 (0xF6) is not UTF-8 in line 4; correct it"),
        ("a@b.de," + "x" * (LONGEST_CELL + 1) + ",y", "a value is longer than 131,072 characters"),
        ('a@b.de,"' + "x" * (LONGEST_CELL + 1) + '",y', "a value is longer than 131,072 characters"),
        ("a@b.de," + "x" * 1_300_000 + ",y", "the line is longer than 1 MiB"),
    ],
)
def test_a_bad_row_is_told_and_the_rest_goes_on(read, block, line, words):
    raw = line.encode() if isinstance(line, str) else line
    rows = read(HEADER.encode() + b"c@b.de,1,2\n" + raw + b"\nd@b.de,3,4\n")
    (number,) = bad(rows)
    assert number == 3
    assert words in bad(rows)[3]
    assert cells_of(rows) == [["c@b.de", "1", "2"], ["d@b.de", "3", "4"]]
    shown = rows[1][1]
    assert len(shown) == 3
    assert shown[0] == "a@b.de"
    assert all(len(cell) <= 512 and "\0" not in cell for cell in shown)


def test_the_longest_value_is_good(read):
    value = "x" * LONGEST_CELL
    assert cells_of(read(HEADER + f'a@b.de,{value},y\nb@b.de,"{value}",y\n')) == [
        ["a@b.de", value, "y"],
        ["b@b.de", value, "y"],
    ]


def test_blank_lines_are_no_rows(read, block):
    rows = read("\n\r\n" + HEADER + '\n \r\na@b.de,x,y\n\n\nb@b.de,"z",y\n\n,,\n')
    assert [(number, cells[0]) for number, cells, _, _ in rows] == [(6, "a@b.de"), (9, "b@b.de"), (11, "")]
    assert cells_of(read("email\n\n\na@b.de\n \n")) == [["a@b.de"]]


def test_no_character_breaks_the_json(read):
    for delimiter in ",\t":
        text = HEADER.replace(",", delimiter) + delimiter.join(["a@b.de", "back\\slash", "\u00f6\u2028"]) + "\n"
        assert cells_of(read(text)) == [["a@b.de", "back\\slash", "\u00f6\u2028"]]
    assert cells_of(read(HEADER + 'a@b.de,"a ""b""",\tx\n')) == [["a@b.de", 'a "b"', "\tx"]]
    assert cells_of(read(HEADER + "a@b.de,a\tb,x\n")) == [["a@b.de", "a\tb", "x"]]


def test_excel_may_announce_the_delimiter(read):
    assert cells_of(read("\ufeffsep=;\r\nemail;a,b\r\na@b.de;1,2\r\n")) == [["a@b.de", "1,2"]]


@pytest.mark.parametrize("data", ["", "\n\n", "\ufeff", " \r\n"])
def test_an_empty_file_is_refused_and_a_header_alone_is_not(read, data):
    with pytest.raises(Refused, match="is empty; put the column names"):
        read(data)
    assert read(data + "email,name") == []


def test_a_file_in_another_encoding_is_refused_with_line_and_byte(read):
    rows = ["a@b.de,J\u00f6rg,x"] * 3 + ["a@b.de,Ann,x"]
    with pytest.raises(Refused, match=r"list.csv:2:9: byte 9 \(0xF6\) is not UTF-8; .* `encoding: windows-1252`"):
        read((HEADER + "\n".join(rows)).encode("cp1252"))
    few = ["a@b.de,Ann,x"] * 80 + ["a@b.de,J\u00f6rg,x"] * 12
    with pytest.raises(Refused, match=r"list.csv:82:9"):
        read((HEADER + "\n".join(few)).encode("cp1252"))
    with pytest.raises(Refused, match=r"list.csv:1:7: byte 7"):
        read("email,\u00f6\n".encode("cp1252"))
    assert len(cells_of(read((HEADER + "\n".join(rows)).encode("cp1252"), encoding="cp1252"))) == 4
    with pytest.raises(Refused, match=r"0x81.* is not cp1252; the file is not written in cp1252"):
        read(HEADER.encode() + b"a@b.de,\x81,x\n" * 3, encoding="cp1252")


def test_one_undecodable_row_never_stops_a_campaign(read):
    assert len(read(HEADER.encode() + b"a@b.de,J\xf6rg,x\n")) == 1
    assert len(bad(read(HEADER.encode() + b"a@b.de,x,y\n" * 3 + b"a@b.de,J\xf6rg,x\n" * 2))) == 2


def test_utf16_is_read_where_it_was_announced(read):
    text = HEADER + 'a@b.de,J\u00f6rg,"x\ny"\n'
    assert cells_of(read(text.encode("utf-16"), encoding="utf-16")) == [["a@b.de", "J\u00f6rg", "x\ny"]]


def test_a_lone_surrogate_in_utf16_is_a_bad_row(read):
    data = (HEADER + "a@b.de,x").encode("utf-16-le") + b"\x00\xd8" + ",y\nb@b.de,x,y\n".encode("utf-16-le")
    rows = read(data, encoding="utf-16-le")
    assert list(bad(rows)) == [2]
    assert len(cells_of(rows)) == 1


def test_a_cut_makes_the_same_bad_row_again_though_the_file_has_grown(read):
    first = HEADER + 'a@b.de,"Bob,1\n'
    grown = first + 'x y",2\n'
    assert list(bad(read(first))) == [2]
    assert bad(read(grown)) == {}
    assert list(bad(read(grown, cuts=[len(first)]))) == [2, 3]


def test_a_million_quotes_take_no_more_than_a_moment(read):
    rows = read(HEADER + 'a@b.de,"x,y\n' * 20_000)
    assert len(rows) == 20_000
    assert cells_of(rows) == []


@given(st.binary(max_size=300) | st.text(st.sampled_from('a@b.,"\n\r\0'), max_size=200).map(str.encode))
def test_any_bytes_at_all_give_rows_of_the_right_width(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("rows") / "list.csv"
    path.write_bytes(HEADER.encode() + data)
    lines = Lines(str(path))
    try:
        rows = Rows(lines).take(1000)
    except Refused:
        assume(False)
    finally:
        lines.close()
    assert all(len(cells) == 3 and json.loads(encoded) == cells for _, cells, encoded, _ in rows)
    assert len(rows) <= data.count(b"\n") + 1
    assert lines.offset == len(data) + len(HEADER)


def test_a_short_row_without_its_address_is_a_bad_row(read, block):
    rows = read('x,email,y\nSpring list\n"by Ann"\n,\nx, \nann@x.de\n')
    assert bad(rows) == {
        line: f"the row has {many} and the header 3, and none holds the address; correct or remove the row"
        for line, many in ((2, "1 cell"), (3, "1 cell"), (5, "2 cells"), (6, "1 cell"))
    }
    assert cells_of(rows) == [["", "", ""]]


@pytest.mark.parametrize("line", ["a@b.de,x", '"a@b.de",x', "a@b.de,x\r", "a@b.de,\u00f6"])
def test_empty_last_cells_may_be_left_out(read, block, line):
    rows = read(HEADER + f"c@b.de,1,2\n{line}\na@b.de\n")
    assert cells_of(rows)[1][0] == "a@b.de"
    assert [len(cells) for cells in cells_of(rows)] == [3, 3, 3]
    assert cells_of(rows)[2] == ["a@b.de", "", ""]


def test_nameless_last_columns_are_left_out_while_they_are_empty(read, block):
    rows = read('email,name,,\nann@x.de,Ann,,\n"bob@x.de",Bob\ncleo@x.de,Cleo, ,\ndan@x.de,Dan,,7\ne@x.de,E,,,\n')
    assert cells_of(rows) == [["ann@x.de", "Ann"], ["bob@x.de", "Bob"], ["cleo@x.de", "Cleo"]]
    assert bad(rows) == {
        5: "there is a value in column 4, which has no name in the header; name it or remove the value",
        6: "the row has 5 cells and the header 4; a value with the delimiter in it needs quotes",
    }


def test_a_piece_of_a_broken_record_is_no_short_row(read, block):
    """Somebody's note must not become a recipient because its quote is missing."""
    text = 'a@x.de,Ann,"call\nbob@y.de, or so\n' + "".join(f"u{number}@x.de,U,\n" for number in range(60))
    rows = read(HEADER + text + "late@x.de,L\n")
    assert list(bad(rows)) == [2, 3]
    assert "a record before it was broken, of which this may be a part" in bad(rows)[3]
    assert cells_of(rows)[-1] == ["late@x.de", "L", ""]


def test_in_a_list_with_short_rows_a_stray_quote_hides_none(read, block):
    rows = read(HEADER + 'z@x.de,Zoe\na@x.de,"Ann\nb@x.de,Bob\nc@x.de,Cleo"\nd@x.de,Dan\n')
    assert list(bad(rows)) == [3]
    assert [cells[0] for cells in cells_of(rows)] == ["z@x.de", "b@x.de", "c@x.de", "d@x.de"]


def test_an_address_over_several_lines_is_a_stray_quote(read, block):
    rows = read(HEADER + '"a@x.de,Ann\nb@x.de","Bob",x\nc@x.de,Cleo,y\n')
    assert list(bad(rows)) == [2]
    assert cells_of(rows)[-1][0] == "c@x.de"


def test_a_header_over_several_lines_counts_its_lines(read, block):
    rows = read('email,"first\nname",name\nb1@a.test,Jo,Al\nx,y,z,\n')
    assert [row[0] for row in rows] == [3, 4]
    assert cells_of(rows) == [["b1@a.test", "Jo", "Al"]]


@pytest.mark.parametrize("marks", [1, 2, 3])
def test_byte_order_marks_are_taken_off(read, block, marks):
    rows = read(b"\xef\xbb\xbf" * marks + b'"email",name\r\nb1@a.test,Jo\r\n')
    assert cells_of(rows) == [["b1@a.test", "Jo"]]


def test_a_mark_elsewhere_stays(read, block):
    rows = read("email\n\ufeffb@a.test\n\ufeffc@a.test\n")
    assert cells_of(rows) == [["\ufeffb@a.test"], ["\ufeffc@a.test"]]


FOOTERS = ["\n\n" + "Spring list\n" * 9, "\n" + "Spring list,,\n" * 9]


@pytest.mark.parametrize("footer", FOOTERS)
def test_a_footer_does_not_outvote_rows_that_cannot_be_decoded(read, footer):
    rows = "a@b.de,V\u00f6gt,x\nb@b.de,Oak,x\nc@b.de,B\u00e4r,x\n"
    with pytest.raises(Refused, match=r"list.csv:2:9: byte 9 \(0xF6\) is not UTF-8; save the file as UTF-8"):
        read((HEADER + rows + footer).encode("latin-1"))


@pytest.mark.parametrize("quoted", [False, True])
def test_a_trailer_behind_the_rows_is_no_rows(read, block, quoted):
    people = "".join(f"user{number}@example.com,Ann,x\n" for number in range(200))
    people = people.replace("Ann", '"Ann"') if quoted else people
    footer = "\n\nSpring list\nMade by the report desk,,\n,,Not for passing on\n"
    assert len(read(HEADER + people + footer, step=7)) == 200
    assert len(read(HEADER + people + footer + "last@example.com\n")) == 204
    assert len(read(HEADER + people + footer * 20)) == 260, "so many are broken rows"


def test_a_list_that_says_who_is_not_mailed_has_no_trailer(read):
    wanted = {"address": frozenset({"email"}), "domain": frozenset({"domain"})}
    assert len(read("email,domain\na@b.de,\n,c.de\n", wanted=wanted)) == 2
