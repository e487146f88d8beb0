from __future__ import annotations

import pytest

from bulkmail import cli
from bulkmail.commands.trace import follow, plain


def line(number, text="250 ok"):
    return {
        "number": number, "at": "2026-12-02T11:00:00.250Z", "connection": 3, "host": "mx.a.example",
        "ip": "192.0.2.1", "what": "reply", "text": text,
    }  # fmt: skip


class Service:
    """Has told ``told`` lines when it is asked first, and says ``each`` at each look behind that."""

    def __init__(self, told, each):
        self.newest, self.each, self.asked, self.now = told, each, [], 0.0
        self.shown = []

    def ask(self, after):
        self.asked.append(after)
        answer = {"site": "mx.a.example", "lines": [], "dropped": 0, "newest": self.newest}
        if len(self.asked) > 1:
            answer["lines"] = [line(self.newest + n + 1) for n in range(self.each)]
            self.newest += self.each
        return {**answer, "newest": self.newest}

    def sleep(self, seconds):
        self.now += seconds

    def follow(self, **bounds):
        return follow(self.ask, self.shown.extend, now=lambda: self.now, sleep=self.sleep, **bounds)


def test_it_ends_after_its_lines():
    service = Service(40, 4)
    assert service.follow(lasts=60.0, most=6) == 6
    assert [one["number"] for one in service.shown] == [41, 42, 43, 44, 45, 46], "none of before"
    assert service.asked == [0, 40, 44]


def test_it_ends_after_its_time():
    service = Service(0, 0)
    assert service.follow(lasts=2.0, most=6) == 0
    assert service.now == pytest.approx(2.0)


def test_lines_that_are_missing_are_told(capsys):
    service = Service(0, 1)
    ask = service.ask
    service.ask = lambda after: {**ask(after), "dropped": 12}
    service.follow(lasts=60.0, most=1)
    assert "12 lines are missing here" in capsys.readouterr().err


def test_a_line_for_people():
    assert plain(line(1)) == "11:00:00.250 #3 mx.a.example[192.0.2.1] < 250 ok"
    assert "\x1b" not in plain(line(1, "250 \x1b[2J"))


def test_no_service_and_wrong_numbers(place, capsys):
    assert cli.main(["trace", "a.example"]) == 1
    assert "no service" in capsys.readouterr().err
    for wrong in (["--for", "soon"], ["--lines", "0"]):
        with pytest.raises(SystemExit):
            cli.main(["trace", "a.example", *wrong])
