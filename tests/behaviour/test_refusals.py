"""Bad input, each kind of it: a clear line on stderr, exit status 1, no traceback, and nothing is sent."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.loopback

ADDRESSES = [f"user-{n}@d{n}.test" for n in range(5)]

# name -> (the file, what becomes of its text, what is said on stderr)
Change = Callable[[str], str]
CAMPAIGN: dict[str, tuple[str, Change, str]] = {
    "no YAML": ("campaign.yaml", lambda text: text + "headers: {X-One: [}\n", r"campaign\.yaml:6:\d+: "),
    "no mapping": ("campaign.yaml", lambda _: "- one\n- two\n", r"campaign\.yaml: must be a mapping"),
    "empty": ("campaign.yaml", lambda _: "", r"campaign\.yaml: the file is empty"),
    "unknown key": (
        "campaign.yaml",
        lambda text: text + "recipient: other.csv\n",
        r"campaign\.yaml:6:1: `recipient` is not a known key; did you mean `recipients`\?",
    ),
    "duplicate key": ("campaign.yaml", lambda text: text + "name: autumn\n", r"campaign\.yaml:6:1: .*name.*line 1"),
    "missing key": (
        "campaign.yaml",
        lambda text: text.replace("recipients: recipients.csv\n", ""),
        r"campaign\.yaml: `recipients` is missing: add",
    ),
    "bad From": (
        "campaign.yaml",
        lambda text: text.replace("news@example.com", "news"),
        r"campaign\.yaml:2:\d+: from: ",
    ),
    "attachment outside": (
        "campaign.yaml",
        lambda text: text + "attachments: [../bulkmail.yaml]\n",
        r"campaign\.yaml:6:\d+: attachments.*\.\./bulkmail\.yaml",
    ),
    "attachment missing": (
        "campaign.yaml",
        lambda text: text + "attachments: [terms.pdf]\n",
        r"campaign\.yaml:6:\d+: attachments.*terms\.pdf",
    ),
    "subject's variable": (
        "campaign.yaml",
        lambda text: text.replace("{{ first_name }}", "{{ firstname }}"),
        r"campaign\.yaml:3:\d+: .*firstname.*first_name",
    ),
    "template syntax": (
        "body.html.j2",
        lambda text: text + "{% if %}\n",
        r"body\.html\.j2:2: the template cannot be read: Expected",
    ),
    "unknown variable": (
        "body.html.j2",
        lambda text: text + "\n{{ fist_name }}",
        r"body\.html\.j2:3:4: unknown variable 'fist_name'; did you mean 'first_name'",
    ),
    "no address column": (
        "recipients.csv",
        lambda text: text.replace("email", "address_line").replace("@", " at "),
        r"recipients\.csv:1:\d+: .*email",
    ),
    "no header": (
        "recipients.csv",
        lambda text: text.partition("\n")[2],
        r"recipients\.csv:1:\d+: .*(header|email)",
    ),
    "empty list": ("recipients.csv", lambda _: "", r"recipients\.csv: is empty; put the column names"),
}

# name -> (changes of the settings, what is said on stderr)
SETTINGS: dict[str, tuple[dict[str, Any], str]] = {
    "bad duration": ({"stop_within": "30 parsecs"}, r"bulkmail\.yaml:\d+:\d+: stop_within: .*30 parsecs"),
    "bad rate": ({"shaping": {"default": {"rate": "fast"}}}, r"bulkmail\.yaml:\d+:\d+: shaping\.default\.rate: .*fast"),
    "unknown key": ({"dsn": {}}, r"bulkmail\.yaml:\d+:1: `dsn` is not a known key; did you mean `dns`\?"),
    "no key": (
        {"dkim": [{"domain": "example.com", "selector": "s1", "key": "campaign/body.html.j2"}]},
        r"bulkmail\.yaml:\d+:\d+: dkim\[0\]: .* not a key in PEM form",
    ),
    "no nameserver": ({"dns": {"nameservers": ["one"]}}, r"bulkmail\.yaml:\d+:\d+: dns\.nameservers.*one"),
}


def check_refused(world: Any, ended: Any, pattern: str, status: int = 1) -> None:
    assert ended.status == status, ended.said
    assert re.search(pattern, ended.err), ended.err
    assert world.server.count() == 0, "nothing is sent"


@pytest.mark.parametrize("name", CAMPAIGN)
def test_bad_campaign(world: Any, name: str) -> None:
    file, change, pattern = CAMPAIGN[name]
    campaign = world.campaign("spring", ADDRESSES)
    path = campaign.folder / file
    path.write_text(change(path.read_text("utf-8")), "utf-8")

    check_refused(world, world.run("-c", "spring"), pattern)
    assert not campaign.report.exists()


@pytest.mark.parametrize("name", SETTINGS)
def test_bad_settings(world: Any, name: str) -> None:
    changes, pattern = SETTINGS[name]
    world.campaign("campaign", ADDRESSES)
    world.settings(**changes)

    check_refused(world, world.run("-c", "campaign"), pattern)
    assert not (world.folder / "spool").exists()


def test_all_problems_are_told_at_once(world: Any) -> None:
    campaign = world.campaign("spring", ADDRESSES, html="{{ one }}\n{{ two }}\n", more="attachment: [a.pdf]\n")
    world.settings(stop_within="soon")
    campaign.yaml.write_text(campaign.yaml.read_text("utf-8").replace("name: spring", "name: 'spring sale'"))

    ended = world.run("-c", "spring")

    for pattern in (r"stop_within", r"`attachment` is .*`attachments`", r"campaign\.yaml:1:\d+: name: "):
        check_refused(world, ended, pattern)


@pytest.mark.parametrize(
    "arguments",
    [(), ("-c", "a", "--watch", "."), ("--colour",), ("-c", "a", "--speed", "2"), ("--watch", "nowhere"), ("-c",)],
    ids=" ".join,
)
def test_wrong_usage(world: Any, arguments: tuple[str, ...]) -> None:
    check_refused(world, world.run(*arguments), r"twistd bulkmail: ", status=2)


def test_files_that_are_not_there_or_cannot_be_read(world: Any) -> None:
    check_refused(world, world.run("-c", "nowhere/campaign.yaml"), "nowhere: this folder does not exist")
    check_refused(world, world.run("-c", "nowhere", "--settings", "other.yaml"), r"other\.yaml")
    campaign = world.campaign("spring", ADDRESSES)
    (campaign.folder / "body.html.j2").unlink()
    os.mkfifo(campaign.folder / "body.html.j2")
    check_refused(world, world.run("-c", "spring"), r"campaign\.yaml:4:\d+: template\.html: .*body\.html\.j2")
    if os.geteuid() != 0:
        campaign.yaml.chmod(0)
        check_refused(world, world.run("-c", "spring"), r"campaign\.yaml")


def test_a_spool_in_use(world: Any, until: Any) -> None:
    world.campaign("first", ["busy-0@d0.test"])
    world.campaign("second", ADDRESSES)
    world.settings(retry={"schedule": ["1h"]})
    running = world.start("-c", "first")
    until(lambda: "waiting: 1 deferred" in running.said(), "the first daemon to wait")

    check_refused(world, world.run("-c", "second"), rf"spool.* is in use by process {running.pid}")

    running.signal(signal.SIGTERM)
    assert running.wait().status == 3


def test_a_spool_that_cannot_be(world: Any) -> None:
    world.campaign("spring", ADDRESSES)
    (world.folder / "spool").write_text("a file")
    check_refused(world, world.run("-c", "spring"), r"spool")
    (world.folder / "spool").unlink()
    world.settings(spool="/dev/null/spool")
    check_refused(world, world.run("-c", "spring"), r"/dev/null/spool")


def test_a_full_disk_at_the_start(world: Any, disk: Callable[[str], Path]) -> None:
    world.settings(spool=str(disk("2m") / "spool"))
    world.campaign("spring", [f"user-{n}@d{n % 20}.test" for n in range(20_000)])

    check_refused(world, world.run("-c", "spring"), r"disk.* kB free .* may need [\d,]+ kB; make room")


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file:
        for size in (65536, 512):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * size)


def test_a_disk_that_fills_up_pauses_the_sending(world: Any, disk: Callable[[str], Path], until: Any) -> None:
    """Our own fault is nobody else's: one clear line, nobody is charged, and it goes on when there is room."""
    small_disk = disk("24m")
    world.settings(spool=str(small_disk / "spool"), shaping={"default": {"rate": "50/s"}})
    campaign = world.campaign("spring", [f"user-{n}@d{n % 20}.test" for n in range(900)])
    running = world.start("-c", "spring")
    until(lambda: world.server.count() > 100, "the first messages")
    fill(small_disk / "ballast")
    until(lambda: "FAULTY: " in running.said(), "the pause")
    assert "sending is paused: " in running.said()
    (small_disk / "ballast").unlink()

    ended = running.wait()

    assert ended.status == 0, ended.said[-4000:]
    campaign.check_report()
    assert campaign.statuses() == {"delivered": 900}
    assert world.server.count() == 900, "exactly once"
    assert {row["attempts"] for row in campaign.rows()} == {"1"}


