from __future__ import annotations

import pytest

from bulkmail.content import Condition, condition_problem

COLUMNS = ["email", "First Name", "plan", "orders"]
CELLS = ["a@b.test", "Ann", "plus", "7"]


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("plan == 'plus'", True),
        ("plan in ['free', 'basic']", False),
        ("orders|int > 6 and first_name", True),
        ('row["First Name"] == "Ann"', True),
        ("email.endswith('@b.test')", True),
        ("not plan", False),
        ("orders == 7", False),
        ("missing is defined and missing == 'x'", False),
        ("missing|default('x') == 'x'", True),
        ("'{{' ~ plan", True),
    ],
)
def test_it_is_true_or_not(expression, holds):
    condition = Condition(expression)
    assert condition.lacking(COLUMNS) == ""
    assert condition.for_columns(COLUMNS)(CELLS) is holds


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("plann == 'plus'", "`plann` is no column of it; did you mean `plan`?"),
        ('row["first name"]', '`row["first name"]` is no column of it; did you mean `First Name`?'),
        ("token == 'x'", "`token` is no column of it"),
        ("xyzzy", "`xyzzy` is no column of it"),
    ],
)
def test_a_column_that_is_not_there_is_named(expression, words):
    assert Condition(expression).lacking(COLUMNS) == words


@pytest.mark.parametrize("expression", ["plan ==", "", "plan }} x", "plan plan", "{% if x %}", "plan = 'a'"])
def test_what_is_no_condition_is_refused(expression):
    assert condition_problem(expression).startswith("is not a condition (")
    with pytest.raises(ValueError, match="write it like plan == 'plus'"):
        Condition(expression)
    assert condition_problem("plan") == ""


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("orders > 6", "write \\|int or \\|float behind the name"),
        ("1 / (orders|int - 7)", "ZeroDivisionError"),
        ("''.__class__", "unsafe"),
        ("'x' * 10000000", "the product is longer"),
        ("range(1000000)|list", "Range too big"),
    ],
)
def test_what_cannot_be_applied_is_told_and_the_sandbox_holds(expression, words):
    with pytest.raises(ValueError, match=words):
        Condition(expression).for_columns(COLUMNS)(CELLS)
