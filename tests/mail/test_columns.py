from __future__ import annotations

import pytest

from bulkmail.mail import column_at, variable_name


@pytest.mark.parametrize(
    ("column", "variable"),
    [
        ("First Name", "first_name"),
        ("first_name", "first_name"),
        ("  E-Mail (work) ", "e_mail_work"),
        ("2nd name", "_2nd_name"),
        ("Prénom", "prénom"),
        ("???", ""),
        ("", ""),
    ],
)
def test_a_column_as_a_variable(column, variable):
    assert variable_name(column) == variable


@pytest.mark.parametrize(
    ("wanted", "columns", "at"),
    [
        ("tz", ["email", "tz"], 1),
        ("tz", ["TZ", "tz"], 1),  # its own name before that of a variable
        ("sprache", ["E-Mail", "Sprache"], 1),
        ("Time Zone", ["email", "time_zone"], 1),
        ("zone", ["email"], None),
        ("--", ["email", ""], None),
    ],
)
def test_where_a_column_is(wanted, columns, at):
    assert column_at(wanted, columns) == at
