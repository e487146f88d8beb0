"""The worker that checks a campaign, and what it needs of the operator's settings.

It starts for each campaign, so it imports what a check needs: neither the event loop nor the model of the settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bulkmail.campaign import NotNow, ToBeAskedError, content_hash, load_campaign
from bulkmail.delivery.lifecycle.copies import with_copies
from bulkmail.delivery.lifecycle.opening import prepare
from bulkmail.mail import OwnFault, Problem, Refused, answer_of, plain_problems
from bulkmail.yamlfile import YamlFile

if TYPE_CHECKING:
    from bulkmail.settings import Settings


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
        except (Refused, OwnFault) as error:
            return answer_of(error)
        except MemoryError:
            words = "its check needs more memory than a campaign's may take (1 GB)"
            return answer_of(Refused([Problem(path, 0, 0, words)]))
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
                "notices": plain_problems(prepared.notices),
                "content_hash": known,
            },
        )
