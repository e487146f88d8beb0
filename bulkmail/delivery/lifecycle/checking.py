"""Checking a campaign in a process of its own, with a deadline and a bound on its memory.

A dropped folder is content from outside. Its check compiles templates, reads suppress lists to their end and may take
seconds, or for ever; the event loop must not wait for it, for every other campaign is sent by it. A list that is asked
of a database comes first: that may take minutes, and keeps no other campaign's check waiting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from twisted.internet.defer import DeferredSemaphore

from bulkmail.campaign import NotNow, ToBeAskedError, campaign_as_checked, content_hash, load_campaign
from bulkmail.delivery.lifecycle.copies import with_copies
from bulkmail.delivery.lifecycle.opening import Prepared, prepare
from bulkmail.files import Folder
from bulkmail.mail import OwnFault, Problem, Refused
from bulkmail.preflight import sender_notices
from bulkmail.settings import Settings
from bulkmail.workers import DATABASE, Worker, WorkerDiedError, WorkerLateError
from bulkmail.yamlfile import YamlFile

CHECKER = "bulkmail.delivery.lifecycle.checking:Checker"
WITHIN = 60.0
ASKING_WITHIN = 660.0  # seconds for the lists of databases, of which each may take 600
_AT_ONCE = 2


@dataclass(frozen=True)
class Key:
    """A DKIM signing key of the operator."""

    domain: str
    selector: str
    pem: bytes


@dataclass(frozen=True)
class Notifiable:
    """The programs and the beginnings of addresses that a campaign may name under ``notify``."""

    commands: Sequence[str]
    urls: Sequence[str]


@dataclass(frozen=True)
class ComesBack:
    """The domain of the addresses at which replies to a campaign's messages come back."""

    domain: str


@dataclass(frozen=True)
class Page:
    """What the address of the page for unsubscribing begins with."""

    url: str


@dataclass(frozen=True)
class OfOperator:
    """What a check needs of the operator's settings, and no more of them."""

    dkim: Sequence[Key]
    suppress: Sequence[str]
    spool: str
    notify: Notifiable
    inbound: ComesBack | None
    public: Page | None
    file: YamlFile | None
    pools: Mapping[str, Sequence[str]]
    databases: Mapping[str, str]
    templates: str | None

    @staticmethod
    def plain(settings: Settings) -> tuple[Any, ...]:
        """Return them as plain data; of the settings file only the places of its values."""
        file = settings.file
        places = None if file is None else (file.path, None, file.keys, file.values)
        keys = [(key.domain, key.selector, key.pem) for key in settings.dkim]
        notify = (list(settings.notify.commands), list(settings.notify.urls))
        inbound = None if settings.inbound is None else settings.inbound.domain
        public = None if settings.public is None else settings.public.url
        pools = {name: list(members) for name, members in settings.pools.items()}
        lists = list(settings.suppress), dict(settings.databases), settings.templates
        return keys, lists, settings.spool, notify, inbound, public, places, pools

    @classmethod
    def of(cls, plain: tuple[Any, ...]) -> OfOperator:
        """Return what `plain` was made of."""
        keys, (suppress, *others), spool, notify, inbound, public, places, pools = plain
        file = None if places is None else YamlFile(*places)
        comes_back = None if inbound is None else ComesBack(inbound)
        page = None if public is None else Page(public)
        signing = [Key(*key) for key in keys]
        return cls(signing, suppress, spool, Notifiable(*notify), comes_back, page, file, pools, *others)


