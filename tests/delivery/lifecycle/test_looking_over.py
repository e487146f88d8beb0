"""Which commands are run, in which order, and what follows from how they end; that they work is seen in behaviour."""

from __future__ import annotations

import json

import pytest
from twisted.internet.defer import Deferred

from bulkmail.campaign import load_campaign
from bulkmail.delivery.lifecycle import looking_over as module
from bulkmail.delivery.lifecycle.looking_over import LookingOver, RefusedByDns
from bulkmail.mail import Refused
from bulkmail.workers import CommandFailedError

CHECKED = b'{"findings": [], "text": "nothing wrong"}'


def failed(status):
    error = CommandFailedError(f"ended with status {status}")
    error.status = status
    return error


class FakeCommand:
    def __init__(self, words, killed):
        self.output, self.kill, self.words = Deferred(), killed.append, words


class Scene:
    def __init__(self, folder):
        self.campaign = load_campaign(folder(more="test_to: [me@a.example, you@a.example]"))
        self.commands, self.killed = [], []
        self.looking_over = LookingOver(None, "/etc/bulkmail.yaml", start_command=self.start)
        self.got = []

    def start(self, _reactor, words, within, *, most):
        command = FakeCommand(words, self.killed)
        assert (words[0], words[2:5]) == ("/usr/bin/nice", ["-P", "-m", "bulkmail.cli"])
        assert words[-2:] == ["--settings", "/etc/bulkmail.yaml"]
        self.commands.append(command)
        return command

    def begin(self):
        Deferred.fromCoroutine(self.looking_over.over(self.campaign)).addBoth(self.got.append)

    @property
    def asked(self):
        return [command.words[5:-2] for command in self.commands]


@pytest.fixture
def scene(folder):
    return Scene(folder)


def test_the_check_the_preview_the_plan_and_the_tests_follow_each_other(scene, tmp_path):
    scene.begin()
    where = str(tmp_path / "spring")
    for printed in (CHECKED, b"", b"2 people\n", b"", b""):
        scene.commands[-1].output.callback(printed)
    assert scene.asked == [
        ["check", where, "--json"],
        ["preview", where],
        ["plan", where],
        ["test", where, "--to", "me@a.example"],
        ["test", where, "--to", "you@a.example"],
    ]
    assert scene.got == [["me@a.example", "you@a.example"]]
    assert (tmp_path / "spring" / "plan.txt").read_text() == "nothing wrong\n\n2 people\n"


def found(*errors):
    """The check's answer where it found these: pairs of a code and a place."""
    more = {"severity": "error", "message": "it is wrong", "remedy": "mend it", "count": 0}
    error = failed(1)
    error.printed = json.dumps(
        {"findings": [{**more, "code": code, "where": where} for code, where in errors]}
    ).encode()
    return error


def test_what_the_check_finds_wrong_is_refused_in_its_words(scene):
    scene.begin()
    scene.commands[0].output.errback(found(("template-error", "html"), ("spf-fail", "a.example")))
    assert scene.got[0].check(Refused)
    assert not scene.got[0].check(RefusedByDns)
    assert str(scene.got[0].value) == "html: it is wrong; mend it\na.example: it is wrong; mend it"
    assert len(scene.commands) == 1


def test_wrong_records_alone_are_told_apart(scene):
    scene.begin()
    scene.commands[0].output.errback(found(("ptr-missing", "192.0.2.1"), ("dkim-record-missing", "s1._domainkey.a")))
    assert scene.got[0].check(RefusedByDns)


def test_of_many_errors_the_first_are_told(scene):
    scene.begin()
    scene.commands[0].output.errback(found(*[("leftover", f"line {number}") for number in range(30)]))
    told = scene.got[0].value.problems
    assert len(told) == 21
    assert told[-1].message == "and 10 more; PROBLEMS.txt has them all"


@pytest.mark.parametrize("printed", [b"", b"[1]", b'{"findings": []}', b'{"cut'])
def test_a_check_that_ends_before_its_answer_is_no_finding(scene, printed):
    scene.begin()
    error = failed(1)
    error.printed, error.complained = printed, b"Traceback (most recent call last):\n  ...\nImportError: no module\n"
    scene.commands[0].output.errback(error)
    assert scene.got[0].check(CommandFailedError)
    assert str(scene.got[0].value) == "bulkmail check: ImportError: no module"


def test_a_plan_that_would_not_end_in_time_is_shown(scene, tmp_path):
    scene.begin()
    scene.commands[0].output.callback(CHECKED)
    scene.commands[1].output.callback(b"")
    error = failed(1)
    error.printed = b"200 people would not get it in time\n"
    scene.commands[2].output.errback(error)
    assert "200 people would not get it in time" in (tmp_path / "spring" / "plan.txt").read_text()
    assert scene.asked[-1][0] == "test"


def test_a_command_that_fails_for_another_reason_is_told_as_that(scene):
    scene.begin()
    scene.commands[0].output.errback(failed(2))
    assert scene.got[0].check(CommandFailedError)


def test_a_test_that_is_not_accepted_is_logged_and_the_next_is_sent(scene, monkeypatch):
    said = []
    monkeypatch.setattr(module._log, "warn", lambda words, **values: said.append(words.format(**values)))
    scene.begin()
    while scene.asked[-1][0] != "test":
        scene.commands[-1].output.callback(CHECKED)
    scene.commands[-1].output.errback(failed(1))
    scene.commands[-1].output.callback(b"")
    assert scene.got == [["you@a.example"]]
    assert said == ["spring: no test message to me@a.example: ended with status 1"]


def test_two_at_once_and_a_third_behind_them(scene):
    for _ in range(3):
        scene.begin()
    assert len(scene.commands) == 2
    scene.commands[0].output.errback(failed(1))
    assert len(scene.commands) == 3


def test_a_stop_ends_what_is_made(scene):
    scene.begin()
    scene.looking_over.stop()
    assert scene.killed == ["is not needed any more"]
    scene.commands[0].output.errback(failed(None))
    assert scene.got[0].check(CommandFailedError)
    scene.begin()
    assert scene.got[1].check(CommandFailedError)
    assert len(scene.commands) == 1
