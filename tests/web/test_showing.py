"""What a page is given to show: for whom, and what of it is renewed."""

from __future__ import annotations

import asyncio

import pytest

from bulkmail.mail import UnknownName
from bulkmail.web.showing import NoPageError, Showing, Wanted, allowed
from bulkmail.web.users import Role
from bulkmail.web.views import SHOWN
from tests.web.known import AT, HOSTILE, NAME, Api, campaign


def show(*path, role=Role.LOOK, api=None, **query):
    return asyncio.run(Showing(api or Api()).show(Wanted(path, query, role)))


def test_a_role_says_which_buttons_a_page_has():
    assert allowed(Role.LOOK) == []
    assert allowed(Role.STEER) == ["pause", "resume", "cancel", "try-now", "pace", "forget"]
    assert show("campaigns", NAME).values["actions"] == []
    assert show("campaigns", NAME, role=Role.STEER).values["actions"] == ["resume", "try-now", "cancel"]
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


def test_only_the_statuses_that_rows_have_are_columns():
    assert show("campaigns", NAME).values["shown"] == list(SHOWN)
    api = Api()
    api.campaigns = [campaign(by_status={"pending": 1000})]
    assert show("campaigns", "spring", api=api).values["shown"] == ["delivered"]


def test_the_recipients_of_a_status_a_page_at_a_time():
    sheet = show("campaigns", NAME, "rows", "bounced")
    assert (sheet.template, sheet.live) == ("rows", False)
    assert (sheet.values["count"], len(sheet.values["rows"]), sheet.values["more"]) == (20, 2, 1)
    assert sheet.values["words"].title == "Bounced"
    last = show("campaigns", NAME, "rows", "bounced", before="1")
    assert (last.values["rows"], last.values["more"], last.values["before"]) == ([], None, True)
    assert show("campaigns", NAME, "rows", "bounced", before="x").values["before"] is False


def test_the_recipients_of_a_status_at_one_provider():
    values = show("campaigns", NAME, "rows", "bounced", HOSTILE[:40]).values
    assert (values["provider"], values["count"], len(values["rows"])) == (HOSTILE[:40], 20, 2)
    assert show("campaigns", NAME, "rows", "bounced", "nowhere").values["count"] == 0


def test_who_is_behind_a_reply_a_page_at_a_time():
    path = ("campaigns", NAME, "replies", "google", "0123456789abcdef")
    sheet = show(*path)
    told = sheet.values["told"]
    assert (sheet.template, sheet.live, len(told["rows"]), told["next"]) == ("replied", False, 2, 2)
    assert sheet.values["why"] == "We were asked to slow down"
    last = show(*path, **{"from": "2"}).values
    assert (len(last["told"]["rows"]), last["told"]["next"], last["first"]) == (1, None, 2)
    gone = show(*path[:-1], "other words").values
    assert (gone["told"]["reply"], gone["why"]) == ("", "")


def test_a_status_that_there_is_not():
    with pytest.raises(UnknownName, match="the nearest is 'bounced'"):
        show("campaigns", NAME, "rows", "bounce")
    with pytest.raises(NoPageError):
        show("campaigns", NAME, "row", "bounced")


def test_the_variants_of_a_campaign():
    values = show("campaigns", NAME).values
    assert [one["variant"] for one in values["variants"]] == ["a", HOSTILE]
    assert (values["winner"]["variant"], values["counted_at"]) == ("a", AT)


def test_a_provider_has_its_unfetched_policies_of_all_that_there_are():
    asked = []

    class Asked(Api):
        async def __call__(self, name, path=None, *, query=None, order=None):
            if name.startswith("unfetched"):
                asked.append((name, path, query))
            return await super().__call__(name, path, query=query, order=order)

    values = show("providers", "google", api=Asked()).values
    assert (len(values["unfetched"]), values["more_unfetched"]) == (50, True)
    values = show("providers", api=Asked()).values
    assert (len(values["unfetched"]), values["more_unfetched"]) == (1, False)
    assert asked == [("unfetched_of", {"name": "google"}, {"most": "51"}), ("unfetched", None, {"most": "51"})]
