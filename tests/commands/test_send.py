from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bulkmail import cli

BULKMAIL = str(Path(sys.executable).parent / "bulkmail")
LIST = "email,first_name\nann@a.example,Ann\nbob@a.example,Bob\nANN@a.example,Ann\ncarol\ndave@d.example,Dave\n"


@pytest.fixture
def spring(place):
    (place / "spring" / "recipients.csv").write_text(LIST)
    (place / "bulkmail.yaml").write_text("hostname: mta1.example.com\n")
    return place


def test_without_a_terminal_it_shows_and_sends_nothing(spring, capsys):
    assert cli.main(["send", "spring", "--no-dns"]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[:6] == [
        "spring",
        "  to           3 people of 5 rows (1 repeated, 1 unusable); at a.example 2, d.example 1",
        "  from         Example Shop <news@example.com>",
        "  subject      Hi Ann",
        "  signed       no",
        "  unsubscribe  no way",
    ]
    assert "  limits       10 connections and 100/s to each receiver, less where a provider asks for less" in out
    assert "\nwarning: dkim: mail is not signed with DKIM; " in out
    assert "not sent: this is not a terminal, so nobody can be asked; give --yes to send" in err
    assert not (spring / "spool").exists()


def test_as_json_nothing_is_sent(spring, capsys):
    assert cli.main(["send", "spring", "--no-dns", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["mailed"], shown["rows"], shown["domains"]) == (3, 5, {"a.example": 2, "d.example": 1})
    assert (shown["signed_by"], shown["one_click"], shown["so_far"]) == ([], False, None)
    assert [finding["code"] for finding in shown["findings"]] == ["dkim-unsigned", "no-unsubscribe"]
    assert cli.main(["send", "spring", "--json", "--yes"]) == 2


def test_how_long_it_takes_follows_the_schedule(spring, capsys):
    path = spring / "spring" / "campaign.yaml"
    as_written = path.read_text()
    path.write_text(as_written + "schedule: {rate: 60/h}\n")
    assert cli.main(["send", "spring", "--no-dns"]) == 1
    assert "  takes        3m at least\n" in capsys.readouterr().out
    day = (datetime.now(UTC) + timedelta(days=2)).strftime("%Y-%m-%d")
    hour = f"not_before: {day}T09:00Z, not_after: {day}T09:01Z"
    path.write_text(as_written + f"schedule: {{{hour}, rate: 60/h}}\n")
    assert cli.main(["send", "spring", "--no-dns"]) == 1
    assert f"from {day}T09:00Z on, by its schedule; 2 people are not reached before" in capsys.readouterr().out
    (spring / "bulkmail.yaml").write_text("relay: {host: smtp.example.com, rate: 1/m}\n")
    path.write_text(as_written)
    assert cli.main(["send", "spring", "--no-dns"]) == 1
    shown = capsys.readouterr().out
    assert "  limits       10 connections and 1/m to the relay\n  takes        3m at least\n" in shown


def test_an_error_is_not_asked_about(spring, capsys):
    path = spring / "spring" / "campaign.yaml"
    path.write_text(path.read_text().replace("news@example.com", "shop@gmail.com"))
    assert cli.main(["send", "spring", "--no-dns", "--yes"]) == 1
    out, err = capsys.readouterr()
    assert "error: from: `from` is at gmail.com" in out
    assert "not sent: one thing is wrong" in err


def test_a_campaign_that_is_wrong_is_refused_as_ever(spring, capsys):
    (spring / "spring" / "campaign.yaml").write_text("name: spring\n")
    assert cli.main(["send", "spring"]) == 1
    assert "campaign.yaml" in capsys.readouterr().err


@pytest.mark.parametrize("answer", ["n", "", "yes please", EOFError, KeyboardInterrupt])
def test_what_is_no_clear_yes_is_a_no(spring, capsys, monkeypatch, answer):
    asked = []

    def answered(question):
        asked.append(question)
        if isinstance(answer, str):
            return answer
        raise answer

    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True, close=lambda: None))
    monkeypatch.setattr("builtins.input", answered)
    assert cli.main(["send", "spring", "--no-dns"]) == 1
    assert asked == ["Send spring to 3 people? [y/N] "]
    assert capsys.readouterr().err.endswith("not sent\n")


def answered_on_a_terminal(world: Any, answer: bytes) -> tuple[int, str]:
    """``bulkmail send spring`` on a terminal, its question answered; its status and what the terminal showed."""
    ours, theirs = pty.openpty()
    command = [BULKMAIL, "send", "spring", "--no-dns"]
    process = subprocess.Popen(command, cwd=world.folder, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    world.on_end(process.kill)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # the terminal's other end is closed: the process has ended
            break
        shown += piece
        if answer and shown.endswith(b"[y/N] "):
            os.write(ours, answer)
            answer = b""
    os.close(ours)
    return process.wait(300), shown.decode()


@pytest.mark.loopback
def test_it_asks_and_sends_as_twistd_does(world, monkeypatch, capsys):
    campaign = world.campaign("spring", ["ann@d0.test", "bob@d1.test"])
    status, shown = answered_on_a_terminal(world, b"yes\n")
    assert status == 0
    assert "Send spring to 2 people? [y/N] " in shown
    assert campaign.statuses() == {"delivered": 2}
    assert set(world.server.ids()) == {"ann@d0.test", "bob@d1.test"}
    monkeypatch.chdir(world.folder)
    assert cli.main(["send", "spring", "--no-dns"]) == 1
    assert "  so far       it was begun before: delivered 2\n" in capsys.readouterr().out