def test_no_resolver(world: Any) -> None:
    world.campaign("spring", ADDRESSES)
    world.settings(dns={"nameservers": ["127.0.0.1:1"], "timeout": "500ms"})

    check_refused(world, world.run("-c", "spring"), r"bulkmail: .*127\.0\.0\.1")


@pytest.fixture
def stopped(world: Any) -> Any:
    """A campaign of which five rows are sent and five wait."""
    world.settings(retry={"schedule": ["1h"]})
    campaign = world.campaign("spring", ADDRESSES + [f"busy-{n}@d{n}.test" for n in range(5)])
    assert world.run("-c", "spring", "--once").status == 3
    world.server.record.write_text("")
    return campaign


def test_changes_are_refused_on_resume_and_taken_when_accepted(world: Any, stopped: Any) -> None:
    path = stopped.folder / "body.html.j2"
    path.write_text(path.read_text("utf-8") + "<p>One more thing</p>\n", "utf-8")

    check_refused(world, world.run("-c", "spring", "--once"), r"body\.html\.j2 changed since .*--accept-changes")
    shell, _ = world.daemonise("-c", "spring", "--once")
    check_refused(world, shell, r"body\.html\.j2 changed since .*--accept-changes")
    accepted = world.run("-c", "spring", "--once", "--accept-changes")
    assert accepted.status == 3, accepted.said


