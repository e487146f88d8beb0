from __future__ import annotations

import pytest

from bulkmail.content.arithmetic import texts_as_numbers
from bulkmail.content.templates import TemplateSet

ENVIRONMENT = TemplateSet({}, html=False).environment
COLUMNS = frozenset({"amount", "price", "name"})


def names(source):
    return [use.name for use, _ in texts_as_numbers(ENVIRONMENT.parse(source), COLUMNS)]


@pytest.mark.parametrize(
    "source",
    [
        "{{ amount + 5 }}",
        "{{ 5 - amount }}",
        "{{ amount * 1.19 }}",
        "{{ amount / 2 }}{{ amount // 2 }}{{ amount % 2 }}{{ amount ** 2 }}",
        "{% if amount > 100 %}x{% endif %}",
        "{% if 100 <= amount %}x{% endif %}",
        "{% if amount == 3 %}x{% endif %}",
        "{{ amount|round }}",
        "{% for n in range(amount) %}x{% endfor %}",
        "{{ 'a' if amount >= 3 else 'b' }}",
    ],
)
def test_a_column_that_is_taken_for_a_number(source):
    assert set(names(source)) == {"amount"}


def test_two_columns_of_which_one_is_taken_from_the_other():
    assert names("{{ amount - price }}") == ["amount", "price"]


@pytest.mark.parametrize(
    "source",
    [
        "{{ amount|int + 5 }}",
        "{{ amount|float * 2 }}",
        "{{ name + name }}{{ name + '!' }}{{ name ~ 5 }}",
        "{% if amount == '3' %}x{% endif %}",
        "{% if name in ['a', 'b'] %}x{% endif %}",
        "{{ 5 + 5 }}{{ name|length + 5 }}",
        "{{ other + 5 }}",
        "{{ name == true }}",
        "{% for n in range(amount|int) %}x{% endfor %}",
        "{{ '%s' % name }}",
    ],
)
def test_what_is_no_mistake(source):
    assert names(source) == []


def test_the_words_and_the_line():
    ((use, words),) = texts_as_numbers(ENVIRONMENT.parse("\n{{ amount + 5 }}"), COLUMNS)
    assert use.line == 2
    assert words == "`amount` is text, as each value of a list; for a number write amount|int or amount|float"
