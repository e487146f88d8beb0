"""What was asked for on the command line, checked: one campaign, or a folder of them to watch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bulkmail.delivery import Prepared
from bulkmail.mail import Problem
from bulkmail.settings import Settings

SPEED = 600.0
"""What the waits of a rehearsal are divided by, where no other speed is asked for."""


@dataclass
class Order:
    """Without ``prepared`` and ``watch`` the process helps others. ``speed``: what all waits are divided by.

    ``again`` reads and checks the settings once more, for a reload, and ``prepare`` the campaign with settings; both
    raise Refused. None where nothing can be reloaded.
    """

    settings: Settings
    prepared: Prepared | None = None
    watch: str | None = None
    rehearse: bool = False
    speed: float = 1.0
    once: bool = False
    accept_changes: bool = False
    foreground: bool = True
    problems: list[Problem] = field(default_factory=list)
    again: Callable[[], Settings] | None = None
    prepare: Callable[[Settings], Prepared | None] = lambda _: None
