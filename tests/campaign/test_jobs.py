from __future__ import annotations

import marshal

from bulkmail.campaign.jobs import intake_options, reading_options


def test_both_ways_of_reading_go_by_the_same_rules(read):
    campaign = read("consent: {column: ok, yes: [1]}", encoding="cp1252", suppress="unsubscribed.csv")
    here, there = intake_options(campaign, ["/x.txt"]), reading_options(campaign, ["/x.txt"])
    assert [path.plain for path in here.pop("files")] == there.pop("files")
    listed = there.pop("suppress")
    assert [path.plain for path in here.pop("suppress")] == listed
    assert (len(listed), listed[1]) == (2, "/x.txt")
    assert there.pop("suppressions") == ("", "spring-sale", "spring-sale", "marketing")
    assert here == there
    assert (here["consent"], here["encoding"]) == ({"column": "ok", "yes": ["1"]}, "cp1252")


def test_it_goes_to_another_process_as_plain_data(read):
    campaign = read("where: first_name\nsample: 10%", recipients="{file: recipients.csv, email: email}")
    options = reading_options(campaign)
    assert marshal.loads(marshal.dumps(options)) == options
    assert marshal.loads(marshal.dumps(dict(campaign.lists))) == campaign.lists
    assert options["pick"] == {"where": "first_name", "sample": 0.1, "limit": 0, "order_by": ""}
