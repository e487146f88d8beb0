"""What the check of a campaign needs of the operator's settings, as plain data for the process that makes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
