"""Tells people and programs of a campaign's start, a stop and its end: by mail, by a command, by a POST.

Nothing that goes wrong here touches the sending: it is logged, with what could not be told. A POST that fails for a
reason that may pass is tried twice more. The command gets the notice as JSON on its standard input; the same JSON is
the body of the POST.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from io import BytesIO
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.logger import Logger

from bulkmail.campaign import Campaign
from bulkmail.delivery.background import background, until
from bulkmail.delivery.lifecycle.notice import Notice, Occasion
from bulkmail.delivery.run import Run
from bulkmail.settings import Settings
from bulkmail.spool import ENDED
from bulkmail.workers import Command

_log = Logger("bulkmail")

_COMMAND_WITHIN = 60.0  # seconds
_POST_WITHIN = 10.0
_MAIL_WITHIN = 330.0
_AGAIN = (5.0, 60.0)  # seconds between the tries of a POST

Mail = Callable[[Sequence[str], str, Notice], Coroutine[Deferred[Any], Any, None]]
"""Sends a notice by mail: to whom, from whom, what. Raises where it could not."""


class Notifying:
    """Tells of the campaigns of one process. ``wall``: epoch seconds; ``mail`` sends a notice by mail.

    ``quiet``: tell nobody, as in a rehearsal. ``start_command`` and ``agent`` are there for tests.
    """

    def __init__(
        self,
        reactor: Any,
        wall: Callable[[], float],
        mail: Mail,
        *,
        quiet: bool = False,
        start_command: Any = Command.start,
        agent: Any = None,
    ) -> None:
        self._reactor = reactor
        self._wall = wall
        self._mail = mail
        self._quiet = quiet
        self._start_command = start_command
        self._agent = agent
        self._campaigns: dict[int, Campaign] = {}  # those that are being sent, by the run's id
        self._under_way: set[Deferred[None]] = set()

    def begun(self, run: Run, campaign: Campaign, *, first: bool) -> None:
        """A campaign is being sent; it is told of when it is the ``first`` time."""
        self._campaigns[run.id] = campaign
        if first:
            self._tell_of(run, "start", "sending")

    def stopped(self, run: Run, why: str) -> None:
        """A campaign was stopped, by a rule or by an error in itself."""
        self._tell_of(run, "stopped", "stopped", why)

    def ended(self, run: Run, state: str) -> None:
        """A campaign is not sent any more; it is told of where every row is final."""
        if state in ENDED:
            self._tell_of(run, "end", state)
        self._campaigns.pop(run.id, None)

    def _tell_of(self, run: Run, occasion: Occasion, state: str, why: str = "") -> None:
        if run.id in self._campaigns and not self._quiet:
            report = os.path.join(run.folder, "report")
            notice = Notice(occasion, run.name, state, why, self._wall(), run.input_rows, dict(run.by_status), report)
            self.tell(self._campaigns[run.id], notice)

    def tell(self, campaign: Campaign, notice: Notice) -> None:
        """Tell those whom the campaign names, where it names this occasion; returns at once."""
        notify = campaign.notify
        if notify is None or notice.on not in notify.on:
            return
        if notify.command:
            self._begin("command", self._run(notify.command, notice), notice)
        if notify.url is not None:
            self._begin("url", self._post(notify.url, notice), notice)
        if notify.mail:
            self._begin("mail", self._mail(notify.mail, campaign.sender, notice), notice)

    async def told(self, within: float) -> None:
        """Wait until nothing is under way, for at most ``within`` seconds."""
        late = self._reactor.seconds() + within
        await until(self._reactor, lambda: not self._under_way or self._reactor.seconds() >= late)

    def _begin(self, how: str, telling: Coroutine[Deferred[Any], Any, None], notice: Notice) -> None:
        done = background(self._logged(how, telling, notice), "notifying")
        self._under_way.add(done)
        done.addBoth(lambda _: self._under_way.discard(done))

    async def _logged(self, how: str, telling: Coroutine[Deferred[Any], Any, None], notice: Notice) -> None:
        try:
            await telling
        except Exception as error:  # noqa: BLE001 - whatever it is, the sending goes on
            why = str(error) or type(error).__name__
            _log.warn(
                "{what}: notify.{how} failed: {why}",
                what=notice.subject,
                how=how,
                why=why,
                campaign=notice.campaign,
            )

    async def _run(self, words: Sequence[str], notice: Notice) -> None:
        command = self._start_command(self._reactor, words, _COMMAND_WITHIN, _body(notice))
        await command.output

    async def _post(self, url: str, notice: Notice) -> None:
        for wait in (*_AGAIN, None):
            try:
                status = await self._posted(url, notice)
            except Exception:
                if wait is None:
                    raise
            else:
                if status < 300:
                    return
                if wait is None or (status < 500 and status != 429):
                    raise OSError(f"{url} answered {status}")
            await deferLater(self._reactor, wait)

    async def _posted(self, url: str, notice: Notice) -> int:
        from twisted.web.client import FileBodyProducer  # noqa: PLC0415 - most campaigns name no URL
        from twisted.web.http_headers import Headers  # noqa: PLC0415

        self._agent = self._agent or _agent(self._reactor)
        headers = Headers({"Content-Type": ["application/json"], "User-Agent": ["bulkmail"]})
        body = FileBodyProducer(BytesIO(_body(notice)))  # type: ignore[no-untyped-call]
        asked = self._agent.request(b"POST", url.encode("ascii"), headers, body)
        asked.addTimeout(_POST_WITHIN, self._reactor)
        response = await asked
        response.deliverBody(_Ignored())
        status: int = response.code
        return status


def by_mail(reactor: Any, settings: Settings) -> Mail:
    """Return what sends a notice by mail, in a process of its own."""
    path = None if settings.file is None else settings.file.path

    async def mail(to: Sequence[str], sender: str, notice: Notice) -> None:
        given = {"settings": path, "from": sender, "to": list(to), "subject": notice.subject, "text": notice.text}
        words = [sys.executable, "-P", "-m", "bulkmail.commands.notice"]
        await Command.start(reactor, words, _MAIL_WITHIN, json.dumps(given).encode()).output

    return mail


class _Ignored(Protocol):
    """Reads nothing of an answer's body, whatever its length."""

    def connectionMade(self) -> None:
        """Leave at once."""
        if self.transport is not None:
            self.transport.loseConnection()


def _agent(reactor: Any) -> Any:
    """Return what makes requests: no connection stays open, certificates are checked."""
    from twisted.web.client import Agent, HTTPConnectionPool  # noqa: PLC0415 - as above

    pool = HTTPConnectionPool(reactor, persistent=False)  # type: ignore[no-untyped-call]
    return Agent(reactor, connectTimeout=_POST_WITHIN, pool=pool)  # type: ignore[no-untyped-call]


def _body(notice: Notice) -> bytes:
    return json.dumps(notice.plain(), ensure_ascii=False).encode() + b"\n"
