from __future__ import annotations

import pytest

from bulkmail.campaign.files import ListPath
from bulkmail.campaign.header import find_header, is_announcement, read_header, split
from bulkmail.campaign.lines import Lines
from bulkmail.campaign.names import ADDRESS_NAMES
from bulkmail.mail import Refused

WANTED = {"address": ADDRESS_NAMES}


def header(text, *sample, delimiter=None):
    return read_header("list.csv", 1, [*text.split("\n"), *sample], wanted=WANTED, delimiter=delimiter)


def refusal(text, *sample):
    with pytest.raises(Refused) as caught:
        header(text, *sample)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("name", ["email", "E-Mail", " EMAIL  Address ", "Mail", '"e-mail"'])
def test_the_address_goes_by_four_names_in_any_case(name):
    found = header(f"first,{name},last")
    assert found.roles == {"address": 1}
    assert found.names[0] == "first"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_each_delimiter_is_found(delimiter):
    text = delimiter.join(["email", "first name", '"last, ; | name"'])
    found = header(text + "\r")
    assert (found.delimiter, len(found.names)) == (delimiter, 3)


def test_the_rows_decide_where_the_header_leaves_two_ways():
    assert header("mail;a,mail", "x@y.de;1,2,3").delimiter == ";"
    assert header("mail;a,mail", "x;y;z,x@y.de").delimiter == ","
    assert header("email", "a@b.de").delimiter == ","


def test_a_given_delimiter_is_not_guessed_again():
    assert header("email;a,mail", delimiter=";").names == ("email", "a,mail")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "name,city",
            "list.csv:1:1: no column is named `email`, or has another name known for addresses; the header, ",
        ),
        ("email,,city", "list.csv:1:7: column 2 has no name; name it or remove it"),
        ("email,,city,", "list.csv:1:7: column 2 has no name"),
        ("email,city, city ", "list.csv:1:12: the column name `city` is there twice (also as column 2); rename one"),
        ("email,x,E-Mail", "list.csv:1:9: two columns could be the address, `email` and `E-Mail`; rename one"),
        ("Bob,bob@example.com,x", "list.csv:1:5: the first row holds an address: a CSV without a header is refused"),
        ("bob@example.com", "list.csv:1:1: the first row holds an address"),
        ("email,a\x01b", "list.csv:1:7: the column name 'a\\x01b' has a control character"),
        ("email,a\rx@y.de,b\r", "list.csv:1:8: lines end in a bare CR"),
        ('email,"a', "list.csv:1:7: the header has a quote out of place"),
    ],
)
def test_refusals_have_line_column_and_remedy(text, expected):
    (problem,) = refusal(text)
    assert problem.startswith(expected)


@pytest.mark.parametrize(
    "name",
    [
        "E-mail Address", "E-Mail-Adresse", "Adresse e-mail", "Indirizzo email", "E-mail 1 - Value", "email_address",
        "EmailAddress", "E_Mail", "Primary Email", "E-post", "Correo electr\u00f3nico", "CORREO ELECTRONICO",
        "E\u2011Mail", "E-mail:", "E-mail del partecipante", "Courriel", "Endere\u00e7o de e-mail",
        "\u30e1\u30fc\u30eb\u30a2\u30c9\u30ec\u30b9", "email\u200b", "\uff25\uff2d\uff21\uff29\uff2c",
    ],
)  # fmt: skip
def test_the_names_of_common_exports_are_known(name):
    assert header(f"name,{name}").roles == {"address": 1}


def test_a_usual_name_goes_before_one_that_says_more():
    assert header("Billing Email,Email,Work Email").roles == {"address": 1}
    (problem,) = refusal("Work Email,Personal Email")
    assert problem.startswith("list.csv:1:12: two columns could be the address, `Work Email` and `Personal Email`")


def test_the_only_column_that_holds_addresses_is_taken_and_told():
    found = header("Name,Login", "Ann,ann@x.example", ",", "Bob,bob@x.example ::: b@y.example")
    assert found.roles == {"address": 1}
    assert found.note == (
        "no column has a name known for addresses; those of column 2, `Login`, are taken, for its cells hold "
        "addresses, and no other's do"
    )
    assert header("email,Login", "a@x.example,b@x.example").note == ""


def test_a_column_that_holds_the_same_address_in_each_row_is_not_taken():
    (problem,) = refusal("Name,Owner", "Ann,rep@x.example", "Bob,Rep@x.example", "Cid,rep@x.example")
    assert "the cells of column 2, `Owner`, hold addresses: rename that column to `email`, or name it" in problem


def test_of_several_columns_that_hold_addresses_none_is_taken():
    (problem,) = refusal("A;B;C", "a@x.example;b@x.example;c", ";d@x.example;")
    assert "the cells of column 1, `A`, and of column 2, `B`, hold addresses: rename the one to be mailed" in problem
    assert "`recipients: {file: list.csv, email: NAME}`" in problem


def test_the_cells_decide_between_names_that_are_known():
    assert header("Email,E-mail Address", "yes,a@x.example", "no,b@x.example").roles == {"address": 1}
    assert header("Work Email,Personal Email", ",a@x.example", ",b@x.example").roles == {"address": 1}
    assert header("Email,Work Email", "yes,a@x.example").roles == {"address": 1}
    assert header("Email,Work Email", "a@x.example,b@x.example").roles == {"address": 0}
    assert header("Email,Work Email").roles == {"address": 0}


