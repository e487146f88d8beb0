"""`bulkmail rehearse` with the real simulated world, as a person runs it."""

from __future__ import annotations

import json
import signal
from email import policy
from email.parser import BytesParser
from typing import Any

import pytest

pytestmark = pytest.mark.loopback


def test_it_says_what_became_of_the_rows_and_where_to_look(world: Any) -> None:
    spring = world.campaign("spring", ["ann@accept.test", "bob@nxdomain.test", "carol@accept.test", "dave"])

    ended = world.bulkmail("rehearse", "spring")

    assert ended.status == 0, ended.said
    *first, last = ended.out.splitlines()
    assert first == [
        "spring: rehearsed 4 rows: delivered 2, bounced 1, invalid 1",
        "Nothing was sent to anybody: the mail servers and their answers were simulated.",
        "the report: spring/rehearsal/index.html",
    ]
    assert last.startswith("messages as they arrived: spring/rehearsal/messages/ (first.eml, first.html, ")
    assert "recipients.csv:5: " in ended.err
    place = spring.folder / "rehearsal"
    message = BytesParser(policy=policy.default).parsebytes((place / "messages" / "first.eml").read_bytes())
    assert message["To"] in {"ann@accept.test", "carol@accept.test"}
    assert "spring is here" in message["Subject"]
    assert (place / "messages" / "first.html").read_text().startswith("<")
    assert world.server.count() == 0
    assert not (world.folder / "spool").exists()


def test_for_programs_and_as_fast_as_it_can(world: Any) -> None:
    world.campaign("spring", ["ann@accept.test"])
    ended = world.bulkmail("rehearse", "spring", "--speed", "max", "--json")
    assert ended.status == 0, ended.said
    told = json.loads(ended.out)
    assert told["by_status"]["delivered"] == 1
    assert told["report"] == str(world.folder / "spring" / "rehearsal" / "index.html")


def test_what_a_start_refuses_is_refused(world: Any) -> None:
    spring = world.campaign("spring", ["ann@accept.test"])
    assert world.bulkmail("rehearse", "spring", "--speed", "fast").status == 2
    (spring.folder / "body.html.j2").write_text("{{ nothing }}")
    ended = world.bulkmail("rehearse", "spring")
    assert ended.status == 1
    assert "unknown variable 'nothing'" in ended.err
    assert not (spring.folder / "rehearsal").exists()


def test_a_list_without_rows_is_told(world: Any) -> None:
    world.campaign("spring", [])
    ended = world.bulkmail("rehearse", "spring")
    assert ended.status == 0, ended.said
    assert "recipients.csv: the list has no rows, so nothing will be sent" in ended.err
    assert ended.out.startswith("spring: rehearsed 0 rows: none\n")


def test_no_row_that_can_be_sent_to_is_no_success(world: Any) -> None:
    spring = world.campaign("spring", ["ann@accept.test"], more="suppress: never.csv\n")
    (spring.folder / "never.csv").write_text("ann@accept.test\n")
    ended = world.bulkmail("rehearse", "spring")
    assert ended.status == 1, ended.said
    assert "no row of the list can be sent to" in ended.err


def test_an_interrupt_ends_it_in_good_order(world: Any, until: Any) -> None:
    spring = world.campaign("spring", ["ann@accept.test", "bob@tempfail.test"])
    running = world.start("rehearse", "spring", "--speed", "real", command=("bulkmail",))
    attempts = spring.folder / "rehearsal" / "attempts.csv"
    until(lambda: attempts.exists() and attempts.read_text().count("\n") > 2, "two attempts")
    running.process.send_signal(signal.SIGTERM)
    ended = running.wait()
    assert ended.status == 1
    assert "spring: rehearsed 2 rows: delivered 1, deferred 1\n" in ended.out
    assert "the rehearsal was stopped before its end" in ended.err


def test_a_list_that_is_bad_at_some_receivers_stops_there(world: Any) -> None:
    people = [f"p{n}@refuse.test" for n in range(100)] + [f"p{n}@google.test" for n in range(60)]
    spring = world.campaign("spring", people, more="canary: {per_provider: 20, of: 50}\n")
    ended = world.bulkmail("rehearse", "spring", "--speed", "max")
    assert ended.status == 1, ended.said
    assert "other: Stopped by a rule since " in ended.err
    assert "messages to other receivers bounced, and the limit is 10 % of 20" in ended.err
    figures = json.loads((spring.folder / "rehearsal" / "summary.json").read_bytes())
    assert (figures["situation"], figures["exit_status"]) == ("stopped", 3)
    assert figures["by_provider"]["other"].get("bounced", 0) < 20
    assert sum(figures["by_provider"]["google"].values()) == 60
    assert figures["by_status"]["pending"] >= 80
