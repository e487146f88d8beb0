"""What the lists of a campaign look like from outside, before anything is sent: their columns, and what to know."""

from __future__ import annotations

from dataclasses import dataclass

from bulkmail.campaign.ingest import Ingest
from bulkmail.campaign.model import Campaign
from bulkmail.mail import OwnFault, Problem, Refused
from bulkmail.settings import Settings


@dataclass(frozen=True)
class Lists:
    """The recipient files of a campaign: columns and bytes of each, and what the operator should know."""

    columns: list[list[str]]
    sizes: list[int]
    notices: tuple[Problem, ...]


def read_headers(campaign: Campaign, settings: Settings) -> Lists:
    """Open the recipient and suppression files as the import will, and read no more of them than that needs.

    Raises Refused with every problem of the lists.
    """
    ingest = Ingest()
    answer = ingest.handle(
        (
            "open",
            {
                "files": [path.plain for path in campaign.recipient_paths],
                "encoding": campaign.encoding,
                "suppress": [*(path.plain for path in campaign.suppress_paths), *settings.suppress],
            },
        )
    )
    ingest.handle(("close",))
    if answer[0] == "refused":
        raise Refused(Problem(*problem) for problem in answer[1])
    if answer[0] == "own-fault":
        raise OwnFault(answer[1])
    _, columns, notices, sizes = answer
    return Lists(columns, sizes, tuple(Problem(*notice) for notice in notices))
