"""Faults of our own, made with the real thing: sending pauses before it could forget, says so, and goes on alone.

In every case nobody is charged: each recipient has one attempt, and what was received is what was sent, once.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.loopback


def people(count: int) -> list[str]:
    return [f"user-{n}@d{n % 20}.test" for n in range(count)]


@pytest.fixture
def slow(world: Any) -> None:
    """So slow that there is a middle to break something in."""
    world.settings(shaping={"default": {"rate": "30/s"}})


def check_nobody_was_charged(world: Any, campaign: Any, ended: Any) -> None:
    assert ended.status == 0, ended.said[-4000:]
    seen = world.reconciled(campaign).seen
    assert campaign.statuses() == {"delivered": len(campaign.addresses)}
    assert seen["attempts"] == seen["messages received"] == len(campaign.addresses)


def check_told_once(said: str, words: str) -> None:
    found = re.findall(rf"(?:sending is paused|reading the recipients waits): .*(?:{words}).*", said)
    assert found, said[-4000:]
    assert len(found) == len(set(found)), "each cause is told once"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("mid-claim:eio@3", "Input/output error"),
        ("mid-claim:enospc@3", "No space left"),
        ("mid-settle:eio@2", "Input/output error"),
        ("mid-import:enospc@2", "No space left"),
    ],
)
def test_an_error_of_the_disk_in_a_transaction(world: Any, slow: None, fault: str, words: str) -> None:
    campaign = world.campaign("spring", people(300))

    ended = world.failing(fault, "-c", "spring").wait()

    check_nobody_was_charged(world, campaign, ended)
    check_told_once(ended.said, words)


def test_a_journal_that_cannot_be_written(world: Any) -> None:
    """Of a dot: it does not leave. Of a reply: the spool has it all the same."""
    world.settings(shaping={"total": {"connections": 1}})
    campaign = world.campaign("spring", [f"user-{n}@d0.test" for n in range(100)])

    ended = world.failing("journal-write:eio@10", "-c", "spring").wait()

    check_nobody_was_charged(world, campaign, ended)
    assert "the journal in " in ended.said


def test_a_dot_that_cannot_be_journalled_does_not_leave(world: Any, until: Any) -> None:
    campaign = world.campaign("spring", [f"user-{n}@d0.test" for n in range(10)])
    running = world.failing("journal-write:enospc", "-c", "spring")
    until(lambda: "sending is paused: the journal in " in running.said(), "the pause")
    paused = time.time()
    until(lambda: "FAULTY: " in running.said(), "the live line to say so")
    until(lambda: world.server.connections()[-1]["at"] > paused + 2, "another try")

    assert world.server.count() == 0
    running.kill_group()
    check_nobody_was_charged(world, campaign, world.run("-c", "spring"))


def test_a_locked_database(world: Any, slow: None, until: Any) -> None:
    """Somebody looks into the spool with a tool that locks it."""
    campaign = world.campaign("spring", people(300))
    running = world.start("-c", "spring")
    until(lambda: world.server.count() > 30, "the first messages")
    other = sqlite3.connect(world.folder / "spool" / "spool.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    until(lambda: "sending is paused: " in running.said(), "the pause")
    other.execute("ROLLBACK")
    other.close()

    ended = running.wait()

    check_nobody_was_charged(world, campaign, ended)
    check_told_once(ended.said, "database is locked")


def test_files_that_may_not_grow(world: Any, slow: None, until: Any) -> None:
    """RLIMIT_FSIZE of a running process: every file in it meets its end, the log's too."""
    campaign = world.campaign("spring", people(600))
    running = world.start("-c", "spring")
    until(lambda: world.server.count() > 100, "the first messages")
    soft, hard = resource.prlimit(running.pid, resource.RLIMIT_FSIZE)
    size = (world.folder / "spool" / "spool.sqlite3-wal").stat().st_size
    resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (size, hard))
    until(lambda: "sending is paused: " in running.said(), "the pause")
    resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (soft, hard))

    check_nobody_was_charged(world, campaign, running.wait())


