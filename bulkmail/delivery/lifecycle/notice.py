"""What people are told of a campaign's start, of a stop and of its end, in words and as data. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from bulkmail.campaign import Campaign
from bulkmail.mail import Problem

Occasion = Literal["start", "stopped", "end"]

_VERBS = {"start": "is being sent", "stopped": "has stopped", "end": "has ended"}


@dataclass(frozen=True)
class Notice:
    """One notice. ``at`` is in epoch seconds; ``state`` the campaign's; ``why`` a sentence, "" at a start.

    ``rows``: of the list as far as it was read; ``by_status``: how many of them have which status.
    """

    on: Occasion
    campaign: str
    state: str
    why: str
    at: float
    rows: int
    by_status: Mapping[str, int]
    report: str

    @property
    def subject(self) -> str:
        """Return the line that says it."""
        return f"{self.campaign} {self.state if self.on == 'end' else _VERBS[self.on]}"

    @property
    def text(self) -> str:
        """Return it for people, some lines."""
        lines = [f"The campaign {self.campaign} {_VERBS[self.on]}." if self.on != "end" else f"{self.subject}."]
        if self.why:
            lines.append(self.why)
        lines += ["", f"Rows in the list: {self.rows:,}"]
        lines += [f"{status}: {count:,}" for status, count in self.by_status.items() if count]
        lines += ["", f"The report: {self.report}", ""]
        return "\n".join(lines)

    def plain(self) -> dict[str, Any]:
        """Return it for programs. ``at`` is RFC 3339 in UTC, in milliseconds."""
        at = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {
            "event": self.on,
            "campaign": self.campaign,
            "state": self.state,
            "reason": self.why,
            "at": at,
            "input_rows": self.rows,
            "by_status": dict(self.by_status),
            "report": self.report,
        }


def forbidden(campaign: Campaign, commands: Sequence[str], urls: Sequence[str]) -> list[Problem]:
    """Return a problem for each program and address under ``notify`` that the operator's settings do not name."""
    notify = campaign.notify
    problems: list[Problem] = []
    if notify is None:
        return problems
    if notify.command and notify.command[0] not in commands:
        words = f"notify.command: {notify.command[0]} is not one of the operator's `notify.commands`; add it there"
        problems.append(campaign.file.problem(("notify", "command"), words))
    if notify.url is not None and not notify.url.startswith(tuple(urls)):
        words = f"notify.url: no entry of the operator's `notify.urls` is the beginning of {notify.url}; add one there"
        problems.append(campaign.file.problem(("notify", "url"), words))
    return problems
