"""The sections of bulkmail.yaml. Defaults stand as people write them, and the JSON Schema shows them so too."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from bulkmail.files import read_regular
from bulkmail.mail import Problem
from bulkmail.settings.databases import Databases
from bulkmail.settings.inbound import Inbound
from bulkmail.settings.paths import Path, contents
from bulkmail.settings.public import Public
from bulkmail.settings.relay import RELAY_SECRETS, Relay
from bulkmail.settings.routes import Route, check_routes, never_used
from bulkmail.settings.rules import Judgement, ShapingRule, check_classification, check_providers, check_rules
from bulkmail.settings.sources import Pools, Source, Sources, check_families, check_pools
from bulkmail.settings.suppression import Suppression
from bulkmail.settings.values import (
    KEY_BYTES,
    Count,
    Domain,
    KeyFile,
    LeaseTime,
    Library,
    ListFile,
    MachineName,
    Nameservers,
    Networks,
    OwnFolder,
    Pace,
    Port,
    Processes,
    Program,
    Reading,
    Seconds,
    Selector,
    Shares,
    SpoolPlace,
    Suffixes,
    TlsMode,
    UrlPrefix,
    Waits,
    preset,
)
from bulkmail.settings.web import Web
from bulkmail.yamlfile import ErrorAt, Line, Many, Section, YamlFile
from bulkmail.zones import zone

SHIPPED_PROVIDERS = frozenset(
    {"google", "yahoo", "outlook", "office365", "apple", "comcast", "mimecast"}
    | {"orange", "gmx", "yahoo-jp", "qq", "netease", "barracuda"}
)


class Dns(Section):
    """Who answers for domain names: ``nameservers`` as ``ip:port``, None for the system's.

    ``must_exist``: domains that any resolver knows; one that denies them all is not believed.
    """

    nameservers: Nameservers | None = None
    timeout: Seconds = preset("5s")
    must_exist: Many[Domain] = ("iana.org", "root-servers.net", "gmail.com")


class Routing(Section):
    """Where mail goes. ``allow_networks``: those that MX addresses may lie in although they are not public.

    ``ip``: the IP versions that are used, and which of them is tried first. ``mta_sts``: whether the policies that
    receivers publish are looked for. ``routes``: what is different for some.
    """

    allow_networks: Networks = ()
    ip: Literal["v4", "v6", "prefer-v4", "prefer-v6"] = "prefer-v4"
    mta_sts: bool = True
    routes: Many[Route] = ()


class Timeouts(Section):
    """The patience for each step of the SMTP dialogue."""

    connect: Seconds = preset("30s")
    greeting: Seconds = preset("60s")
    ehlo: Seconds = preset("60s")
    starttls: Seconds = preset("30s")
    auth: Seconds = preset("60s")
    mail: Seconds = preset("60s")
    rcpt: Seconds = preset("60s")
    data: Seconds = preset("120s")
    body: Seconds = preset("180s")
    dot: Seconds = preset("600s")
    quit: Seconds = preset("10s")


class Smtp(Section):
    """How the dialogue is spoken."""

    port: Port = 25
    pipelining: Literal["auto", "off"] = "auto"
    chunking: Literal["auto", "off"] = "auto"
    window: Annotated[int, Field(ge=1, le=100)] = 16
    dsn: Literal["auto", "none", "failure", "never"] = "auto"
    timeouts: Timeouts = Timeouts()


class Tls(Section):
    """How much encryption is asked for."""

    mode: TlsMode = "opportunistic"


class Dkim(Section):
    """One signing key: for mail from ``domain``, published under ``selector``; ``key`` is its PEM file."""

    domain: Annotated[Domain, Field(description="the domain of From", examples=["example.com"])]
    selector: Annotated[Selector, Field(description="the name the key is published under", examples=["s1"])]
    key: Annotated[KeyFile, Field(description="the private key's PEM file", examples=["keys/example.com.pem"])]
    _pem: bytes = PrivateAttr(b"")

    def model_post_init(self, context: Any, /) -> None:
        """Keep the key that was read while checking: it is read once, before privileges are dropped."""
        known = context.keys if isinstance(context, Reading) else {}
        self._pem = known[self.key] if self.key in known else read_regular(self.key, KEY_BYTES)

    @property
    def pem(self) -> bytes:
        """The private key file's content."""
        return self._pem


def _one_each(keys: tuple[Dkim, ...]) -> tuple[Dkim, ...]:
    seen: set[tuple[str, str]] = set()
    for index, key in enumerate(keys):
        if (key.domain, key.selector) in seen:
            raise ErrorAt((index, "selector"), f"{key.selector} of {key.domain} is given more than once")
        seen.add((key.domain, key.selector))
    return keys


