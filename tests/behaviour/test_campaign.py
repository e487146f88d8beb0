"""A campaign from start to end, as its sender sees it: exit status, report, resume, daemon."""

from __future__ import annotations

import json
import os
import signal
import stat
from typing import Any

import pytest

pytestmark = pytest.mark.loopback


def addresses(count: int, kind: str = "user") -> list[str]:
    return [f"{kind}-{n}@d{n % 20}.test" for n in range(count)]


def test_a_campaign_is_sent_and_reported(world: Any) -> None:
    campaign = world.campaign("spring", addresses(200))

    ended = world.run("-c", "spring/campaign.yaml")

    assert ended.status == 0, ended.said
    assert sorted(one["to"] for one in world.server.received()) == sorted(campaign.addresses)
    campaign.check_report()
    rows = {row["email"]: row for row in campaign.rows()}
    assert all(row["status"] == "delivered" and row["attempts"] == "1" for row in rows.values())
    for one in world.server.received():
        row = rows[one["to"]]
        assert one["message_id"] == row["message_id"]
        assert one["sender"] == "news@example.com"
        assert (row["smtp_code"], row["enhanced_code"], row["stage"]) == ("250", "2.0.0", "dot")
        assert row["mx_ip"] == one["ip"]
        assert int(row["bytes"]) == one["size"]
    summary = campaign.summary()
    assert (summary["state"], summary["complete"], summary["exit_status"]) == ("finished", True, 0)


def test_who_said_no_in_the_list_gets_nothing(world: Any) -> None:
    campaign = world.campaign("spring", addresses(3))
    lines = "\r\n".join(f"{address},Ann,{word}" for address, word in zip(addresses(3), ("yes", "no", ""), strict=True))
    (campaign.folder / "recipients.csv").write_text(f"Email,First Name,Accepts Email Marketing\r\n{lines}\r\n")

    ended = world.run("-c", "spring")

    assert ended.status == 0, ended.said
    assert "1 of 3 rows say in column `Accepts Email Marketing` that they may not be mailed (`no`)" in ended.said
    found = [(row["status"], row["category"], row["reply"]) for row in campaign.rows()]
    said_no = ("suppressed", "no-consent", "the column `Accepts Email Marketing` says `no`")
    assert found == [("delivered", "", found[0][2]), said_no, ("delivered", "", found[2][2])]
    assert set(world.server.ids()) == {addresses(3)[0], addresses(3)[2]}


def test_a_part_of_a_list_is_sent_in_its_order(world: Any) -> None:
    campaign = world.campaign("spring", addresses(6), more="where: score|int > 1\norder_by: -score\nlimit: 3\n")
    keys = (campaign.folder / "campaign.yaml").read_text()
    named = keys.replace("recipients: recipients.csv", "recipients: {file: recipients.csv, email: Work Email}")
    assert named != keys
    (campaign.folder / "campaign.yaml").write_text(named)
    lines = "\r\n".join(f"{address},Ann,{score}" for score, address in enumerate(addresses(6)))
    (campaign.folder / "recipients.csv").write_text(f"Work Email,first_name,score\r\n{lines}\r\n")

    ended = world.run("-c", "spring")

    assert ended.status == 0, ended.said
    assert [(row["row"], row["score"], row["status"]) for row in campaign.rows()] == [
        ("6", "5", "delivered"),
        ("5", "4", "delivered"),
        ("4", "3", "delivered"),
    ]
    assert set(world.server.ids()) == set(addresses(6)[3:])
    again = world.run("-c", "spring")
    assert again.status == 0, again.said
    assert "nothing" in again.said
    assert len(world.server.ids()) == 3


def test_the_same_message_for_everybody_goes_to_many_at_once(world: Any) -> None:
    world.start_mail([f"127.0.1.{n + 1}" for n in range(4)], most=20)
    world.settings()
    sent = addresses(400) + addresses(20, "bounce")
    campaign = world.campaign("spring", sent, html="<p>Dear readers, spring is here.</p>")
    letter = campaign.yaml.read_text().replace("{{ first_name }}, spring", "Spring")
    campaign.yaml.write_text(letter + 'to: "Our readers <readers@example.com>"\n')

    ended = world.run("-c", "spring")

    assert ended.status == 0, ended.said
    campaign.check_report()
    received = world.server.received()
    assert sorted(one["to"] for one in received) == sorted(addresses(400))
    assert len({one["digest"] for one in received}) == 1
    assert {row["message_id"] for row in campaign.rows()} == {received[0]["message_id"]}
    # learned from 452 4.5.3, which is nobody's attempt
    assert max(one["of"] for one in received) == 20
    assert sum(1 / one["of"] for one in received) < 100
    assert {row["attempts"] for row in campaign.rows()} == {"1"}
    assert campaign.statuses() == {"delivered": 400, "bounced": 20}


