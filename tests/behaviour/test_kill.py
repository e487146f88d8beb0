"""kill -9, by plan and by chance: nothing is lost, nothing reported twice, and only what had no answer is doubled."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.loopback, pytest.mark.slow]

PATIENCE = 550.0  # seconds; a busy machine is no fault
LOOP = Path(__file__).parent.parent.parent / "bench" / "kill_loop.py"
ROWS = 10_000
CONNECTIONS = 40
WINDOW = 16


@pytest.mark.parametrize("chunking", [False, True], ids=["DATA", "BDAT"])
def test_three_kills(world: Any, until: Any, chunking: bool) -> None:
    rng = random.Random(20261123)
    campaign = world.campaign("spring", [f"user-{n}@d{n % 20}.test" for n in range(ROWS)])
    hosts = [f"127.0.1.{n}" for n in range(1, 5)]
    world.start_mail(hosts, delay=0.005, chunking=chunking)  # so that at each kill some messages have no answer yet
    world.settings(shaping={"total": {"connections": CONNECTIONS}})
    received = world.server.count

    for kill, share in enumerate((0.1, 0.3, 0.6)):
        running = world.start("-c", "spring")
        enough = int(ROWS * (share + rng.random() * 0.2))
        until(lambda enough=enough: received() >= enough, f"{enough} messages", every=rng.uniform(0.001, 0.02))
        if kill == 1:
            running.signal(signal.SIGKILL)
            running.process.wait()
            until(lambda running=running: not running.group(), "the workers of a killed daemon to end")
        else:
            running.kill_group()
        assert received() < ROWS, "killed too late to tell anything"
        # the report is behind, but what it says is true
        written = (campaign.report / "recipients.csv").exists()  # not before the first refresh
        delivered = {row["email"] for row in campaign.rows() if row["status"] == "delivered"} if written else set()
        assert delivered <= set(world.server.ids())

    ended = world.run("-c", "spring")

    assert ended.status == 0, ended.said[-4000:]
    campaign.check_report()
    assert campaign.statuses() == {"delivered": ROWS}
    got = world.server.received()
    assert {one["to"] for one in got} == set(campaign.addresses), "nothing is lost"

    attempts = campaign.attempts()
    assert len(attempts) == world.stored_attempts()
    unanswered = {attempt["email"] for attempt in attempts if attempt["result"] == "unknown"}
    digests: dict[str, list[str]] = {}
    for one in got:
        digests.setdefault(one["to"], []).append(one["digest"])
    doubled = {to for to, found in digests.items() if len(found) > 1}
    assert doubled <= unanswered, "a double has to have a lost reply as its reason"
    assert doubled, "no message was in flight at any kill: this run told nothing"
    assert len(unanswered) <= 3 * CONNECTIONS * (WINDOW if chunking else 1)
    assert {len(set(found)) for found in digests.values()} == {1}, "a double is the same message, byte by byte"
    assert {len(set(ids)) for ids in world.server.ids().values()} == {1}
    summary = campaign.summary()
    assert summary["possibly_doubled"] == len(unanswered)
    assert {row["message_id"] for row in campaign.rows()} == {one["message_id"] for one in got}


def unconfirmed(world: Any, kind: str, rows: int, *, chunking: bool) -> Any:
    """A campaign to a receiver that keeps each message and confirms none."""
    campaign = world.campaign("spring", [f"{kind}-{n}@d0.test" for n in range(rows)])
    world.start_mail(["127.0.1.1"], chunking=chunking)
    world.settings(
        smtp={"timeouts": {"dot": "1s"}},
        retry={"schedule": ["500ms"], "unknown_after": "500ms", "expire_after": "10m"},
        shaping={"default": {"connections": 4, "rate": "2000/s"}},
    )
    return campaign


@pytest.mark.parametrize("chunking", [False, True], ids=["DATA", "BDAT"])
@pytest.mark.parametrize("kind", ["never", "mute"])
def test_a_receiver_that_never_confirms_gets_three_copies_at_most(
    world: Any, until: Any, chunking: bool, kind: str
) -> None:
    """To two recipients: from the third on it is sent to so slowly that this would take hours."""
    rng = random.Random(13)
    campaign = unconfirmed(world, kind, rows=2, chunking=chunking)

    for kill in range(3):
        running = world.start("-c", "spring")
        until(
            lambda kill=kill, running=running: world.server.count() > kill or running.process.poll() is not None,
            "copies", every=rng.uniform(0.001, 0.02),
        )  # fmt: skip
        running.kill_group()
    ended = world.run("-c", "spring")

    assert ended.status == 0, ended.said[-4000:]
    campaign.check_report()
    assert campaign.statuses() == {"unknown": 2}
    copies = {to: len(ids) for to, ids in world.server.ids().items()}
    assert max(copies.values()) <= 3
    assert sum(copies.values()) > 2, "nothing was sent twice: this run told nothing"
    assert {row["attempts"] for row in campaign.rows()} == {"3"}


@pytest.mark.parametrize("chunking", [False, True], ids=["DATA", "BDAT"])
@pytest.mark.parametrize("kind", ["never", "mute"])
def test_that_a_receiver_confirms_nothing_is_told_by_the_run_that_learns_it(
    world: Any, until: Any, chunking: bool, kind: str
) -> None:
    campaign = unconfirmed(world, kind, rows=20, chunking=chunking)
    words = "leaves one message after the other without a reply"

    first = world.start("-c", "spring")
    until(lambda: words in first.said(), "the warning")
    first.kill_group()

    assert first.said().count(words) == 1
    assert max(len(ids) for ids in world.server.ids().values()) <= 3
    assert set(world.server.ids()) <= set(campaign.addresses)


def test_killed_while_the_list_is_read(world: Any, until: Any) -> None:
    """Reading goes on behind the last row that was stored: none is missing, none is there twice."""
    rows = 60_000
    addresses = [f"user-{n}@d{0 if n % 100 == 0 else 1 + n % 19}.test" for n in range(rows)]
    campaign = world.campaign("spring", addresses, more="suppress: domains.csv\n")
    (campaign.folder / "domains.csv").write_text("domain\n" + "".join(f"d{n}.test\n" for n in range(1, 20)))
    read = world.stored_rows
    sizes = []

    for share in (0.02, 0.4):
        running = world.start("-c", "spring")
        until(lambda share=share: read() >= rows * share, "rows in the spool", every=0.001)
        running.kill_group()
        sizes.append(read())
    ended = world.run("-c", "spring")

    assert 0 < sizes[0] < sizes[1] < rows, "killed too late to tell anything"
    assert ended.status == 0, ended.said[-4000:]
    campaign.check_report()
    assert campaign.statuses() == {"suppressed": rows - rows // 100, "delivered": rows // 100}
    unanswered = {attempt["email"] for attempt in campaign.attempts() if attempt["result"] == "unknown"}
    assert {to for to, ids in world.server.ids().items() if len(ids) > 1} <= unanswered
    assert len(world.server.ids()) == rows // 100


@pytest.mark.parametrize("power_cuts", [0.0, 0.5], ids=["killed", "powered off"])
def test_ten_kills_at_random(tmp_path: Path, needs: Any, power_cuts: float) -> None:
    """bench/kill_loop.py, a short one: receivers of all kinds; import, report and shutdown are hit as well."""
    needs("dnsmasq", "dnsmasq-base")
    results = tmp_path / "results.json"
    options = {"rounds": 10, "recipients": 4000, "longest": 2, "power-cuts": power_cuts, "json": results}

    ended = subprocess.run(
        [sys.executable, str(LOOP), *(f"--{name}={value}" for name, value in options.items())],
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip

    assert ended.returncode == 0, ended.stderr[-4000:]
    figures = json.loads(results.read_text())
    assert not any(figures["wrong"].values()), figures
    assert figures["kills"] >= 5
    assert figures["seen"]["report rows"] == figures["seen"]["input rows"] >= 4000
    assert bool(figures["power cuts"]) == bool(power_cuts)
