"""What a page is given to show: for whom, and what of it is renewed."""

from __future__ import annotations

import asyncio

import pytest

from bulkmail.web.showing import NoPageError, Showing, Wanted, allowed
from bulkmail.web.users import Role
from tests.web.known import AT, NAME, Api, campaign


def show(*path, role=Role.LOOK, api=None, **query):
    return asyncio.run(Showing(api or Api()).show(Wanted(path, query, role)))


def test_a_role_says_which_buttons_a_page_has():
    assert allowed(Role.LOOK) == []
    assert allowed(Role.STEER) == ["pause", "resume", "cancel", "pace", "forget"]
    assert show("campaigns", NAME).values["actions"] == []
    assert show("campaigns", NAME, role=Role.STEER).values["actions"] == ["resume", "cancel"]
    assert show("holds", role=Role.STEER).values["can"] == allowed(Role.STEER)


@pytest.mark.parametrize("path", [("nowhere",), ("campaigns",), ("campaigns", "a", "b"), ("holds", "x"), ("live",)])
def test_there_are_no_other_pages(path):
    with pytest.raises(NoPageError):
        show(*path)


def test_what_is_over_is_not_renewed():
    api = Api()
    api.campaigns = [campaign("autumn", "finished", ended_at=AT), campaign()]
    assert [show("campaigns", name, api=api).live for name in ("autumn", "spring")] == [False, True]
    assert [show(*path, api=api).live for path in ((), ("holds",), ("providers",), ("recipients",))] == [
        True,
        True,
        True,
        False,
    ]
    front = show(api=api)
    assert [[line["name"] for line in front.values[key]] for key in ("going", "over")] == [["spring"], ["autumn"]]
