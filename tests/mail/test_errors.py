from __future__ import annotations

import pytest

from bulkmail.mail import Problem, Refused, UnknownName, check_name


def test_a_problem_says_where() -> None:
    assert str(Problem("a.yaml", 3, 7, "no")) == "a.yaml:3:7: no"
    assert str(Problem("a.yaml", 3, 0, "no")) == "a.yaml:3: no"
    assert str(Problem("a.yaml", 0, 0, "no")) == "a.yaml: no"


def test_a_refusal_tells_everything_at_once() -> None:
    refused = Refused([Problem("a", 1, 1, "x"), Problem("b", 2, 2, "y")])
    assert str(refused) == "a:1:1: x\nb:2:2: y"
    assert len(refused.problems) == 2


def test_a_problem_is_one_line_that_can_be_printed() -> None:
    problem = Problem("a\x1b[2J.csv", 1, 2, "the name \u202ea\x07\u009b\n`\ud800` Gr\u00fc\u00dfe is no name")
    assert str(problem) == (r"a\x1b[2J.csv:1:2: the name \u202ea\x07\x9b\n`\ud800` Grüße is no name")
    assert str(Refused([problem])).count("\n") == 0


def test_of_an_unknown_name_the_nearest_is_told() -> None:
    assert str(UnknownName("campaign", "sprng", ["spring", "autumn"])) == (
        "there is no campaign 'sprng'; the nearest is 'spring'"
    )
    assert str(UnknownName("campaign", "x", ["spring", "autumn"])) == (
        "there is no campaign 'x'; there is 'autumn', 'spring'"
    )
    told = str(UnknownName("campaign", "x", [f"spring{n:02}" for n in range(14)]))
    assert told.endswith("'spring09' and 4 more")
    assert str(UnknownName("campaign", "x", [])) == "there is no campaign 'x'; there is none"


def test_a_name_is_one_of_those_that_are_known() -> None:
    check_name("provider", "gmx", {"gmx": 1})
    with pytest.raises(UnknownName, match="there is no provider 'gmy'; the nearest is 'gmx'"):
        check_name("provider", "gmy", {"gmx": 1})
