"""Real processes that check real folders; what a check says of a folder is tested in the room of the campaigns."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from bulkmail.delivery.lifecycle import checking as module
from bulkmail.delivery.lifecycle.checking import Checking
from bulkmail.delivery.lifecycle.preparing import prepare
from bulkmail.mail import OwnFault, Refused
from bulkmail.settings import Settings
from bulkmail.workers import WorkerFailedError

CAMPAIGN = """\
name: spring
from: news@me.example
subject: Hello
template: {text: body.txt.j2}
recipients: recipients.csv
"""


@pytest.mark.loopback
class Checks(TestCase):
    timeout = 300

    def setUp(self) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        self.checking = Checking(reactor, Settings(), "box.localdomain")

    def drop(self, name: str = "spring", text: str = "Hello {{ first_name }}\n") -> str:
        folder = self.root / name
        folder.mkdir()
        (folder / "campaign.yaml").write_text(CAMPAIGN, encoding="utf-8")
        (folder / "body.txt.j2").write_text(text, encoding="utf-8")
        (folder / "recipients.csv").write_text("email,first_name\nann@a.example,Ann\n", encoding="utf-8")
        return str(folder)

    async def test_it_gives_what_a_check_in_this_process_gives(self) -> None:
        path = self.drop()
        there, here = await self.checking.prepare(path), prepare(path, Settings())
        assert (there.content, there.columns, there.input_bytes) == (here.content, here.columns, here.input_bytes)
        assert (there.path, there.files) == (here.path, here.files)
        about_sender = there.notices[len(here.notices) :]
        assert there.notices[: len(here.notices)] == here.notices
        assert [str(notice).partition(": ")[2].partition(";")[0] for notice in about_sender] == [
            "mail is not signed with DKIM",
            "the host name box.localdomain is not a full one of the public DNS, and many receivers refuse its EHLO",
            "the letter offers no way to unsubscribe",
        ]
        assert there.campaign.model_dump() == here.campaign.model_dump()
        assert there.campaign.opened.id == here.campaign.opened.id
        lists = [[path.plain for path in one.campaign.recipient_paths] for one in (there, here)]
        assert lists[0] == lists[1]

    async def test_what_is_wrong_comes_back_with_its_place(self) -> None:
        path = self.drop(text="Hello\n{{ nick_name }}\n")
        refused = await self.assertFailure(Deferred.fromCoroutine(self.checking.prepare(path)), Refused)
        assert [(problem.file, problem.line) for problem in refused.problems] == [(f"{path}/body.txt.j2", 2)]

    async def test_a_check_that_does_not_end_in_time_is_a_refusal_and_nothing_waits_for_it(self) -> None:
        self.patch(module, "WITHIN", 0.05)
        ticks: list[float] = []
        ticking = reactor.callLater(0.01, ticks.append, time.monotonic())
        refused = await self.assertFailure(Deferred.fromCoroutine(self.checking.prepare(self.drop())), Refused)
        assert "its check took longer than 0.05 s and was ended" in str(refused)
        assert ticks
        assert not ticking.active()

    async def test_a_list_that_is_swapped_for_a_link_after_the_check_is_not_read(self) -> None:
        path = self.drop()
        secret = self.root / "secret"
        secret.write_text("password hunter2\n", encoding="utf-8")
        prepared = await self.checking.prepare(path)
        os.unlink(f"{path}/recipients.csv")
        os.symlink(secret, f"{path}/recipients.csv")
        (recipients,) = prepared.campaign.recipient_paths
        with pytest.raises(ValueError, match="leads out of the campaign's folder"):
            recipients.open()

    async def test_a_folder_that_is_a_link_by_now_is_refused(self) -> None:
        self.drop("real")
        (self.root / "spring").symlink_to("real")
        path = str(self.root / "spring")
        refused = await self.assertFailure(Deferred.fromCoroutine(self.checking.prepare(path)), Refused)
        assert "its folder cannot be opened" in str(refused)

    async def test_stopped_it_ends_what_is_under_way_and_what_waits(self) -> None:
        checks = [Deferred.fromCoroutine(self.checking.prepare(self.drop(f"c{n}"))) for n in range(4)]
        self.checking.stop()
        for check in checks:
            fault = await self.assertFailure(check, OwnFault)
            assert "is being stopped" in str(fault)

    async def test_several_folders_are_checked_and_no_more_than_two_at_once(self) -> None:
        most = 0
        checks = [Deferred.fromCoroutine(self.checking.prepare(self.drop(f"c{n}"))) for n in range(4)]

        def look() -> None:
            nonlocal most
            most = max(most, len(self.checking._workers))

        for check in checks:
            look()
            check.addBoth(lambda result: (look(), result)[1])
        prepared = await gatherResults(checks)
        assert [one.campaign.folder for one in prepared] == [str(self.root / f"c{n}") for n in range(4)]
        assert most == 2

    async def test_an_error_in_the_check_itself_is_no_refusal(self) -> None:
        self.patch(module, "CHECKER", "bulkmail.reporter:ReportWorker")  # knows no such job
        await self.assertFailure(Deferred.fromCoroutine(self.checking.prepare(self.drop())), WorkerFailedError)


def test_each_job_has_its_own_time_and_asking_keeps_no_check_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    checking = Checking(reactor, Settings(), "box.localdomain")
    jobs: list[tuple[str, float, int, int]] = []
    answers = iter([("to-be-asked",), ("asked",), ("refused", [("/c", 0, 0, "it is wrong")])])

    async def answered(verb: str, _: str, within: float) -> tuple[Any, ...]:
        jobs.append((verb, within, checking._turns.tokens, checking._asking.tokens))
        return next(answers)

    monkeypatch.setattr(checking, "_answer", answered)
    found: list[Any] = []
    Deferred.fromCoroutine(checking.prepare("/c")).addErrback(found.append)
    assert jobs == [("check", 60.0, 1, 2), ("ask", 660.0, 2, 1), ("check", 60.0, 1, 2)]
    assert "it is wrong" in str(found[0].value)