def descriptors(pid: int) -> dict[int, str]:
    """What each open descriptor of a process is, by number."""
    found = {}
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found[int(one.name)] = os.readlink(one)
    return found


def test_no_descriptors_left(world: Any, until: Any) -> None:
    world.settings(shaping={"default": {"rate": "40/s", "messages_per_connection": 5}})
    campaign = world.campaign("spring", people(600))
    running = world.start("-c", "spring")
    until(lambda: world.server.count() > 100, "the first messages")
    before, hard = resource.prlimit(running.pid, resource.RLIMIT_NOFILE)
    used = descriptors(running.pid)
    first = min(number for number, what in used.items() if what.startswith("socket:"))
    # below every connection, so that one which ends leaves no room for the next one
    resource.prlimit(running.pid, resource.RLIMIT_NOFILE, (min({first} | (set(range(first)) - used.keys())), hard))
    until(lambda: "sending is paused: " in running.said(), "the pause")
    resource.prlimit(running.pid, resource.RLIMIT_NOFILE, (before, hard))

    ended = running.wait()

    check_nobody_was_charged(world, campaign, ended)
    check_told_once(ended.said, "[Tt]oo many open files|descriptors")


def test_a_stopped_process_finds_its_answers_when_it_goes_on(world: Any, until: Any) -> None:
    """SIGSTOP, a frozen machine: every deadline has passed, and the replies have come. They count."""
    hosts = [f"127.0.1.{n}" for n in range(1, 5)]
    world.start_mail(hosts, delay=0.3)
    world.settings(smtp={"timeouts": {"dot": "6s", "mail": "6s", "rcpt": "6s", "data": "6s"}})
    campaign = world.campaign("spring", people(400))
    running = world.start("-c", "spring")
    for _ in range(2):
        count = world.server.count()
        until(lambda count=count: world.server.count() > count + 30, "messages under way")
        running.signal(signal.SIGSTOP)
        time.sleep(7)
        running.signal(signal.SIGCONT)

    check_nobody_was_charged(world, campaign, running.wait())


@pytest.mark.parametrize("jump", ["+365d", "-1h"])
def test_the_clock_is_set(world: Any, clock_of_programs: Path, until: Any, jump: str) -> None:
    """Rows that wait for their retry are tried in their time, none expires, none is tried again and again."""
    world.settings(
        retry={"schedule": ["3s"], "greylist_after": "3s", "unknown_after": "3s", "expire_after": "30m"},
        shaping={"default": {"rate": "30/s"}},
    )
    campaign = world.campaign("spring", people(200) + [f"later-{n}@d{n % 20}.test" for n in range(100)])
    running = world.start("-c", "spring")
    until(lambda: world.server.count() > 50, "the first messages")
    clock_of_programs.write_text(jump + "\n")

    ended = running.wait()

    assert ended.status == 0, ended.said[-4000:]
    world.reconciled(campaign)
    assert campaign.statuses() == {"delivered": 300}
    assert {row["attempts"] for row in campaign.rows() if row["email"].startswith("later")} == {"2"}
    assert "the clock was set" in ended.said


def test_a_poison_row_is_set_aside_after_two_tries(world: Any) -> None:
    """It really ends the process that composes it, each time: in its batch, and alone."""
    campaign = world.campaign("spring", people(200))

    ended = world.failing("compose=user-77@d17.test:abort", "-c", "spring").wait()

    assert ended.status == 0, ended.said[-4000:]
    campaign.check_report()
    assert campaign.statuses() == {"delivered": 199, "invalid": 1}
    (poison,) = (row for row in campaign.rows() if row["status"] == "invalid")
    assert (poison["email"], poison["category"]) == ("user-77@d17.test", "template")
    assert "this row cannot be composed: " in poison["reply"]
    assert ended.said.count("process ended by signal 6") == 2
    assert world.server.count() == 199
    assert {len(ids) for ids in world.server.ids().values()} == {1}


