from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.exceptions import TemplateRuntimeError

from bulkmail.content.local_forms import direction, local_filters
from bulkmail.content.templates import RowError, TemplateSet


def shown(tag, source, **variables):
    return TemplateSet({}, html=False, locale=tag).text(source, "x").render(variables).replace("\u202f", "\u00a0")


@pytest.mark.parametrize(
    ("tag", "source", "words"),
    [
        ("en", "{{ '2026-12-31'|date }}", "Dec 31, 2026"),
        ("de", "{{ '2026-12-31'|date }}", "31.12.2026"),
        ("de", "{{ '2026-12-31T18:30'|date('full') }}", "Donnerstag, 31. Dezember 2026"),
        ("fr-CA", "{{ '2026-12-31'|date('d MMMM') }}", "31 décembre"),
        ("de", "{{ '2026-12-31T18:30'|datetime('short') }}", "31.12.26, 18:30"),
        ("en", "{{ '1234567.891'|number }}", "1,234,567.891"),
        ("de_CH", "{{ '1234567.5'|money('CHF') }}", "CHF\u00a01\u2019234\u2019567.50"),
        ("en-ZZ", "{{ '2026-12-31'|date }}", "Dec 31, 2026"),
        ("xx", "{{ '1234.5'|number }}", "1,234.5"),
        ("hi", "{{ '1234567'|number }}", "12,34,567"),
        ("pt-BR", "{{ 12|number(1) }}", "12,0"),
        ("de", "{{ '0.155'|percent(1) }}", "15,5\u00a0%"),
        ("en", "{{ 0.5|percent }}", "50%"),
        ("en", "{{ '1999.5'|money('EUR') }}", "€1,999.50"),
        ("fr", "{{ '1999.5'|money('EUR') }}", "1\u00a0999,50\u00a0€"),
        ("ja", "{{ 1999|money('JPY') }}", "￥1,999"),
        ("en", "{{ 1|plural(one='{} point', other='{} points') }}", "1 point"),
        ("en", "{{ '1500'|plural(one='{} point', other='{} points') }}", "1,500 points"),
        ("pl", "{{ 3|plural(one='{} punkt', few='{} punkty', many='{} punktów', other='{} punktu') }}", "3 punkty"),
        ("pl", "{{ 5|plural(one='{} punkt', few='{} punkty', many='{} punktów', other='{} punktu') }}", "5 punktów"),
        ("ar", "{{ 2|plural(two='two', other='many') }}", "two"),
    ],
)
def test_as_people_of_the_locale_write_it(tag, source, words):
    assert shown(tag, source) == words


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ 'soon'|date }}", "'soon' is not a date; dates are read as 2026-12-31"),
        ("{{ ''|date }}", "'' is not a date"),
        ("{{ '1.234,5'|number }}", "'1.234,5' is not a number that can be written; numbers are read as 1234.5"),
        ("{{ 'NaN'|number }}", "'NaN' is not a number"),
        ("{{ '1e999999'|number }}", "is not a number"),
        ("{{ 1|number(11) }}", "a whole number from 0 to 10"),
        ("{{ 1|money('euro') }}", "'euro' is not a currency; write its code of three letters"),
        ("{{ 1|plural(one='x') }}", "the form `other` is missing"),
        ("{{ 1|plural(other='x', several='y') }}", "'several' is no plural form"),
        ("{{ '2026-12-31'|date(5) }}", "the form of a date is one of short"),
    ],
)
def test_what_is_neither_is_told(source, words):
    with pytest.raises(RowError) as caught:
        shown("en", source)
    assert words in str(caught.value)


@given(st.text(max_size=40))
def test_whatever_stands_in_a_cell_it_is_a_text_or_told(cell):
    filters = local_filters("de")
    for name, more in (("date", ()), ("datetime", ()), ("number", ()), ("percent", ()), ("money", ("EUR",))):
        with contextlib.suppress(TemplateRuntimeError):
            assert isinstance(filters[name](cell, *more), str)


@pytest.mark.parametrize(
    ("tag", "way"),
    [("ar", "rtl"), ("he-IL", "rtl"), ("fa_IR", "rtl"), ("en", "ltr"), ("az-Arab", "rtl"), ("ur-Latn", "ltr")],
)
def test_the_direction_of_a_language(tag, way):
    assert direction(tag) == way


def test_a_form_is_escaped_like_any_text():
    template = TemplateSet({}, html=True, locale="en").text("{{ 1|plural(one=word, other='x') }}", "x")
    assert template.render({"word": "a<b"}) == "a&lt;b"


def test_places_in_an_order() -> None:
    written = {
        tag: [local_filters(tag)["ordinal"](value) for value in (1, "2", 3, 11, 22)] for tag in ("en-GB", "de", "sv")
    }
    assert written == {
        "en-GB": ["1st", "2nd", "3rd", "11th", "22nd"],
        "de": ["1.", "2.", "3.", "11.", "22."],
        "sv": ["1:a", "2:a", "3:e", "11:e", "22:a"],
    }
    for tag, value in (("en", "1.5"), ("en", "-1"), ("en", "x"), ("ja", "1")):
        with pytest.raises(TemplateRuntimeError):
            local_filters(tag)["ordinal"](value)
