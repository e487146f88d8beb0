"""What the lists of a campaign look like before anything is sent: columns, first rows, and what to know."""

from __future__ import annotations

from dataclasses import dataclass

from bulkmail.campaign.consent import Consent
from bulkmail.campaign.encoding import encoding_of
from bulkmail.campaign.files import ListPath
from bulkmail.campaign.intake import Intake, Recipient
from bulkmail.campaign.lines import Lines
from bulkmail.campaign.model import Campaign
from bulkmail.campaign.reading import OperatorSettings
from bulkmail.campaign.rows import Rows
from bulkmail.mail import Problem

FIRST = 100
"""Rows that are judged before anything is sent."""

_AT_ONCE = 5000


@dataclass(frozen=True)
class Lists:
    """The recipient files of a campaign: columns and bytes of each, their first rows, what the operator should know."""

    columns: list[list[str]]
    sizes: list[int]
    rows: list[Recipient]
    notices: tuple[Problem, ...]


def survey(campaign: Campaign, settings: OperatorSettings, *, whole: bool = False) -> Lists:
    """Open the recipient and suppression files as the import will, and judge their first rows as it will.

    ``whole``: count in all rows who may not be mailed, which takes some seconds for a million rows. Raises Refused with
    every problem of the lists, and OwnFault.
    """
    paths = campaign.recipient_paths
    suppress = [*campaign.suppress_paths, *(ListPath.of(path) for path in settings.suppress)]
    intake = Intake(paths, encoding=campaign.encoding, suppress=suppress)
    try:
        _, columns, notices, sizes = intake.opened
        _, rows, _, _ = intake.next(FIRST)
        declined = intake.notices()
    finally:
        intake.close()
    if whole and len(rows) == FIRST:
        declined = [notice for path in paths for notice in _declined(path, campaign.encoding)]
    return Lists(columns, sizes, rows, (*declined, *(Problem(*notice) for notice in notices)))


def _declined(path: ListPath, encoding: str | None) -> list[Problem]:
    """What all rows of a list say of who may not be mailed."""
    lines = Lines(path, encoding_of(path, encoding))
    try:
        rows = Rows(lines)
        consent = Consent(path, rows.header_line, rows.header.names, rows.header.places)
        while consent and (taken := rows.take(_AT_ONCE)):
            consent.count(taken)
        return consent.notices(whole=True)
    finally:
        lines.close()