@pytest.mark.fresh
def test_every_answer_has_its_status(world: Any) -> None:
    kinds = ("user", "bounce", "reject", "busy", "later", "vanish", "blocked-by-us")
    sent = [address for kind in kinds for address in addresses(5, kind)]
    odd = ["not an address", "user-0@d0.test", "someone@nowhere.test"]
    campaign = world.campaign("spring", sent + odd, more="suppress: unsubscribed.csv\n")
    unsubscribed = "".join(f"{address}\n" for address in addresses(5, "blocked-by-us"))
    (campaign.folder / "unsubscribed.csv").write_text("email\n" + unsubscribed)
    world.settings(retry={"expire_after": "8s"})

    ended = world.run("-c", "spring")

    assert ended.status == 0, ended.said
    campaign.check_report()
    rows = campaign.rows()
    found = {(row["email"].partition("-")[0], row["status"], row["category"], row["smtp_code"]) for row in rows}
    assert found == {
        ("user", "delivered", "", "250"),
        ("bounce", "bounced", "bad-mailbox", "550"),
        ("reject", "blocked", "policy", "550"),
        ("busy", "expired", "other", "451"),
        ("later", "delivered", "", "250"),
        ("vanish", "delivered", "", "250"),
        ("blocked", "suppressed", "", ""),
        ("not an address", "invalid", "invalid-address", ""),
        ("user", "duplicate", "", ""),
        ("someone@nowhere.test", "bounced", "bad-domain", ""),
    }
    by_email = {row["email"]: row for row in rows if row["status"] != "duplicate"}
    assert by_email["later-0@d0.test"]["attempts"] == by_email["vanish-0@d0.test"]["attempts"] == "2"
    assert int(by_email["busy-0@d0.test"]["attempts"]) >= 2
    ids = world.server.ids()
    assert set(ids) == {address for address in sent if address.startswith(("user", "later", "vanish"))}
    doubled = {to: found for to, found in ids.items() if len(found) > 1}
    assert set(doubled) == set(addresses(5, "vanish")), "only a lost reply may lead to a double"
    assert all(len(set(found)) == 1 for found in doubled.values()), "a double carries the same Message-ID"
    assert campaign.summary()["possibly_doubled"] == 5


def test_a_finished_campaign_run_again_sends_nothing_and_says_so(world: Any) -> None:
    campaign = world.campaign("spring", addresses(20))
    assert world.run("-c", "spring").status == 0
    before = campaign.rows(), campaign.attempts()
    summary = campaign.summary()

    again = world.run("-c", "spring")

    assert again.status == 0
    assert "spring is finished; nothing was sent" in again.said
    assert world.server.count() == 20
    assert (campaign.rows(), campaign.attempts()) == before
    assert campaign.summary() == summary


def test_once_ends_after_the_first_attempts_and_a_list_may_grow_until_the_next_run(world: Any) -> None:
    campaign = world.campaign("spring", addresses(10) + addresses(10, "later"))
    world.settings(retry={"schedule": ["1h"]})

    first = world.run("-c", "spring", "--once")

    assert first.status == 3, first.said
    campaign.check_report()
    assert campaign.statuses() == {"delivered": 10, "deferred": 10}
    assert (campaign.summary()["state"], campaign.summary()["complete"]) == ("stopped", False)

    with (campaign.folder / "recipients.csv").open("a") as file:
        file.writelines(f"{address},New\r\n" for address in addresses(5, "new"))
    campaign.addresses += addresses(5, "new")
    second = world.run("-c", "spring", "--once")

    assert second.status == 3, second.said
    campaign.check_report()
    assert campaign.statuses() == {"delivered": 15, "deferred": 10}
    assert world.server.count() == 15


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_stops_it_and_the_same_command_goes_on(world: Any, until: Any, number: int) -> None:
    world.settings(shaping={"default": {"rate": "100/s"}})
    campaign = world.campaign("spring", addresses(3000))
    running = world.start("-c", "spring")
    until(lambda: world.server.count() > 200, "the first messages")
    running.signal(number)

    stopped = running.wait()

    assert stopped.status == 3, stopped.said
    assert 200 < world.server.count() < 3000
    campaign.check_report()
    assert campaign.statuses()["delivered"] == world.server.count(), "what is reported is what was received"
    summary = campaign.summary()
    assert (summary["state"], summary["exit_status"], summary["complete"]) == ("stopped", 3, False)

    world.settings()
    resumed = world.run("-c", "spring")

    assert resumed.status == 0, resumed.said
    campaign.check_report()
    assert campaign.statuses() == {"delivered": 3000}
    assert {len(found) for found in world.server.ids().values()} == {1}, "exactly once"
    assert world.server.count() == 3000


