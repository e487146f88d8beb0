"""Errors between processes: plain data in the answer of a worker, raised again by the process that has asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bulkmail.mail.errors import OwnFault, Problem, Refused

_REFUSED, _OWN_FAULT = "refused", "own-fault"


def plain_problems(problems: Iterable[Problem]) -> list[tuple[str, int, int, str]]:
    """Return each problem, or notice, as (file, line, column, message)."""
    return [(str(problem.file), problem.line, problem.column, problem.message) for problem in problems]


def problems_of(plain: Iterable[Sequence[Any]]) -> list[Problem]:
    """Return what `plain_problems` was given."""
    return [Problem(*problem) for problem in plain]


def answer_of(error: Refused | OwnFault) -> tuple[str, Any]:
    """Return the answer that says so: ``("refused", problems)`` or ``("own-fault", text)``."""
    return (_OWN_FAULT, str(error)) if isinstance(error, OwnFault) else (_REFUSED, plain_problems(error.problems))


def checked(answer: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the answer of a worker. Raises the Refused or OwnFault that it stands for (`answer_of`)."""
    if answer[0] == _REFUSED:
        raise Refused(problems_of(answer[1]))
    if answer[0] == _OWN_FAULT:
        raise OwnFault(answer[1])
    return answer
