"""What may be asked of a campaign in which state: pure rules, the same with a service at work and without one.

The states of a campaign, by what is written into the spool:

    ready       made, never sent
    running     it may be sent: a process sends it, or was killed while it did
    stopped     it was not sent to its end; it goes on when it is started again
    cancelling  its end was asked for; rows that are not settled are being ended
    finished    every row is final
    cancelled   it was ended before
    removing    its rows are being removed from the spool
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bulkmail.mail import Choice, WrongState, check_name
from bulkmail.spool.campaigns import CANCELLING, ENDED, REMOVING
from bulkmail.spool.rows import HOLD_KINDS, CampaignRow, Hold


def named(rows: Iterable[CampaignRow], name: str) -> CampaignRow:
    """Return the campaign called ``name``. Raises UnknownName, with the nearest one."""
    by_name = {row.name: row for row in rows}
    check_name("campaign", name, by_name)
    return by_name[name]


def check_not_ended(row: CampaignRow, what: str) -> None:
    """Raise WrongState for a campaign that has ended, or is about to: it cannot be ``what`` ("paused") any more."""
    if row.state in ENDED:
        raise WrongState(f"{row.name} is {row.state} already, and cannot be {what}")
    if row.state == CANCELLING:
        raise WrongState(f"{row.name} is being cancelled, which cannot be undone, so it cannot be {what}")
    if row.state == REMOVING:
        raise WrongState(f"{row.name} is being removed from the spool, and cannot be {what}")


def chosen_by_hand(name: str, content: Mapping[str, Any], before: Choice | None, variant: str, who: str) -> Choice:
    """Return the choice of a person for a campaign with this content. Raises WrongState, UnknownName."""
    variants = content.get("variants") or {}
    if not variants.get("contest"):
        raise WrongState(f"{name} has no `winner` in its campaign.yaml, so there is no variant to choose")
    if before is not None and before.variant != variant:
        raise WrongState(f"{name}: {before.variant} was chosen already: {before.why}")
    check_name("variant", variant, variants["letters"])
    return before or Choice(variant, f"chosen by {who or 'a person'}", who)


def check_held(row: CampaignRow, holds: Iterable[Hold], kind: str, provider: str) -> None:
    """Raise WrongState where no hold of this kind is at the provider: there is nothing to release.

    Where others hold the campaign it tells which ones. None is approved that is being checked or was refused.
    """
    mine = [hold for hold in holds if hold.campaign_id == row.id]
    if kind == "approval" and (refused := next((hold for hold in mine if hold.kind == "refused"), None)) is not None:
        raise WrongState(f"{row.name} was refused, and cannot be approved before that is corrected: {refused.reason}")
    if kind == "approval" and any(hold.kind == "checking" for hold in mine):
        raise WrongState(f"{row.name} is being checked; approve it when STATUS.txt in its folder asks for that")
    if any(hold.kind == kind and hold.provider == provider for hold in mine):
        return
    at = f" at {provider}" if provider else ""
    others = "; ".join(f"{hold.provider or 'all of it'}: {HOLD_KINDS[hold.kind]}" for hold in mine)
    raise WrongState(f"{row.name} is not {kind}{at}" + (f"; what holds it is {others}" if others else ""))


def check_removable(row: CampaignRow, *, whole_report: bool, without_report: bool = False) -> None:
    """Raise WrongState for a campaign that has not ended, or whose last report was not written to its end.

    ``without_report``: no report of it is asked for, or can be written, because its folder is gone.
    """
    if row.state == REMOVING:
        return
    if row.state not in ENDED:
        remedy = "wait for its end" if row.state == CANCELLING else "cancel it first, or let it be sent to its end"
        raise WrongState(f"{row.name} is {row.state}, and rows of it are not settled; {remedy}")
    if not whole_report and not without_report:
        raise WrongState(
            f"{row.name}: its last report was not written to its end; start the campaign, which writes it, or "
            "remove it without a whole report (`bulkmail remove --without-report`)"
        )