class Retry(Section):
    """When a failed recipient is tried again, and when never more. The last interval repeats."""

    schedule: Waits = preset(["10m", "10m", "30m", "1h", "2h", "4h"])
    expire_after: Seconds = preset("3d")
    unknown_after: Seconds = preset("15m")
    unknown_attempts: Count = 3
    greylist_after: Seconds = preset("5m")


class Total(Section):
    """Limits of this process as a whole. ``claimed``: messages in hand, and what a power cut makes ambiguous."""

    connections: Count = 2000
    claimed: Count = 4096


class Limits(Section):
    """What any destination gets that no provider's limits name."""

    connections: Count = 10
    messages_per_connection: Count = 100
    rate: Pace = preset("100/s")
    connection_rate: Pace = preset("100/m")
    idle: Seconds = preset("60s")


class Provider(Section):
    """Changes to one shipped provider, or, with ``mx``, a further one. None leaves what is shipped or the default."""

    mx: Suffixes | None = None
    connections: Count | None = None
    messages_per_connection: Count | None = None
    rate: Pace | None = None
    connection_rate: Pace | None = None
    idle: Seconds | None = None
    shares: Shares | None = None
    tls: TlsMode | None = None


def _providers(providers: Mapping[str, Provider]) -> Mapping[str, Provider]:
    for name, provider in providers.items():
        if re.fullmatch(r"[a-z0-9][a-z0-9-]{0,49}", name, re.ASCII) is None:
            raise ErrorAt((name,), "not a provider's name; use small letters, digits and hyphens")
        if provider.mx is None and name not in SHIPPED_PROVIDERS:
            near = ", ".join(sorted(SHIPPED_PROVIDERS))
            raise ErrorAt(
                (name,), f"not a shipped provider ({near}); a new one needs mx, the ends of its MX host names"
            )
        _check_shares(name, provider)
    return providers


def _check_shares(name: str, provider: Provider) -> None:
    """A share has a connection and a message of the burst at least. What is shipped is not known here."""
    if not isinstance(provider.shares, int) or provider.shares == 1:
        return
    if provider.connections is None or provider.rate is None:
        raise ErrorAt((name, "shares"), "needs connections and rate beside it, which it divides")
    if provider.shares > provider.connections:
        raise ErrorAt(
            (name, "shares"), f"{provider.shares} shares cannot be made of {provider.connections} connections"
        )
    if provider.shares > provider.rate.burst:
        enough = replace(provider.rate, burst=provider.shares)
        raise ErrorAt((name, "rate"), f"a burst of {provider.rate.burst} is too small for the shares: write {enough}")


class Shaping(Section):
    """How fast mail goes where."""

    total: Total = Total()
    default: Limits = Limits()
    providers: Annotated[Mapping[str, Provider], AfterValidator(_providers)] = preset({})
    rules: Many[ShapingRule] = ()

    @model_validator(mode="after")
    def _rules_can_act(self) -> Shaping:
        check_providers("rules", self.rules, {*SHIPPED_PROVIDERS, *self.providers})
        check_rules(self.rules)
        return self

    @property
    def overrides(self) -> dict[str, dict[str, Any]]:
        """Provider -> the keys that were given for it, as `shaping.provider_table` takes them."""
        return {
            name: {key: 0 if value == "auto" else value for key, value in provider if value is not None}
            for name, provider in self.providers.items()
        }


class Compose(Section):
    """The processes that compose and sign."""

    processes: Processes = "auto"


class Machine(Section):
    """One machine among those that share a spool in PostgreSQL. ``name`` None: its full one."""

    name: MachineName | None = None
    folder: OwnFolder = preset("./machine")
    lease: LeaseTime = preset("15s")


class Log(Section):
    """How the log is written: its form, and the lowest level that is written."""

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warn", "error", "critical"] = "info"


class Events(Section):
    """Whether events are noted in the spool for `bulkmail tail`; how long, and how many of them at the most."""

    record: bool = False
    keep: Seconds = preset("7d")
    most: Annotated[int, Field(ge=1000)] = 10_000_000


def _zone(name: str) -> str:
    """Return a name of the IANA database. Raises UnknownZoneError, which is a ValueError."""
    zone(name)
    return name


class Notify(Section):
    """Which programs and addresses a campaign may name under ``notify``: it comes from people without a shell here.

    ``commands``: paths of programs. ``urls``: beginnings of addresses, each up to and with a slash.
    """

    commands: Many[Program] = ()
    urls: Many[UrlPrefix] = ()


