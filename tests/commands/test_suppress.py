"""`bulkmail suppress`, on the spool itself; beside a running service it is in tests/behaviour."""

from __future__ import annotations

import json

import pytest

from bulkmail import cli
from bulkmail.spool import EVERYTHING, Reader, Suppression


def suppressed(place):
    reader = Reader(str(place / "spool"))
    found = reader.suppressions()
    reader.close()
    return {(one.address, one.scope, str(one.reason)): one for one in found}


def run(capsys, *arguments, status=0):
    assert cli.main(["suppress", *arguments]) == status
    return capsys.readouterr().out


def test_before_anything_was_sent_a_spool_is_made(place, capsys):
    assert run(capsys, "check", "ann@a.example", status=1) == "ann@a.example is not suppressed\n"
    assert run(capsys, "list") == ""
    assert not (place / "spool").exists(), "who only looks makes nothing"
    assert run(capsys, "add", "Ann@A.example") == "1 suppressed\n"
    assert set(suppressed(place)) == {("ann@a.example", EVERYTHING, "listed")}


def test_added_looked_up_and_removed(spool, place, capsys):
    assert run(capsys, "add", "ann@a.example", "*@b.example", "--list", "news", "--reason", "unsubscribed",
               "--source", "a letter") == "2 suppressed\n"  # fmt: skip
    assert run(capsys, "add", "ann@a.example", "--reason", "complained") == "1 suppressed\n"
    assert run(capsys, "add", "ann@a.example", "--reason", "complained") == (
        "nothing was changed: all of it was suppressed already\n"
    )
    first, second = run(capsys, "check", "ANN@a.example").splitlines()
    assert first.startswith("ANN@a.example: unsubscribed from the list news, since 20")
    assert first.endswith("Z (a letter)")
    assert second.startswith("ANN@a.example: complained, and left out from everything, since ")
    (of_domain,) = json.loads(run(capsys, "check", "bob@b.example", "--json"))
    assert (of_domain["address"], of_domain["scope"]) == ("@b.example", "list:news")
    assert of_domain["reason"] == "unsubscribed"
    assert run(capsys, "remove", "ann@a.example", "--reason", "unsubscribed") == "1 removed\n"
    assert json.loads(run(capsys, "remove", "ann@a.example", "b.example", "--json")) == {"changed": 2}
    assert suppressed(place) == {}


def test_listed_counted_and_narrowed(spool, capsys):
    run(capsys, "add", "ann@a.example", "bob@b.example")
    run(capsys, "add", "ann@a.example", "--campaign", "spring", "--reason", "bounced-before")
    assert len(run(capsys, "list").splitlines()) == 3
    (only,) = run(capsys, "list", "--campaign", "spring").splitlines()
    assert only.startswith("ann@a.example: returned mail, and left out from the campaign spring, since ")
    entries = [json.loads(line) for line in run(capsys, "list", "--json", "--everything").splitlines()]
    assert {one["address"] for one in entries} == {"ann@a.example", "bob@b.example"}
    assert run(capsys, "list", "--reason", "complained") == ""
    run(capsys, "forget", "bob@b.example")
    assert run(capsys, "list", "--count").splitlines() == [
        "campaign:spring, bounced-before: 1",
        "everything, listed: 2, 1 without address",
        "3 in all",
    ]
    assert json.loads(run(capsys, "list", "--count", "--json", "--everything")) == [
        {"scope": "everything", "reason": "listed", "entries": 2, "with_address": 1}
    ]


def test_who_is_forgotten_stays_suppressed(spool, place, capsys):
    run(capsys, "add", "ann@a.example")
    assert run(capsys, "forget", "ann@a.example") == "1 kept as a hash only\n"
    assert run(capsys, "check", "ann@a.example").startswith("ann@a.example: left out from everything")
    assert run(capsys, "list").startswith("hash ")
    assert b"ann@a.example" not in (place / "spool" / "spool.sqlite3").read_bytes()


def test_where_only_hashes_are_wanted_no_address_is_written(spool, place, capsys):
    (place / "bulkmail.yaml").write_text("suppression: {hashed: true}\n")
    run(capsys, "add", "ann@a.example")
    assert [one.address for one in suppressed(place).values()] == [None]
    run(capsys, "check", "ann@a.example")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["add", "ann"], "has no dot"),
        (["add", "b*b@a.example"], "looks like a pattern"),
        (["add", "a@a.example", "--list", "my list"], "write my-list"),
        (["import", "none.csv"], "none.csv"),
        (["export", "none/x.csv"], "none/x.csv cannot be written"),
    ],
)
def test_what_cannot_be_done(spool, place, capsys, arguments, words):
    assert cli.main(["suppress", *arguments]) == 1
    assert words in capsys.readouterr().err
    assert suppressed(place) == {}


@pytest.mark.parametrize(
    "arguments", [["add"], ["add", "a@a.example", "--reason", "why"], ["list", "--list", "a", "--campaign", "b"], []]
)
def test_wrong_usage(spool, arguments):
    with pytest.raises(SystemExit) as ended:
        cli.main(["suppress", *arguments])
    assert ended.value.code == 2


def test_a_suppression_says_what_it_is():
    assert Suppression("@b.example", "list:news", "listed", "", 0.0).words == (
        "the domain b.example: left out from the list news, since 1970-01-01T00:00:00Z"
    )
