"""What differs between two readings of the settings, and what a running service needs for each key to be used.

Every key is classified here by its path: ``live`` keys are used by the running parts from the next message on;
for those that are taken ``anew`` the service lets what is in flight finish, closes what is open, and opens it again
with the new settings, in the same process; a key that needs a ``restart`` stays as it was. A key that is not
named is an error of `tests/settings/test_changes.py`, and is taken anew: that is right for all but where state lies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bulkmail.mail import Problem
from bulkmail.settings.paths import LISTS, Path, pattern, values
from bulkmail.settings.sections import Settings
from bulkmail.yamlfile import YamlFile, dotted


class Effect(StrEnum):
    """When a changed key is used."""

    LIVE = "live"
    ANEW = "anew"
    RESTART = "restart"


_LIMITS = ("connections", "messages_per_connection", "rate", "connection_rate", "idle")

LIVE = frozenset(
    {
        *(f"shaping.default.{name}" for name in _LIMITS),
        *(f"shaping.providers.*.{name}" for name in (*_LIMITS, "tls")),
        *(f"retry.{name}" for name in ("schedule", "expire_after", "unknown_after", "unknown_attempts")),
        "retry.greylist_after",
        *(f"smtp.{name}" for name in ("pipelining", "chunking", "window")),
        *(f"smtp.timeouts.{name}" for name in ("connect", "greeting", "ehlo", "starttls", "auth", "mail", "rcpt")),
        *(f"smtp.timeouts.{name}" for name in ("data", "body", "dot", "quit")),
        "tls.mode",
        "shaping.rules",
        "classification",
        "suppress",
        "templates",
        "databases",
        "notify.commands",
        "notify.urls",
        "stop_within",
        "log.format",
        "log.level",
    }
)
"""Keys that the running parts use at once, with all keys below them; a part that holds one is told by its ``apply``."""

ANEW = frozenset(
    {
        "hostname",
        "timezone",
        "approval",
        "routing.allow_networks",
        "routing.ip",
        "routing.mta_sts",
        "smtp.port",
        "smtp.dsn",
        "shaping.total.connections",
        "shaping.total.claimed",
        "shaping.providers",  # that it is given, without a provider
        "shaping.providers.*.mx",  # which site belongs to which provider
        "shaping.providers.*.shares",
        "compose.processes",
    }
)
SECTIONS_ANEW = frozenset(
    {"dns", "routing.routes", "relay", "dkim", "suppression", "inbound", "public", "web", "sources", "pools", "events"}
)
"""Whole sections that are taken anew, with all keys below them."""

RESTART = frozenset({"spool", "machine"})
"""Where the state lies and who this machine is. Keys below a section that is named here are meant too."""

_LATER_ROWS = "suppress counts for rows that are read from now on; for those read before use bulkmail suppress import"
_SHARED_ANEW = ("shaping", "retry")  # how many shares a limit has, and when the machines take over from each other


def effect_of(key: str) -> Effect | None:
    """Return when a change of this key is used, None where it is not classified. ``*`` stands for a name or a place."""
    parts = key.split(".")
    above = {".".join(parts[:count]) for count in range(1, len(parts) + 1)}
    if above & RESTART:
        return Effect.RESTART
    if above & LIVE:
        return Effect.LIVE
    return Effect.ANEW if key in ANEW or above & SECTIONS_ANEW else None


@dataclass(frozen=True)
class Changes:
    """The keys that differ, as people write them, by when they are used."""

    live: tuple[str, ...] = ()
    anew: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()
    file: YamlFile | None = None
    paths: Mapping[str, Path] = field(default_factory=dict)

    @property
    def sentences(self) -> list[str]:
        """What becomes of the changes; what needs a restart with its place in the file."""
        told = [f"used from now on: {', '.join(self.live)}"] if self.live else []
        if LISTS in self.live:
            told.append(_LATER_ROWS)
        if self.anew:
            told.append(f"used as soon as what is in flight has finished: {', '.join(self.anew)}")
        told += [str(self._notice(key)) for key in self.restart]
        return told or ["nothing has changed"]

    def _notice(self, key: str) -> Problem:
        sentence = f"{key}: this needs a restart, and stays as it was until then"
        return (
            Problem("the settings", 0, 0, sentence)
            if self.file is None
            else self.file.problem(self.paths[key], sentence)
        )


def changes(old: Settings, new: Settings) -> Changes:
    """Compare two readings of the settings."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    found: dict[Effect, list[str]] = {effect: [] for effect in Effect}
    paths: dict[str, Path] = {}
    for path in dict.fromkeys((*before, *after)):
        if path in before and path in after and before[path] == after[path]:
            continue
        key = dotted(path)
        paths[key] = path
        effect = effect_of(pattern(path)) or Effect.ANEW
        if effect is Effect.LIVE and old.shared and path[0] in _SHARED_ANEW:
            effect = Effect.ANEW
        found[effect].append(key)
    live, anew, restart = (tuple(found[effect]) for effect in Effect)
    return Changes(live, anew, restart, new.file, paths)


def without_restart(old: Settings, new: Settings) -> Settings:
    """Return the new settings, but for the keys that need a restart: these stay as they were."""
    return new.model_copy(update={name: getattr(old, name) for name in RESTART})


def _leaves(settings: Settings) -> Iterator[tuple[Path, Any]]:
    for path, value in values(settings):
        yield path, (value, settings.contents.get(path))
