from __future__ import annotations

from bulkmail.control.problems import RequestProblem


def test_a_problem_has_the_members_of_rfc_9457_and_its_own():
    problem = RequestProblem(404, "there is no campaign 'sprong'", nearest="spring")
    assert problem.plain() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "there is no campaign 'sprong'",
        "nearest": "spring",
    }
    assert str(problem) == "there is no campaign 'sprong'"
