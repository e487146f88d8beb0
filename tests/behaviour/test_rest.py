"""A second campaign to those who did not get the first, or to all but those who did."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.loopback, pytest.mark.slow]

FIRST = ["user-1@d0.test", "bounce-1@d1.test", "reject-1@d2.test", "user-2@d3.test"]


def rewrite(campaign: Any, old: str, new: str) -> None:
    text = campaign.yaml.read_text()
    assert old in text
    campaign.yaml.write_text(text.replace(old, new))


def test_the_rest_of_a_campaign_and_all_but_those_who_got_it(world: Any) -> None:
    first = world.campaign("first", FIRST)
    early = world.campaign("early", [])
    rewrite(early, "recipients: recipients.csv", "recipients: {rest_of: first}")
    refused = world.run("-c", "early")
    assert refused.status == 1
    assert "campaign.yaml:5:13: recipients: " in refused.said  # there is no spool yet

    assert world.run("-c", "first").status == 0
    first.check_report()
    assert [row["status"] for row in first.rows()] == ["delivered", "bounced", "blocked", "delivered"]

    assert world.bulkmail("check", "early").said.startswith("early: ")
    assert world.run("-c", "early").status == 0
    assert [(row["email"], row["status"], row["first_name"]) for row in early.rows()] == [
        ("reject-1@d2.test", "blocked", "Name 2")
    ]

    more = world.campaign("more", [*FIRST, "user-3@d4.test"], more="suppress: {got: first}\n")
    assert world.run("-c", "more").status == 0
    assert [row["status"] for row in more.rows()] == ["suppressed", "suppressed", "blocked", "suppressed", "delivered"]
    assert more.rows()[0]["reply"] == "the address got first"
    assert more.rows()[1]["category"] == "bounced-before", "by rule: there is no such mailbox"
    assert {to: len(ids) for to, ids in world.server.ids().items()} == dict.fromkeys(
        ["user-1@d0.test", "user-2@d3.test", "user-3@d4.test"], 1
    )
    again = world.run("-c", "early")
    assert (again.status, "early is finished; nothing was sent" in again.said) == (0, True)


def test_a_watched_campaign_to_the_rest_that_is_killed_goes_on(world: Any, until: Any) -> None:
    addresses = [f"reject-{n}@d{n % 20}.test" for n in range(40)]
    world.campaign("first", addresses)
    assert world.run("-c", "first").status == 0
    root = world.folder / "campaigns"
    second = world.campaign("second", [], parent=root)
    rewrite(second, "recipients: recipients.csv", "recipients: {rest_of: first}")
    world.failing("after-settle:kill-group@1", "--watch", "campaigns").wait()
    world.start("--watch", "campaigns")
    until(
        lambda: (second.report / "summary.json").exists() and second.summary()["state"] == "finished",
        "the second campaign",
    )
    assert sorted(row["email"] for row in second.rows()) == sorted(addresses)
    assert second.statuses() == {"blocked": 40}
