"""The process that makes what is looked at before an approval, against real servers on loopback."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

pytestmark = pytest.mark.loopback

MADE = ("check.csv", "plan.txt", "preview")


@pytest.fixture
def look_over(world: Any, run_python: Any) -> Any:
    def run(*words: str) -> Any:
        command = [sys.executable, "-P", "-m", "bulkmail.commands.look_over", "--settings", "bulkmail.yaml"]
        return run_python([*command, *words], cwd=world.folder)

    return run


def made(campaign: Any) -> list[str]:
    return [name for name in MADE if (campaign.folder / name).exists()]


def test_all_of_it_is_made_and_each_address_gets_the_letter_of_each_variant(world: Any, look_over: Any) -> None:
    people = ["ann-1@d0.test", "bob", "carol-1@d1.test", "ann-1@d0.test"]
    spring = world.campaign("spring", people, more="variants: {a: {}, b: {subject: 'Bye {{ first_name }}'}}\n")

    ended = look_over("--to=me-1@d2.test", "--to=bounce-1@d3.test", str(spring.folder))

    assert ended.returncode == 0, ended.stderr
    answer = json.loads(ended.stdout)
    assert answer["errors"] == []
    assert list(answer["untested"]) == ["bounce-1@d3.test"]
    assert "bounce-1@d3.test: not accepted by mx3.test" in answer["untested"]["bounce-1@d3.test"]
    assert made(spring) == list(MADE)
    assert [one["to"] for one in world.server.received()] == ["me-1@d2.test"] * 2
    assert {path.name for path in (spring.folder / "preview").iterdir()} >= {"index.html", "row-1.a.eml", "row-3.b.eml"}
    # the check and the plan are what the commands of these names say
    told = (spring.folder / "plan.txt").read_text()
    checked, planned = world.bulkmail("check", "spring").out, world.bulkmail("plan", "spring").out
    assert told.splitlines()[0] == checked.splitlines()[0]
    assert told.splitlines()[-1] == planned.splitlines()[-1]
    assert planned.splitlines()[0] in told.splitlines()


def test_nothing_follows_a_check_that_finds_errors(world: Any, look_over: Any) -> None:
    spring = world.campaign("spring", ["ann-1@d0.test"])
    (spring.folder / "body.html.j2").write_text("<p>{{ 1 // (first_name|length - 6) }}</p>\n")

    ended = look_over("--to=me-1@d2.test", str(spring.folder))

    assert ended.returncode == 0, ended.stderr
    assert [error["code"] for error in json.loads(ended.stdout)["errors"]] == ["no-message", "template-error"]
    assert made(spring) == ["check.csv"]
    assert (spring.folder / "PROBLEMS.txt").exists()
    assert world.server.count() == 0


def test_files_that_cannot_be_used_are_an_error_of_the_campaign(world: Any, look_over: Any) -> None:
    spring = world.campaign("spring", ["ann-1@d0.test"])
    spring.yaml.write_text(spring.yaml.read_text().replace("subject:", "subjekt:"))

    ended = look_over(str(spring.folder))

    assert ended.returncode == 0, ended.stderr
    assert {error["code"] for error in json.loads(ended.stdout)["errors"]} == {"refused"}
    assert "subjekt" in (spring.folder / "PROBLEMS.txt").read_text()
    assert made(spring) == []


def test_a_list_without_rows_gives_nothing_to_look_at(world: Any, look_over: Any) -> None:
    spring = world.campaign("spring", [])

    ended = look_over(str(spring.folder))

    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.splitlines()[-1] == "no row of the list can be sent to; bulkmail check says why"


def test_settings_that_cannot_be_used_are_no_fault_of_the_campaign(world: Any, look_over: Any) -> None:
    spring = world.campaign("spring", ["ann-1@d0.test"])
    (world.folder / "bulkmail.yaml").write_text("shapping: {}\n")

    ended = look_over(str(spring.folder))

    assert ended.returncode == 1
    assert "shapping" in ended.stderr
    assert not (spring.folder / "PROBLEMS.txt").exists()
