"""What follows from what the process says; what it makes is seen in tests/commands and tests/behaviour."""

from __future__ import annotations

import json

import pytest
from twisted.internet.defer import Deferred

from bulkmail.campaign import load_campaign
from bulkmail.delivery.lifecycle import looking_over as module
from bulkmail.delivery.lifecycle.looking_over import LookingOver, RefusedByDns
from bulkmail.mail import Refused
from bulkmail.workers import CommandFailedError


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
        self.commands.append(command)
        return command

    def begin(self):
        Deferred.fromCoroutine(self.looking_over.over(self.campaign)).addBoth(self.got.append)

    def end(self, *errors, untested=None):
        """The process ends, and says that the check has found these: pairs of a code and a place."""
        more = {"severity": "error", "message": "it is wrong", "remedy": "mend it", "count": 0}
        found = [{**more, "code": code, "where": where} for code, where in errors]
        self.commands[-1].output.callback(json.dumps({"errors": found, "untested": untested or {}}).encode())


@pytest.fixture
def scene(folder):
    return Scene(folder)


def test_one_process_makes_all_of_it(scene, tmp_path):
    scene.begin()
    (command,) = scene.commands
    assert (command.words[0], command.words[2:]) == (
        "/usr/bin/nice",
        [
            "-P",
            "-m",
            "bulkmail.commands.look_over",
            "--settings",
            "/etc/bulkmail.yaml",
            "--to=me@a.example",
            "--to=you@a.example",
            str(tmp_path / "spring"),
        ],
    )
    assert not scene.got
    scene.end()
    assert scene.got == [["me@a.example", "you@a.example"]]
    assert len(scene.commands) == 1


def test_what_the_check_finds_wrong_is_refused_in_its_words(scene):
    scene.begin()
    scene.end(("template-error", "html"), ("spf-fail", "a.example"))
    assert scene.got[0].check(Refused)
    assert not scene.got[0].check(RefusedByDns)
    assert str(scene.got[0].value) == "html: it is wrong; mend it\na.example: it is wrong; mend it"


def test_wrong_records_alone_are_told_apart(scene):
    scene.begin()
    scene.end(("ptr-missing", "192.0.2.1"), ("dkim-record-missing", "s1._domainkey.a"))
    assert scene.got[0].check(RefusedByDns)


def test_of_many_errors_the_first_are_told(scene):
    scene.begin()
    scene.end(*[("leftover", f"line {number}") for number in range(30)])
    told = scene.got[0].value.problems
    assert len(told) == 21
    assert told[-1].message == "and 10 more; PROBLEMS.txt has them all"


def test_a_process_that_fails_is_told_in_its_last_words(scene):
    scene.begin()
    error = failed(1)
    error.complained = b"Traceback (most recent call last):\n  ...\nImportError: no module\n"
    scene.commands[0].output.errback(error)
    assert scene.got[0].check(CommandFailedError)
    assert str(scene.got[0].value) == "ImportError: no module"


def test_a_process_that_says_nothing_is_told_as_it_ended(scene):
    scene.begin()
    scene.commands[0].output.errback(failed(2))
    assert scene.got[0].check(CommandFailedError)
    assert str(scene.got[0].value) == "ended with status 2"


def test_a_test_that_is_not_accepted_is_logged(scene, monkeypatch):
    said = []
    monkeypatch.setattr(module._log, "warn", lambda words, **values: said.append(words.format(**values)))
    scene.begin()
    scene.end(untested={"me@a.example": "me@a.example: not accepted: 550 no"})
    assert scene.got == [["you@a.example"]]
    assert said == ["spring: no test message to me@a.example: me@a.example: not accepted: 550 no"]


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
