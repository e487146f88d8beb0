from __future__ import annotations

import pytest

from bulkmail.control.operations import OPERATIONS, find
from bulkmail.control.problems import RequestProblem


@pytest.mark.parametrize(
    ("method", "path", "name", "parameters"),
    [
        ("GET", "/campaigns", "campaigns", {}),
        ("GET", "/campaigns/spring-sale", "campaign", {"name": "spring-sale"}),
        ("HEAD", "/health", "health", {}),
        ("POST", "/campaigns/a%2Fb/pause", "pause", {"name": "a/b"}),
        ("GET", "/openapi.json", "openapi", {}),
    ],
)
def test_an_operation_is_found_by_its_method_and_path(method, path, name, parameters):
    operation, found = find(method, path)
    assert (operation.name, found) == (name, parameters)


@pytest.mark.parametrize("path", ["/", "/campaign", "/campaigns/spring/stop", "/campaigns/a/b/c/d", "//"])
def test_there_is_no_such_resource(path):
    with pytest.raises(RequestProblem, match="there is no resource") as told:
        find("GET", path)
    assert told.value.status == 404


def test_a_wrong_method_is_told_the_right_ones():
    with pytest.raises(RequestProblem, match="takes POST only") as told:
        find("GET", "/campaigns/spring/pause")
    assert (told.value.status, told.value.more) == (405, {"allow": ["POST"]})


def test_no_two_operations_are_the_same():
    assert len({(operation.method, operation.path) for operation in OPERATIONS}) == len(OPERATIONS)
    assert len({operation.name for operation in OPERATIONS}) == len(OPERATIONS)
