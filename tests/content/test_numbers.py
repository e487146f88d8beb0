"""What the filters int and float take for a number, and what they say of the rest."""

from __future__ import annotations

import pytest

from bulkmail.content.templates import RowError, TemplateSet


def rendered(source, value):
    templates = TemplateSet({"a": source}, html=False)
    return templates.file("a", "text").render({**templates.globals, "amount": value})


@pytest.mark.parametrize(
    ("source", "value", "printed"),
    [
        ("{{ amount|float * 2 }}", "12.5", "25.0"),
        ("{{ amount|int + 1 }}", " 7 ", "8"),
        ("{{ amount|int }}", "12.9", "12"),
        ("{{ amount|int(base=16) }}", "ff", "255"),
        ("{{ amount|int(3) }}", "many", "3"),
        ("{{ amount|float(default=0.5) }}", "", "0.5"),
        ("{{ amount|float(1) }}", "nan", "1"),
        ("{{ (amount|length)|float }}", "abc", "3.0"),
    ],
)
def test_numbers_and_defaults(source, value, printed):
    assert rendered(source, value) == printed


@pytest.mark.parametrize(
    ("source", "value", "words"),
    [
        ("{{ amount|float * 2 }}", "12,50", "'12,50' is no number for |float; write it with a dot"),
        ("{{ amount|int }}", "", "an empty value is no number for |int; correct it in the list"),
        ("{{ amount|int }}", "ten", "'ten' is no number for |int; correct it in the list, or give a default: |int(0)"),
        ("{{ amount|float }}", "inf", "'inf' is no number for |float"),
        ("{% if amount|int > 3 %}x{% endif %}", "1.000,5", "'1.000,5' is no number for |int"),
    ],
)
def test_what_is_no_number_is_told_and_never_zero(source, value, words):
    with pytest.raises(RowError) as error:
        rendered(source, value)
    assert words in str(error.value)