class Checker:
    """The worker. Its jobs are ``("check", path, settings)`` and ``("ask", path, settings)``.

    The answer is ``("checked", data)``, ``("to-be-asked",)``, ``("asked",)``, ``("refused", problems)`` or
    ``("own-fault", text)``. ``settings`` are `OfOperator.plain`, a problem is (file, line, column, message), and
    ``data`` is for `Checking`. A check asks no database: where a list must be asked for first, it says so.
    """

    def handle(self, job: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the answer to one job. Any other exception than Refused and OwnFault is a bug, and is logged."""
        verb, path, settings = job
        if verb not in ("check", "ask"):
            raise LookupError(f"no such job: {verb!r}")
        try:
            own = OfOperator.of(settings)
            if verb == "ask":
                load_campaign(path, follow=False, spool=own.spool, databases=own.databases)
                return ("asked",)
            own = replace(own, databases=NotNow(own.databases))
            prepared = with_copies(prepare(path, own, follow=False), own)
            known = content_hash(prepared.campaign, prepared.content)
        except ToBeAskedError:
            return ("to-be-asked",)
        except Refused as refused:
            return "refused", [_plain(problem) for problem in refused.problems]
        except OwnFault as fault:
            return "own-fault", str(fault)
        except MemoryError:
            return "refused", [(path, 0, 0, "its check needs more memory than a campaign's may take (1 GB)")]
        campaign = prepared.campaign
        file = campaign.file
        return (
            "checked",
            {
                "folder": (campaign.folder, campaign.opened.id),
                "file": (file.path, file.value, file.keys, file.values, file.texts),
                "lists": dict(campaign.lists),
                "content": prepared.content,
                "columns": prepared.columns,
                "input_bytes": prepared.input_bytes,
                "notices": [_plain(notice) for notice in prepared.notices],
                "content_hash": known,
            },
        )


class Checking:
    """Checks campaigns, a few at once, each in a process that ends with its check."""

    def __init__(self, reactor: Any, settings: Settings, hostname: str) -> None:
        """``hostname``: the EHLO name."""
        self._reactor = reactor
        self._hostname = hostname
        self._spool = settings.spool
        self.apply(settings)
        self._turns, self._asking = DeferredSemaphore(_AT_ONCE), DeferredSemaphore(_AT_ONCE)
        self._workers: set[Worker] = set()
        self._stopped = False

    def apply(self, settings: Settings) -> None:
        """Check with these settings from now on."""
        self._of_sender = settings, self._hostname
        self._settings = OfOperator.plain(settings)

    def stop(self) -> None:
        """End the checks that are under way; they and all later ones raise OwnFault."""
        self._stopped = True
        for worker in self._workers:
            worker.kill()

    async def prepare(self, path: str) -> Prepared:
        """The campaign in the folder ``path``, checked. Raises Refused, also for a check that does not end in time.

        OwnFault where it was stopped, WorkerFailedError where the check has an error in itself.
        """
        answer = await self._in_turn(self._turns, "check", path, WITHIN)
        if answer[0] == "to-be-asked":
            answer = await self._in_turn(self._asking, "ask", path, ASKING_WITHIN)
            if answer[0] == "asked":
                answer = await self._in_turn(self._turns, "check", path, WITHIN)
        if answer[0] == "to-be-asked":
            words = "the answer of a database was removed from its folder while it was checked; it is asked again"
            raise OwnFault(words)
        prepared = _prepared(path, answer, self._spool)
        about_sender = sender_notices(prepared.campaign, *self._of_sender)
        return replace(prepared, notices=(*prepared.notices, *about_sender))

    async def _in_turn(self, turns: DeferredSemaphore, verb: str, path: str, within: float) -> tuple[Any, ...]:
        await turns.acquire()
        try:
            return await self._answer(verb, path, within)
        finally:
            turns.release()

    async def _answer(self, verb: str, path: str, within: float) -> tuple[Any, ...]:
        if self._stopped:
            raise OwnFault("the service is being stopped")
        worker = Worker.start(self._reactor, CHECKER, further=DATABASE)  # for `rest_of`, `got` and copies
        self._workers.add(worker)
        try:
            answer: tuple[Any, ...] = await worker.ask((verb, path, self._settings), within)
        except WorkerLateError:
            words = f"its check took longer than {within:g} s and was ended; make its templates and lists smaller"
            if verb == "ask":
                words = f"its database has not answered the query within {within:g} s; make the query quicker"
            raise Refused([Problem(path, 0, 0, words)]) from None
        except WorkerDiedError as error:
            if self._stopped:
                raise OwnFault("the service is being stopped") from None
            words = f"its check ended the process that made it ({error}); make its templates and lists smaller"
            raise Refused([Problem(path, 0, 0, words)]) from None
        finally:
            self._workers.discard(worker)
            await worker.close()
        return answer


def _plain(problem: Problem) -> tuple[str, int, int, str]:
    return str(problem.file), problem.line, problem.column, problem.message


def _prepared(path: str, answer: tuple[Any, ...], spool: str) -> Prepared:
    if answer[0] == "refused":
        raise Refused(Problem(*problem) for problem in answer[1])
    if answer[0] == "own-fault":
        raise OwnFault(answer[1])
    data = answer[1]
    where, known = data["folder"]
    try:
        folder = Folder.open(where, known=known, follow=False)
    except OSError as error:
        raise Refused([Problem(path, 0, 0, f"its folder cannot be opened ({error.strerror})")]) from None
    campaign = campaign_as_checked(YamlFile(*data["file"]), folder, data["lists"], spool)
    notices = tuple(Problem(*notice) for notice in data["notices"])
    return Prepared(
        campaign, data["content"], data["columns"], data["input_bytes"], notices, content_hash=data["content_hash"]
    )