def test_a_changed_list_is_refused_on_resume(world: Any, stopped: Any) -> None:
    path = stopped.folder / "recipients.csv"
    path.write_text(path.read_text("utf-8").replace("Name 1", "Name X"), "utf-8")

    check_refused(world, world.run("-c", "spring", "--once"), r"recipients\.csv.*chang")


def test_the_same_name_from_another_folder(world: Any, stopped: Any) -> None:
    world.campaign("spring", ADDRESSES, parent=world.folder / "elsewhere")

    check_refused(
        world,
        world.run("-c", "elsewhere/spring"),
        rf"elsewhere/spring/campaign\.yaml:1:\d+: name: 'spring' is already in the spool, .*{stopped.folder}",
    )


def test_an_older_copy_of_the_spool(world: Any) -> None:
    """What was sent since the copy would be sent again: the report knows better."""
    world.settings(retry={"schedule": ["1s"]})
    campaign = world.campaign("spring", [f"later-{n}@d{n}.test" for n in range(5)])
    assert world.run("-c", "spring", "--once").status == 3
    copied = len(campaign.attempts())  # a slow first round has second attempts too
    spool = world.folder / "spool"
    shutil.copytree(spool, world.folder / "copy")
    assert world.run("-c", "spring").status == 0
    assert world.server.count() == 5
    since = len(campaign.attempts()) - copied
    world.server.record.write_text("")
    shutil.rmtree(spool)
    (world.folder / "copy").rename(spool)

    words = (
        rf"report/attempts\.csv: tells of {since} attempts that the spool does not know, so this spool is an older copy"
    )
    check_refused(world, world.run("-c", "spring"), words)
    shutil.rmtree(spool)
    check_refused(world, world.run("-c", "spring"), r"so this spool is another one, or a new one")
    campaign.report.rename(world.folder / "taken away")
    assert world.run("-c", "spring").status == 0, "the operator has said that it is meant so"


def test_a_log_that_was_taken_away(world: Any, until: Any) -> None:
    """Only spool.sqlite3 was copied: what the log had is lost, and the journal tells that there was more."""
    world.settings(shaping={"default": {"rate": "50/s"}})
    world.campaign("spring", [f"user-{n}@d{n % 20}.test" for n in range(500)])
    running = world.start("-c", "spring")
    until(lambda: world.server.count() > 100, "the first messages")
    running.kill_group()
    world.server.record.write_text("")
    for end in ("-wal", "-shm"):
        (world.folder / "spool" / f"spool.sqlite3{end}").unlink()

    check_refused(
        world, world.run("-c", "spring"), r"spool\.sqlite3: knows less than its journal|tells of [\d,]+ attempts"
    )
