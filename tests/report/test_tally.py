from __future__ import annotations

import json
import marshal

import pytest

from bulkmail.mail import Status
from bulkmail.report.tally import Domains, Stats, Wordings, wording_key


def test_domains_are_counted_in_their_one_spelling():
    domains = Domains()
    domains.add(["a@Example.com", "b@example.COM ", "c@bücher.example", "d@xn--bcher-kva.example"], ["delivered"] * 4)
    domains.add(["e@example.com"], ["bounced"])
    assert domains.top() == {
        "example.com": {"bounced": 1, "delivered": 2},
        "xn--bcher-kva.example": {"delivered": 2},
    }


def test_a_bad_address_has_no_domain():
    domains = Domains()
    domains.add(["nothing", "a@b@c", "x@ü..example"], ["invalid", "invalid", "bounced"])
    assert domains.top() == {"ü..example": {"bounced": 1}}


def test_of_many_domains_the_heavy_ones_are_exact_and_memory_is_bounded():
    domains = Domains(kept=200)
    for start in range(0, 20_000, 100):
        light = [f"x@rare-{n}.example" for n in range(start, start + 100)]
        heavy = [f"x@big-{n % 5}.example" for n in range(50)]
        domains.add(light + heavy, ["delivered"] * 150)
        assert len(domains._counts) <= 400
    assert list(domains.top(5).items()) == [(f"big-{n}.example", {"delivered": 2000}) for n in range(5)]


def test_wordings_that_differ_in_ids_are_one():
    wordings = Wordings()
    for n in range(5):
        wordings.add("bad-mailbox", 550, f"5.1.1 <user{n}@example.com> does not exist q{n}-{n * n}")
    wordings.add("bad-mailbox", 550, "5.1.1 unknown user")
    assert wordings.top() == {
        "bad-mailbox": [("550 5.1.1 <…@example.com> does not exist q0-0", 5), ("550 5.1.1 unknown user", 1)]
    }


def test_a_wording_has_one_name_wherever_it_is_met():
    wordings = Wordings()
    wordings.add("policy", 550, "5.7.1 Message from 192.0.2.1 refused, ann@a.example")
    ((category, key, _, count),) = wordings.said(3)
    assert (category, count) == ("policy", 1)
    assert key == wording_key("policy", 550, "5.7.1 Message from 198.51.100.7 refused, bob@b.example")
    others = [("spam", 550, "Message from refused,"), ("policy", 554, "Message from refused,"), ("policy", 550, "no")]
    assert key not in {wording_key(*other) for other in others}
    assert wording_key("policy", None, "\udcff") == wording_key("policy", 0, "\udcff")


def test_at_most_three_wordings_and_the_most_frequent_first():
    wordings = Wordings()
    for times, word in enumerate(["one", "two", "three", "four"], 1):
        for _ in range(times):
            wordings.add("policy", None, word)
    assert wordings.top() == {"policy": [("four", 4), ("three", 3), ("two", 2)]}


def test_memory_for_wordings_is_bounded():
    wordings = Wordings(most=10)
    for letter in "abcdefghijklmnopqrstuvwxyz":
        wordings.add("policy", 550, "common")
        wordings.add("policy", 550, letter)
        assert len(wordings._counts) == len(wordings._examples) <= 10
    assert wordings.top()["policy"][0] == ("550 common", 26)


def test_a_hostile_reply_cannot_hang_or_break_a_line():
    wordings = Wordings()
    wordings.add("other", 550, "a@" * 5000 + "\r\n" + "." * 5000)
    ((text, number),) = wordings.top()["other"]
    assert number == 1
    assert len(text) <= 512
    assert text.isprintable()


def test_statuses_sum_to_the_rows_and_all_are_there():
    stats = Stats()
    stats.add(
        ["a@b.example"] * 3,
        ["delivered", "bounced", "bounced"],
        ["", "quota", "policy"],
        [250] * 3,
        [""] * 3,
    )
    assert set(stats.by_status) == set(Status)
    assert sum(stats.by_status.values()) == stats.rows == 3
    assert stats.by_category == {"quota": 1, "policy": 1}


def test_the_parts_for_the_summary_are_plain_data():
    stats = Stats()
    stats.add(["a@b.example"], ["delivered"], [""], [250], ["ok"])
    assert marshal.loads(marshal.dumps(stats.parts())) == json.loads(json.dumps(stats.parts()))


@pytest.mark.parametrize(
    ("email", "reply", "shown"),
    [
        ("Ann@a.example", "5.1.1 <ann@a.example> unknown", "5.1.1 <…@a.example> unknown"),
        ("ann(at)a.example", "'ann(at)a.example': write only local@domain", "'…': write only local@domain"),
        ("ann@a.example", "bob@b.example and local@domain", "…@b.example and local@domain"),
        ("a", "a line that says a", "a line that says a"),
    ],
)  # fmt: skip
def test_no_example_names_a_person_and_our_own_advice_stays_readable(email, reply, shown):
    wordings = Wordings()
    wordings.add("other", None, reply, email)
    assert wordings.top() == {"other": [(shown, 1)]}
    assert (wordings.total("other"), wordings.total("policy")) == (1, 0)
