"""What the lists of a campaign look like before anything is sent: columns, first rows, and what to know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bulkmail.campaign.consent import ConsentRule
from bulkmail.campaign.encoding import encoding_of
from bulkmail.campaign.files import ListPath
from bulkmail.campaign.intake import Intake, Recipient
from bulkmail.campaign.jobs import intake_options
from bulkmail.campaign.lines import Lines
from bulkmail.campaign.model import Campaign
from bulkmail.campaign.own_report import count_statuses, notice, refusal
from bulkmail.campaign.query import asked_notices
from bulkmail.campaign.reading import OperatorSettings
from bulkmail.campaign.rows import Rows
from bulkmail.mail import Problem, Refused, plain_problems, problems_of

FIRST = 100
"""Rows that are judged before anything is sent."""

_AT_ONCE = 5000
_LOOKED_AT = 20_000  # rows, for some that belong to the campaign


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
    options = intake_options(campaign, settings.suppress)
    intake = Intake(**options, in_order=False)
    try:
        _, columns, notices, sizes = intake.opened
        rows = _first_rows(intake)
        declined = intake.notices()
    finally:
        intake.close()
    notices = [*notices, *plain_problems(_of_reports(paths, campaign.encoding))]
    if whole and len(rows) >= FIRST:
        declined = [notice for path in paths for notice in _declined(path, campaign.encoding, options["consent"])]
    asked = asked_notices(campaign.recipients, campaign.opened, campaign.file)
    return Lists(columns, sizes, rows, (*asked, *declined, *problems_of(notices)))


def _first_rows(intake: Intake) -> list[Recipient]:
    """Return the first rows that belong to the campaign; fewer where these are rare."""
    found: list[Recipient] = []
    for _ in range(_LOOKED_AT // FIRST):
        _, rows, _, done = intake.next(FIRST)
        found += rows
        if done or len(found) >= FIRST:
            break
    return found


def _of_reports(paths: Sequence[ListPath], encoding: str | None) -> list[Problem]:
    """Return what there is to know of lists that are reports of ours. Raises Refused where one is not to be sent to.

    Such a list is read to its end for that: a row that must not be mailed may be its last.
    """
    wrong, told = [], []
    for path in paths:
        lines = Lines(path, encoding_of(path, encoding))
        try:
            rows = Rows(lines)
            if rows.own_report is None:
                continue
            counts: Counter[str] = Counter()
            while taken := rows.take(_AT_ONCE):
                count_statuses(rows.own_report, taken, counts)
        finally:
            lines.close()
        if why := refusal(counts):
            wrong.append(Problem(str(path), rows.header_line, 0, why))
        elif words := notice(counts):
            told.append(Problem(str(path), rows.header_line, 0, words))
    if wrong:
        raise Refused(wrong)
    return told


def _declined(path: ListPath, encoding: str | None, rule: ConsentRule) -> list[Problem]:
    """Return what all rows of a list say of who may not be mailed."""
    lines = Lines(path, encoding_of(path, encoding))
    try:
        rows = Rows(lines)
        consent = rows.consent(rule)
        while consent and (taken := rows.take(_AT_ONCE)):
            consent.objections(taken)
        return [*consent.notices(whole=True), *([] if rows.trailer is None else [rows.trailer])]
    finally:
        lines.close()