def test_usr1_does_not_end_a_program_whose_log_is_no_file(world: Any, until: Any) -> None:
    world.settings(shaping={"default": {"rate": "40/s"}})
    campaign = world.campaign("spring", addresses(1000))
    running = world.start("-c", "spring")
    until(lambda: world.server.count() > 20, "the first messages")
    running.signal(signal.SIGUSR1)

    ended = running.wait()

    assert ended.status == 0, ended.said
    assert "there is no file to turn over" in ended.said
    assert campaign.statuses() == {"delivered": 1000}


def test_a_second_signal_stops_at_once(world: Any, until: Any) -> None:
    """The replies are slow, so the first signal waits for what is in flight."""
    world.start_mail(["127.0.1.1", "127.0.1.2", "127.0.1.3", "127.0.1.4"], delay=300.0)
    world.settings(stop_within="300s")
    campaign = world.campaign("spring", addresses(40))
    running = world.start("-c", "spring")
    until(lambda: world.server.count() >= 4, "messages in flight")
    running.signal(signal.SIGTERM)
    until(lambda: "a second signal stops at once" in running.said(), "the stop to begin")
    running.signal(signal.SIGTERM)

    assert running.wait().status == 3
    campaign.check_report()
    statuses = campaign.statuses()
    assert set(statuses) == {"deferred", "pending"}, "a reply that was never read is no delivery"
    unanswered = {row["email"] for row in campaign.rows() if row["status"] == "deferred"}
    assert unanswered == set(world.server.ids())


def test_a_daemon_and_what_people_may_read(world: Any, until: Any) -> None:
    campaign = world.campaign("spring", addresses(1500))
    # six minutes at each of four sites: it must not be done before it is looked at, however slow that is
    world.settings(shaping={"default": {"rate": "1/s"}})

    shell, pid_file = world.daemonise("-c", "spring", umask=0o077)

    assert shell.status == 0, shell.said
    pid = int(until(lambda: pid_file.exists() and pid_file.read_text().strip(), "the pid file"))
    until(lambda: world.server.count() > 20, "the first messages")
    os.kill(pid, 0)  # it runs
    status = world.bulkmail("status", "--json")
    assert status.status == 0, status.said
    (figures,) = json.loads(status.out)
    assert (figures["campaign"], figures["state"]) == ("spring", "running")
    assert 0 < figures["by_status"]["delivered"] <= 1500
    os.kill(pid, signal.SIGTERM)
    until(lambda: not pid_file.exists(), "the daemon to end")
    assert campaign.summary()["exit_status"] == 3

    campaign.check_report()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in campaign.report.iterdir()}
    assert set(modes.values()) == {0o644}, modes
    assert {"recipients.csv", "attempts.csv", "summary.json", "index.html"} <= set(modes)
    assert stat.S_IMODE(campaign.report.stat().st_mode) == 0o755
    assert stat.S_IMODE((world.folder / "spool").stat().st_mode) == 0o700


def test_a_refused_daemon_says_so_to_the_shell(world: Any) -> None:
    campaign = world.campaign("spring", addresses(5))
    (campaign.folder / "body.html.j2").write_text("{% if %}")

    shell, pid_file = world.daemonise("-c", "spring")

    assert shell.status == 1
    assert "body.html.j2:1:" in shell.err
    assert not pid_file.exists()
    assert world.server.count() == 0


def test_a_list_without_rows_is_a_campaign_of_none(world: Any) -> None:
    campaign = world.campaign("spring", [])

    ended = world.run("-c", "spring")

    assert ended.status == 0, ended.said
    campaign.check_report()
    assert campaign.summary()["complete"]


def test_what_is_on_the_wire(world: Any) -> None:
    """The bytes as they came: lines end with CRLF and nothing else, none is too long, no dot was lost."""
    html = "<html><body>.\n.{{ first_name }}\n..two\r\n" + "<p>" + "long " * 1000 + "</p>\n</body></html>\n"
    campaign = world.campaign("spring", addresses(10), html=html, cells=lambda n: [f"Ж\u2028ö{n}"])

    assert world.run("-c", "spring").status == 0
    campaign.check_report()
    messages = [path.read_bytes() for path in world.server.kept.iterdir()]
    assert len(messages) == 10
    for message in messages:
        assert message.endswith(b"\r\n")
        lines = message.split(b"\r\n")
        assert not any(b"\r" in line or b"\n" in line for line in lines)
        assert max(map(len, lines)) <= 998
        assert message.isascii()
        assert b"\0" not in message
