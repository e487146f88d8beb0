"""What is asked of the API in the body of a POST, as the OpenAPI document describes it. Times are RFC 3339."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from bulkmail.mail import UnitError, parse_rate, read_duration


def _duration(text: str) -> str:
    try:
        read_duration(text)
    except UnitError as error:
        raise ValueError(str(error)) from None
    return text


def _rate(text: str) -> str:
    try:
        parse_rate(text)
    except UnitError as error:
        raise ValueError(str(error)) from None
    return text


Words = Annotated[str, Field(max_length=500)]
Name = Annotated[str, Field(max_length=100)]
LowerName = Annotated[Name, AfterValidator(str.lower)]  # of a provider: none has capital letters
Duration = Annotated[str, Field(max_length=20, examples=["2h", "30 min"]), AfterValidator(_duration)]


class Order(BaseModel):
    """What comes in; an unknown member is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class PauseOrder(Order):
    """``for_`` (`for` in JSON): for how long; without it until it is resumed. ``who``: who asked for it."""

    provider: LowerName = ""
    for_: Duration | None = Field(None, alias="for")
    reason: Words = ""
    who: Name = ""


class ResumeOrder(Order):
    """``provider`` as in the pause that is ended; without one all pauses end, and stops by rules too."""

    provider: LowerName = ""
    who: Name = ""


class SiteOrder(Order):
    """``of``: a provider, or a site by its key or its first host. ``who``: who asked for it."""

    of: LowerName
    who: Name = ""


class ForgetOrder(SiteOrder):
    """``reason``: why; it is told in the log."""

    reason: Words = ""


class PaceOrder(SiteOrder):
    """No faster than ``rate`` for ``for_`` (`for` in JSON)."""

    rate: Annotated[str, Field(max_length=40, examples=["5/s", "1000/h"]), AfterValidator(_rate)]
    for_: Duration = Field("1h", alias="for")


class CancelOrder(Order):
    """``reason`` and ``who`` are kept with the campaign."""

    reason: Words = ""
    who: Name = ""


class ApproveOrder(Order):
    """``who``: who has approved it."""

    who: Name = ""


class ChooseOrder(Order):
    """``variant``: the one that the rest gets; ``who``: who has chosen it."""

    variant: Name
    who: Name = ""


class TryNowOrder(Order):
    """Who is tried: all that are deferred, or those at a ``provider``, or with a domain or last MX host ``site``."""

    provider: LowerName = ""
    site: Annotated[str, Field(max_length=255, examples=["example.com", "mx.example.com"])] = ""
    who: Name = ""


class AcceptOrder(Order):
    """``who``: who asks for it."""

    who: Name = ""


class RemoveOrder(Order):
    """``without_report``: also where its last report was not written to its end."""

    without_report: bool = False


Address = Annotated[str, Field(max_length=320, examples=["ann@example.com", "@example.com"])]
Scope = Annotated[str, Field(max_length=120, examples=["everything", "list:newsletter", "campaign:spring-sale"])]
Reason = Literal["complained", "unsubscribed", "bounced-before", "listed"]


class SuppressionEntry(Order):
    """One address or domain ("@" before it). ``since``: RFC 3339; without it now."""

    address: Address
    scope: Scope = "everything"
    reason: Reason = "listed"
    source: Name = ""
    since: AwareDatetime | None = None


class SuppressOrder(Order):
    """Who is not to be mailed."""

    entries: list[SuppressionEntry]


class UnsuppressOrder(Order):
    """Of whom suppressions are removed; without a scope or a reason those of any."""

    addresses: list[Address]
    scope: Scope | None = None
    reason: Reason | None = None


class ForgetAddressesOrder(Order):
    """Of whom only the hashes are kept."""

    addresses: list[Address]


class ReloadOrder(Order):
    """Nothing is given: what is read is the file that the service was started with."""
