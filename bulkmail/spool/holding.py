"""What the spool asks of a store about what keeps campaigns from being sent, and about requests of people."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from bulkmail.mail import Choice
from bulkmail.spool.rows import AcceptRequest, CancelRequest, HeldTime, Hold

TOGETHER = 2000
"""Rows that one `HoldStore.try_now` looks at: outcomes are written in between."""


class TryNow(NamedTuple):
    """Who asks when, in epoch seconds, that the deferred rows of a campaign are tried at once.

    ``provider``: only those at it, "" all; ``site``: only those with this domain, or whose last attempt was at this MX
    host, "" all.
    """

    campaign_id: int
    now: float
    provider: str = ""
    site: str = ""
    who: str = ""


class Tried(NamedTuple):
    """What became of some rows that wait. ``rows``: due now; ``doubtful``: a copy may have arrived, so they wait on.

    ``after``: the last row that was looked at; None: there are no more.
    """

    rows: int = 0
    doubtful: int = 0
    after: int | None = None


class HoldStore(Protocol):
    """What keeps campaigns from being sent, and requests for their end. What is written here every process obeys."""

    def hold(self, hold: Hold) -> None:
        """Keep a campaign from being claimed; with a provider it is for the processes that send to see to that.

        A hold of that kind at that provider gets the new reason, ``who`` and ``until``; its ``since`` stays. Raises
        LookupError where there is no such campaign.
        """

    def lift(self, campaign_id: int, kind: str, provider: str, now: float) -> bool:
        """Release a hold at ``now``; return whether there was one."""

    def lift_due(self, now: float) -> list[Hold]:
        """Release the holds whose ``until`` has come, as of that time; return them."""

    def holds(self) -> list[Hold]:
        """Return the holds of all campaigns, by campaign, provider and kind."""

    def held_times(self, campaign_id: int) -> list[HeldTime]:
        """Return when the campaign was held by holds that are over; their sum is not counted by any retry clock."""

    def request_cancel(self, request: CancelRequest) -> bool:
        """Set a campaign that has not ended to "cancelling", for good; return whether it was not before.

        From then on none of its rows is claimed. Raises LookupError where there is no such campaign.
        """

    def cancel_requests(self) -> list[CancelRequest]:
        """Return the requests of all campaigns in the spool, also of those that were cancelled."""

    def request_accept(self, request: AcceptRequest) -> None:
        """Ask the machine that has a campaign's folder to take what was changed in it. Raises LookupError."""

    def accept_requests(self) -> list[AcceptRequest]:
        """Return the requests that were not obeyed yet."""

    def drop_accept_request(self, campaign_id: int) -> None:
        """Remove the request for a campaign: it was obeyed, or refused."""

    def save_winner(self, campaign_id: int, choice: Choice) -> None:
        """Store which variant those get who are in none, in place of an earlier choice. Raises LookupError."""

    def winner(self, campaign_id: int) -> Choice | None:
        """Return which variant those get who are in none, None while none is chosen."""

    def first_attempt_at(self, campaign_id: int) -> float | None:
        """Return when a campaign's first attempt was, in epoch seconds; None before it."""

    def report_is_whole(self, campaign_id: int) -> None:
        """Record that the last report of an ended campaign was written to its end."""

    def report_is_not_whole(self, campaign_id: int) -> None:
        """Take that back: the report is being written again, and until it is whole the campaign is not removed."""

    def has_whole_report(self, campaign_id: int) -> bool:
        """Return whether that was recorded."""

    def try_now(self, asked: TryNow, after: int, limit: int) -> Tried:
        """Make rows due that wait for a retry, of ``limit`` that wait behind the row ``after`` (0: from the first).

        Only those that a server has put off before that was asked for. Where the final reply was lost they keep their
        time: a copy may have arrived. Nothing else changes, so all limits and holds count as before. Raises LookupError
        where there is no such campaign.
        """
