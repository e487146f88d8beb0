from __future__ import annotations

import pytest

from bulkmail.campaign.header import ADDRESS_NAMES, is_announcement, notices, read_header, split
from bulkmail.mail import Refused

WANTED = {"address": ADDRESS_NAMES}


def header(text, *sample, delimiter=None):
    return read_header("list.csv", 1, text, sample, wanted=WANTED, delimiter=delimiter)


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
        ("name,city", "list.csv:1:1: no column is named e-mail or email or email address or mail; the header, split"),
        ("email,,city", "list.csv:1:7: column 2 has no name; name it or remove it"),
        ("email,city,", "list.csv:1:12: column 3 has no name"),
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


def test_all_problems_come_at_once():
    assert len(refusal("a,a,,b,b")) == 4


def test_places_count_quoted_names():
    (problem,) = refusal('email,"a,b",a,a')
    assert problem.startswith("list.csv:1:15:")


def test_a_quote_inside_a_bare_name_is_part_of_it():
    found = header('email,5" pipe,x')
    assert (found.names, found.places) == (("email", '5" pipe', "x"), (1, 1, 1))


CONSENT = "status|Unsubscribed|opt_out|opt-out|Opted Out|optin|subscribed|do not email|DNC|bounced|Subscription Status"
CONSENT += "|is_active|consent|unsubscribed_at|email_status"


@pytest.mark.parametrize("name", CONSENT.split("|"))
def test_columns_about_consent_are_named(name):
    (notice,) = notices("list.csv", 3, header(f"email,{name}"))
    assert str(notice).startswith(f"list.csv:3:7: column `{name}` is only a template variable; it does not suppress")


@pytest.mark.parametrize("name", ["first_name", "order_status_text", "activity", "estate", "option"])
def test_other_columns_are_not(name):
    assert notices("list.csv", 1, header(f"email,{name}")) == []


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