class Settings(Section):
    """bulkmail.yaml. ``hostname`` None means the machine's FQDN, which the caller finds out when it needs it."""

    hostname: Domain | None = None
    spool: SpoolPlace = preset("./spool")
    machine: Machine = Machine()
    dns: Dns = Dns()
    routing: Routing = Routing()
    smtp: Smtp = Smtp()
    tls: Tls = Tls()
    relay: Relay | None = None
    dkim: Annotated[Many[Dkim], AfterValidator(_one_each)] = ()
    suppress: Many[ListFile] = ()
    databases: Databases = preset({})
    templates: Library | None = None
    suppression: Suppression = Suppression()
    retry: Retry = Retry()
    shaping: Shaping = Shaping()
    sources: Sources = ()
    pools: Pools = preset({})
    classification: Many[Judgement] = ()
    compose: Compose = Compose()
    stop_within: Seconds = preset("30s")
    timezone: Annotated[Line, AfterValidator(_zone)] = "UTC"
    log: Log = Log()
    events: Events = Events()
    approval: Literal["auto", "required", "none"] = "auto"
    notify: Notify = Notify()
    inbound: Inbound | None = None
    public: Public | None = None
    web: Web | None = None
    _file: YamlFile | None = PrivateAttr(None)
    _warnings: tuple[Problem, ...] = PrivateAttr(())
    _contents: Mapping[Path, str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _judgements_are_used(self) -> Settings:
        check_providers("classification", self.classification, {*SHIPPED_PROVIDERS, *self.shaping.providers})
        check_classification(self.classification)
        return self

    def model_post_init(self, context: Any, /) -> None:
        """Remember the file, for messages about its values later on, and what was risky in it."""
        self._contents = contents(self)
        if isinstance(context, Reading) and context.file is not None:
            self._file = file = context.file
            named: dict[tuple[str | int, ...], Any] = {("dkim", n, "key"): dkim.key for n, dkim in enumerate(self.dkim)}
            if self.inbound is not None and self.inbound.tls is not None:
                named[("inbound", "tls", "key")] = self.inbound.tls.key
            if self.public is not None and self.public.tls is not None:
                named[("public", "tls", "key")] = self.public.tls.key
            if self.web is not None and self.web.tls is not None:
                named[("web", "tls", "key")] = self.web.tls.key
            relays: dict[tuple[str | int, ...], Relay | None] = {("relay",): self.relay}
            relays |= {("routing", "routes", n, "relay"): one.relay for n, one in enumerate(self.routing.routes)}
            named |= {
                (*where, name): getattr(relay, name, None) for where, relay in relays.items() for name in RELAY_SECRETS
            }
            risky = [(where, context.warnings[path]) for where, path in named.items() if path in context.warnings]
            idle = never_used(self.routing.routes, relayed=self.relay is not None)
            unused = [(("routing", "routes", index), words) for index, words in idle]
            self._warnings = tuple(file.problem(where, words) for where, words in [*risky, *unused])

    @model_validator(mode="after")
    def _routes_and_sources(self) -> Settings:
        check_routes(self.routing.routes, [*SHIPPED_PROVIDERS.union(self.shaping.providers)], [*self.pools])
        if self.sources and self.relay is not None:
            raise ErrorAt(
                ("sources",), "does not go with `relay`: receivers see the relay's address; remove one of them"
            )
        check_pools(self.pools, self.sources)
        check_families(self.routing.ip, self.sources)
        return self

    @property
    def reports_asked(self) -> str:
        """The NOTIFY of RFC 3461 4.1, "" for none; ``auto`` asks for reports where they come back to us."""
        dsn = self.smtp.dsn
        if dsn == "auto":
            return "" if self.inbound is None else "FAILURE"
        return "" if dsn == "none" else dsn.upper()

    def sources_of(self, pool: str | None) -> list[Source]:
        """Return the sources of a pool, as the settings order them; all of them where ``pool`` names none."""
        names = self.pools.get(pool or "")
        return [one for one in self.sources if names is None or one.name in names]

    @property
    def shared(self) -> bool:
        """Whether the spool is a database, which other machines may use too."""
        return self.spool.startswith(("postgresql://", "postgres://"))

    @property
    def place(self) -> str:
        """The folder of what this machine keeps for itself: its own one, or the whole spool."""
        return self.machine.folder if self.shared else self.spool

    @property
    def scratch(self) -> str:
        """The folder of what is too much for the memory of those that read lists."""
        return os.path.join(self.place, "scratch")

    @property
    def file(self) -> YamlFile | None:
        """The file these settings were read from; None for built-in defaults."""
        return self._file

    @property
    def contents(self) -> Mapping[Path, str]:
        """A digest of each file that is read when the service opens, by the path of the key that names it."""
        return self._contents

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What works but should not stay so, such as a private key that everybody can read."""
        return self._warnings