def test_every_worker_killed_twice(world: Any, slow: None, until: Any) -> None:
    campaign = world.campaign("spring", people(400))
    running = world.start("-c", "spring")
    for share in (40, 200):
        until(lambda share=share: world.server.count() > share, "messages")
        for pid in running.group():
            if pid != running.pid:
                os.kill(pid, signal.SIGKILL)

    check_nobody_was_charged(world, campaign, running.wait())


def test_a_report_that_is_deleted_edited_and_in_the_way(world: Any, until: Any) -> None:
    world.settings(shaping={"default": {"rate": "10/s"}})
    campaign = world.campaign("spring", people(600))
    running = world.start("-c", "spring")
    until(lambda: world.server.count() > 50 and (campaign.report / "attempts.csv").exists(), "the report")
    campaign.report.rename(world.folder / "taken away")
    campaign.report.write_text("in the way")
    until(lambda: "the report of spring cannot be written: " in running.said(), "the complaint")
    campaign.report.unlink()
    until((campaign.report / "attempts.csv").exists, "the report to come back")
    with (campaign.report / "attempts.csv").open("a") as file:
        file.write("somebody wrote here")
    assert world.server.count() < 600, "too late to tell anything"

    check_nobody_was_charged(world, campaign, running.wait())


def test_the_log_is_rotated(world: Any, slow: None, until: Any) -> None:
    campaign = world.campaign("spring", people(300))
    _, pid_file = world.daemonise("-c", "spring")
    pid = int(until(lambda: pid_file.exists() and pid_file.read_text().strip(), "the pid file"))
    until(lambda: world.server.count() > 30, "the first messages")
    os.kill(pid, signal.SIGUSR1)
    until((world.folder / "twistd.log.1").exists, "the rotated log")
    until(lambda: not pid_file.exists(), "the end")

    campaign.check_report()
    assert campaign.statuses() == {"delivered": 300}
    assert "spring: finished, delivered 300" in (world.folder / "twistd.log").read_text()
    assert "starting up" in (world.folder / "twistd.log.1").read_text()


def test_a_spool_that_can_only_be_read(world: Any, disk: Any) -> None:
    place = disk("24m")
    world.settings(spool=str(place / "spool"), retry={"schedule": ["1h"]})
    world.campaign("spring", ["busy-0@d0.test"])
    assert world.run("-c", "spring", "--once").status == 3
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)

    ended = world.run("-c", "spring")

    assert ended.status == 1, ended.said
    assert re.search(r"spool.*is its disk read-only", ended.err), ended.err


def test_a_report_on_a_full_disk(world: Any, disk: Any, until: Any) -> None:
    """The report waits, the sending does not."""
    place = disk("4m")
    world.settings(shaping={"default": {"rate": "20/s"}})
    campaign = world.campaign("spring", people(500))
    campaign.report.mkdir()
    subprocess.run(["mount", "--bind", str(place), str(campaign.report)], check=True)
    world.on_end(subprocess.run, ["umount", "-l", str(campaign.report)])
    running = world.start("-c", "spring")
    until(lambda: world.server.count() > 50, "the first messages")
    with (place / "ballast").open("wb", buffering=0) as file:
        for size in (65536, 512):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * size)
    until(lambda: "the report of spring cannot be written: " in running.said(), "the complaint")
    until(lambda: world.server.count() == 500, "all messages meanwhile")
    (place / "ballast").unlink()

    check_nobody_was_charged(world, campaign, running.wait())


@pytest.mark.parametrize("variables", [{"LANG": "C", "LC_ALL": "C", "TZ": "Pacific/Apia"}], ids=["LANG=C"])
def test_an_odd_environment_changes_nothing(world: Any, variables: dict[str, str]) -> None:
    campaign = world.campaign("spring", people(5), cells=lambda n: [f"Ж{n}"])

    ended = world.start("-c", "spring", environment=variables).wait()

    check_nobody_was_charged(world, campaign, ended)
    kept = [path.read_bytes() for path in world.server.kept.iterdir()]
    assert all(re.search(rb"\r\nDate: .* \+0000\r\n", message) for message in kept)
    assert campaign.rows()[0]["completed_at"].endswith("Z")
    assert [row["first_name"] for row in campaign.rows()] == [f"Ж{n}" for n in range(5)]


