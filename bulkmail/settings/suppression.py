"""The section ``suppression`` of bulkmail.yaml: what suppresses an address by itself, and what is kept of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bulkmail.settings.values import Seconds, preset
from bulkmail.yamlfile import Section

_After = Annotated[int, Field(ge=0, le=1000)]


class HardBounce(Section):
    """After how many messages that came back because the address is no good it is suppressed; 0: never."""

    after: _After = 1


class SoftBounce(Section):
    """After how many messages that came back for what may be over soon, within which time; 0: never."""

    after: _After = 5
    within: Seconds = preset("30d")


class Auto(Section):
    """What suppresses an address for every campaign ("all"), for those of its list ("list"), or not ("none")."""

    complained: Literal["all", "list", "none"] = "all"
    unsubscribed: Literal["all", "list"] = "list"
    hard_bounce: HardBounce = HardBounce()
    soft_bounce: SoftBounce = SoftBounce()


class Suppression(Section):
    """Who is suppressed by rule. ``hashed``: of these addresses only keyed hashes are kept."""

    auto: Auto = Auto()
    hashed: bool = False
