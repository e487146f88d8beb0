from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulkmail.campaign.number_formats import plain, shown_by


def show(code: str, value: str, **more: bool) -> str:
    return shown_by(164, {164: code}, **more)(value)


@pytest.mark.parametrize(
    ("code", "value", "shown"),
    [
        ("General", "123", "123"),
        ("General", "0.30000000000000004", "0.3"),
        ("General", "1.2345678901234567E+17", "123456789012345670"),
        ("General", "4915112345678", "4915112345678"),
        ("General", "-3.50", "-3.5"),
        ("@", "42", "42"),
        ("00000", "123", "00123"),
        ("0", "-3.7", "-4"),
        ("0.00%", "0.125", "12.50%"),
        ("0%", "0.125", "13%"),
        ("#,##0.00", "1234567.891", "1,234,567.89"),
        ('#,##0.00\\ "\u20ac"', "12.5", "12.50 \u20ac"),
        ("[$\u20ac-407]#,##0.00", "12.5", "\u20ac12.50"),
        ("[Red]0.0", "2.25", "2.3"),
        ("_-* #,##0.00_-", "3.1", "3.10"),
        ('0;-0;"none"', "0", "none"),
        ("#,##0;(#,##0)", "-5", "(5)"),
        ("#.##", "0.5", ".5"),
        ("0,", "12345", "12"),
        ('"Nr. "0', "7", "Nr. 7"),
        ('"yes";"yes";"no"', "0", "no"),
        ('General" pcs"', "3", "3 pcs"),
        ("0.00E+00", "12345", "12345"),
        ("# ?/?", "0.5", "0.5"),
        ("dd.mm.yyyy", "46027", "05.01.2026"),
        ("dd.mm.yyyy;@", "46027.4", "05.01.2026"),
        ("yyyy\\-mm\\-dd hh:mm:ss", "46027.5", "2026-01-05 12:00:00"),
        ("yyyy-mm-dd hh:mm", "46027.999999999", "2026-01-06 00:00"),
        ("d. mmmm yyyy", "46027", "5. January 2026"),
        ("[$-409]d mmm yy", "46027", "5 Jan 26"),
        ("[$-407]d. mmmm yyyy", "46027", "2026-01-05"),
        ("ddd d mmm", "46027", "Mon 5 Jan"),
        ("h:mm", "0.378472222222222", "9:05"),
        ("h:mm AM/PM", "0.75", "6:00 PM"),
        ("h A/P", "0", "12 A"),
        ("[h]:mm", "1.25", "30:00"),
        ("[mm]:ss", "0.0625", "90:00"),
        ("mm:ss.0", "0.000123", "00:10.6"),
        ("dd/mm/yyyy", "59", "28/02/1900"),
        ("dd/mm/yyyy", "61", "01/03/1900"),
        ("dd/mm/yyyy", "60", "60"),
        ("dd/mm/yyyy", "-1", "-1"),
        ("dd/mm/yyyy", "99999999", "99999999"),
        ("0.00", "#N/A", "#N/A"),
        ("dd.mm.yyyy", "2026-01-05", "2026-01-05"),
    ],
)
def test_a_number_is_what_people_see(code, value, shown):
    assert show(code, value) == shown


@pytest.mark.parametrize(
    ("number", "value", "shown"),
    [(0, "1.5", "1.5"), (9, "0.1", "10%"), (14, "46027", "2026-01-05"), (22, "46027.379", "2026-01-05 9:05")],
)
def test_formats_that_are_built_in(number, value, shown):
    assert shown_by(number, {})(value) == shown


def test_days_may_count_from_1904():
    assert show("dd.mm.yyyy", "44565", from_1904=True) == "05.01.2026"


@given(st.integers(-(10**15), 10**15))
def test_whole_numbers_stay_as_they_are(number):
    assert plain(Decimal(number)) == str(number)


@example("d[", "1")
@given(st.text(max_size=12), st.one_of(st.floats().map(str), st.text(max_size=6)))
def test_no_code_and_no_value_fails(code, value):
    assert isinstance(show(code, value), str)