def test_a_name_server_that_takes_to_denying_everything(world: Any, until: Any) -> None:
    """It would bounce the whole list; but it denies what must exist as well, so it is not believed."""
    root = world.folder / "campaigns"
    first = world.campaign("first", ["user-0@d0.test"], parent=root)
    running = world.start("--watch", "campaigns")
    until(lambda: (first.folder / "STATUS.txt").exists() and world.server.count() == 1, "the first campaign")
    world.names_lie(True)
    spring = world.campaign("spring", [f"user-{n}@d{n}.test" for n in range(1, 20)], parent=world.folder)
    spring.folder = spring.folder.rename(root / "spring")
    until(lambda: "sending is paused: " in running.said(), "the pause")
    world.names_lie(False)
    until(lambda: "spring: finished" in running.said(), "the campaign")
    running.signal(signal.SIGTERM)
    ended = running.wait()

    spring.check_report()
    denied = {row["email"] for row in spring.rows() if row["status"] != "delivered"}
    assert denied == set(), "not one was bounced"
    assert {row["attempts"] for row in spring.rows()} == {"1"}
    check_told_once(ended.said, "denies that there is witness.test")


def test_a_name_server_that_denies_everything_from_the_start(world: Any) -> None:
    world.names_lie(True)
    world.campaign("spring", people(5))

    ended = world.run("-c", "spring")

    assert ended.status == 1
    assert re.search(r"bulkmail: the nameserver .* denies that there is witness\.test", ended.err), ended.err


def test_a_name_server_that_takes_to_refusing_everything(world: Any, until: Any) -> None:
    """It lost its upstream. What must exist is refused as well, so it is not the domains that are charged."""
    root = world.folder / "campaigns"
    first = world.campaign("first", ["user-0@d0.test"], parent=root)
    running = world.start("--watch", "campaigns")
    until(lambda: (first.folder / "STATUS.txt").exists() and world.server.count() == 1, "the first campaign")
    world.names_refuse(True)
    spring = world.campaign("spring", [f"user-{n}@d{n}.test" for n in range(1, 20)], parent=world.folder)
    spring.folder = spring.folder.rename(root / "spring")
    until(lambda: "sending is paused: " in running.said(), "the pause")
    world.names_refuse(False)
    until(lambda: "spring: finished" in running.said(), "the campaign")
    running.signal(signal.SIGTERM)
    ended = running.wait()

    spring.check_report()
    assert spring.statuses() == {"delivered": 19}
    assert {row["attempts"] for row in spring.rows()} == {"1"}
    check_told_once(ended.said, r"answers no question, not even for witness\.test: .* says REFUSED \(Not Ready\)")


def test_a_name_server_that_refuses_everything_from_the_start(world: Any) -> None:
    world.names_refuse(True)
    world.campaign("spring", people(5))

    ended = world.run("-c", "spring")

    assert ended.status == 1
    words = (
        f"bulkmail: the nameserver ({world.nameserver}) answers no question, not even for witness.test: "
        f"{world.nameserver} says REFUSED (Not Ready) for witness.test NS; see to its access list"
    )
    assert words in ended.err
    assert world.server.count() == 0


def test_a_name_server_that_refuses_one_domain_is_not_at_fault(world: Any) -> None:
    """dnsmasq without upstream knows its own names only."""
    world.settings(retry={"expire_after": "1s"})
    campaign = world.campaign("spring", ["user-0@elsewhere.example", *people(20)])

    ended = world.run("-c", "spring")

    assert ended.status == 0, ended.said
    assert campaign.statuses() == {"delivered": 20, "expired": 1}
    assert "sending is paused" not in ended.said
    assert "says REFUSED (Not Ready) for elsewhere.example MX" in campaign.rows()[0]["reply"]