@pytest.mark.parametrize("address", ["Work Email", " work_email", 1])
def test_the_column_that_is_named_is_taken(address):
    texts = ["email,Work Email,Mail", "a@x.example,b@x.example,c@x.example"]
    assert read_header("list.csv", 1, texts, wanted=WANTED, address=address).roles == {"address": 1}


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("email,Work Mail", "did you mean `Work Mail`?"),
        ("email,city", "correct the name"),
        ("work_email,Work-Email", "more than one is named so"),
    ],
)
def test_a_column_that_is_named_and_missing_is_refused(names, words):
    with pytest.raises(Refused, match="`email` names the column `Work Email`, which is not there") as refused:
        read_header("list.csv", 1, [names], wanted=WANTED, address="Work Email")
    assert words in str(refused.value)


def test_names_in_quotes_of_which_none_is_known_are_no_quote_out_of_place():
    (problem,) = refusal('"Name","City"', '"Ann","Rome"')
    assert problem.endswith("split at comma, has: Name, City; name the column of the addresses `email`")
    assert header('"Name","E-mail Address"', '"Ada","ada@acorn.example"').roles == {"address": 1}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_name_may_go_over_several_lines(end):
    found = header(f'email,"first{end}name",name', "b1@a.test,Jo,Al")
    assert (found.names, found.lines, found.places) == (("email", "first name", "name"), 2, (1, 1, 1))


def test_a_stray_quote_does_not_make_rows_part_of_the_header():
    (problem,) = refusal('email,"name', 'ann@x.example,"Ann"', 'bob@x.example,"Bob"')
    assert "the header has a quote out of place" in problem
    (problem,) = refusal('email,"name', 'ann@x.example,Ann"')
    assert "the header has a quote out of place" in problem


def test_last_columns_may_have_no_name():
    found = header("email;name;;")
    assert (found.names, found.nameless) == (("email", "name"), 2)
    assert header("email,").names == ("email",)


def test_all_problems_come_at_once():
    *names, lacking = refusal("a,a,,b,b")
    assert names == [
        "list.csv:1:3: the column name `a` is there twice (also as column 1); rename one",
        "list.csv:1:5: column 3 has no name; name it or remove it",
        "list.csv:1:8: the column name `b` is there twice (also as column 4); rename one",
    ]
    assert lacking.startswith("list.csv:1:1: no column is named `email`")


def test_places_count_quoted_names():
    (problem,) = refusal('email,"a,b",a,a')
    assert problem.startswith("list.csv:1:15:")


def test_a_quote_inside_a_bare_name_is_part_of_it():
    found = header('email,5" pipe,x')
    assert (found.names, found.places) == (("email", '5" pipe', "x"), (1, 1, 1))


def test_excel_announces_its_delimiter():
    assert is_announcement("sep=;\r") == ";"
    assert is_announcement('"sep=\t"') == "\t"
    assert is_announcement("separator") is None


def test_split_is_strict():
    assert split('a,"b,c"', ",") == ["a", "b,c"]
    assert split('a,"b"c', ",") is None
    assert split('a,"b', ",") is None


def test_no_more_than_a_thousand_columns_are_read():
    names = ",".join(f"c{number}" for number in range(999))
    assert len(header(f"email,{names}").names) == 1000
    with pytest.raises(Refused, match="the header has 1,001 columns and 1,000 are read"):
        header(f"email,{names},more")


def test_what_an_operators_file_holds_is_not_told_to_whom_a_refusal_is_told():
    with pytest.raises(Refused) as caught:
        read_header(ListPath.of("/etc/secret"), 1, ["hunter2;x"], wanted=WANTED)
    assert "has 2 columns; name the column" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Exported on 2026-12-01\n\nemail,name\nann@a.test,Ann\nbob@a.test,Bob", 3),
        ('Notes:\n"Some of the addresses may be missing, see help."\n\nFirst Name,URL,Email Address\nA,x,a@a.test', 4),
        ("Kundenliste;Stand 1.12.\r\nNr;Ort;E-Mail-Adresse\r\n1;Ulm;a@a.test", 2),
    ],
)
def test_lines_above_the_header_are_left_out_and_told(text, line, tmp_path):
    path = tmp_path / "list.csv"
    path.write_bytes(text.encode())
    lines = Lines(str(path))
    number, found = find_header(lines, WANTED, None)
    assert number == line
    assert found.note == f"the header is in line {line}; what stands above it is left out"
    assert lines.line == line + 1
    lines.close()


def test_a_name_further_down_makes_no_row_a_header(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("Name,Channel\nAnn,Email\nBob,Email\n")
    lines = Lines(str(path))
    with pytest.raises(Refused, match=r"list\.csv:1:1: no column is named `email`"):
        find_header(lines, WANTED, None)
    lines.close()


def test_a_row_that_has_the_word_email_in_it_is_no_header():
    (problem,) = refusal("Name,Channel\nAnn,Email\nBob,Email")
    assert problem.endswith("name the column of the addresses `email`")
