"""Notices really run a program and really go to an HTTP server on this machine."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import Site

from bulkmail.campaign.notify import Notify
from bulkmail.delivery.lifecycle import notifying as module
from bulkmail.delivery.lifecycle.notice import Notice
from bulkmail.delivery.lifecycle.notifying import Notifying
from bulkmail.delivery.run import Run

NOTICE = Notice("end", "spring", "finished", "", 1_800_000_000.0, 3, {"delivered": 3}, "/c/report")


class Hook(Resource):
    isLeaf = True

    def __init__(self, *statuses: int) -> None:
        super().__init__()
        self.statuses, self.got = list(statuses), []

    def render_POST(self, request: Any) -> bytes:
        self.got.append((request.getHeader("content-type"), json.loads(request.content.read())))
        request.setResponseCode(self.statuses.pop(0))
        return b"x" * 100_000


class Told(TestCase):
    timeout = 30

    def setUp(self) -> None:
        self.logged: list[str] = []
        self.patch(module, "_AGAIN", (0.01, 0.01))
        observer: Any = lambda event: self.logged.append(event["log_format"].format(**event))  # noqa: E731
        self.patch(module, "_log", Logger("bulkmail", observer=observer))
        self.mailed: list[Any] = []

    async def tell(self, notice: Notice = NOTICE, **notify: Any) -> None:
        async def mail(to: Any, sender: str, told: Notice) -> None:
            self.mailed.append((tuple(to), sender, told.subject))

        notifying = Notifying(reactor, lambda: 1_800_000_000.0, mail)
        campaign: Any = SimpleNamespace(notify=Notify.model_validate(notify), sender="Shop <news@example.com>")
        notifying.tell(campaign, notice)
        await notifying.told(20.0)

    def listening(self, *statuses: int) -> Hook:
        hook = Hook(*statuses)
        port: Any = reactor.listenTCP(0, Site(hook), interface="127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(port.stopListening)
        self.url = f"http://127.0.0.1:{port.getHost().port}/hook"
        return hook

    async def test_a_command_reads_the_notice(self) -> None:
        kept = Path(tempfile.mkdtemp()) / "kept"
        await self.tell(command=["/bin/sh", "-c", f"cat >{kept}"])
        assert json.loads(kept.read_text()) == NOTICE.plain()
        assert self.logged == []

    async def test_a_command_that_fails_is_logged(self) -> None:
        await self.tell(command=["/bin/sh", "-c", "exit 3"])
        assert self.logged == ["spring finished: notify.command failed: /bin/sh ended with status 3"]

    async def test_an_address_gets_the_notice(self) -> None:
        hook = self.listening(200)
        await self.tell(url=self.url)
        assert hook.got == [("application/json", NOTICE.plain())]
        assert self.logged == []

    async def test_what_may_pass_is_tried_again(self) -> None:
        hook = self.listening(503, 429, 204)
        await self.tell(url=self.url)
        assert len(hook.got) == 3
        assert self.logged == []

    async def test_what_stays_wrong_is_logged(self) -> None:
        hook = self.listening(500, 500, 500)
        await self.tell(url=self.url)
        assert len(hook.got) == 3
        assert self.logged == [f"spring finished: notify.url failed: {self.url} answered 500"]

    async def test_a_refusal_and_a_redirect_are_not_tried_again(self) -> None:
        for status in (302, 404):
            hook = self.listening(status)
            await self.tell(url=self.url)
            assert len(hook.got) == 1
            assert self.logged.pop() == f"spring finished: notify.url failed: {self.url} answered {status}"

    async def test_nothing_listens_there(self) -> None:
        await self.tell(url="http://127.0.0.1:9/")
        assert len(self.logged) == 1
        assert "Connection refused" in self.logged[0] or "refused" in self.logged[0]

    async def test_a_mail_is_sent_in_the_campaigns_name(self) -> None:
        await self.tell(mail=["ops@example.com", "me@example.com"])
        assert self.mailed == [(("ops@example.com", "me@example.com"), "Shop <news@example.com>", "spring finished")]

    async def test_only_what_was_asked_for_is_told(self) -> None:
        await self.tell(mail="ops@example.com", on=["start", "stopped"])
        assert self.mailed == []

    async def test_a_campaign_without_the_key_tells_nobody(self) -> None:
        notifying = Notifying(reactor, lambda: 0.0, lambda *_: Deferred())  # type: ignore[arg-type, return-value]
        campaign: Any = SimpleNamespace(notify=None)
        notifying.tell(campaign, NOTICE)
        await notifying.told(20.0)

    async def test_a_campaign_is_told_of_at_its_first_start_at_a_stop_and_at_its_end(self) -> None:
        async def mail(_to: Any, _sender: str, told: Notice) -> None:
            self.mailed.append((told.on, told.state, told.why, told.by_status.get("delivered"), told.report))

        for quiet, occasions in ((False, 3), (True, 0)):
            del self.mailed[:]
            notifying = Notifying(reactor, lambda: 0.0, mail, quiet=quiet)
            campaign: Any = SimpleNamespace(notify=Notify(mail=("ops@example.com",)), sender="news@example.com")
            run = Run(1, "spring", "/c/spring", {}, "retry", 0.0, input_rows=3)
            notifying.begun(run, campaign, first=True)
            notifying.begun(run, campaign, first=False)
            notifying.stopped(run, "row 3 does not come to an end")
            run.add_to_totals(Counter({("", "delivered", ""): 3}))
            notifying.ended(run, "finished")
            notifying.ended(run, "finished")
            await notifying.told(20.0)
            expected = [
                ("start", "sending", "", 0, "/c/spring/report"),
                ("stopped", "stopped", "row 3 does not come to an end", 0, "/c/spring/report"),
                ("end", "finished", "", 3, "/c/spring/report"),
            ]
            assert [(on, state, why, count or 0, report) for on, state, why, count, report in self.mailed] == (
                expected[:occasions]
            )
