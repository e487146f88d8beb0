"""What large receivers ask of everybody who sends in bulk, and which of them ask it.

From their own pages for senders: Gmail (from 5,000 messages a day to private mailboxes), Yahoo, Microsoft's consumer
mailboxes (refused as 550 5.7.515), Apple, GMX and WEB.DE, laposte.net, T-Online.
"""

from __future__ import annotations

from enum import StrEnum


class Demand(StrEnum):
    """One thing that receivers ask for."""

    SPF = "SPF"
    DKIM = "DKIM"
    DMARC = "a DMARC record"
    ALIGNMENT = "alignment"
    POINTER = "a PTR record"
    OWN_POINTER = "a PTR record of one's own"
    TLS = "TLS"
    ONE_CLICK = "one-click unsubscribing"


_ASKING: dict[Demand, tuple[str, ...]] = {
    Demand.SPF: ("Gmail", "Yahoo", "Microsoft", "Apple"),
    Demand.DKIM: ("Gmail", "Yahoo", "Microsoft", "Apple", "GMX", "WEB.DE"),
    Demand.DMARC: ("Gmail", "Yahoo", "Microsoft", "Apple"),
    Demand.ALIGNMENT: ("Gmail", "Yahoo", "Microsoft"),
    Demand.POINTER: ("Gmail", "Yahoo", "Apple", "GMX", "WEB.DE", "laposte.net", "T-Online"),
    Demand.OWN_POINTER: ("GMX", "WEB.DE", "T-Online"),
    Demand.TLS: ("Gmail", "Yahoo"),
    Demand.ONE_CLICK: ("Gmail", "Yahoo", "Apple"),
}


def asking(demand: Demand) -> str:
    """Name the receivers that ask for it, such as ``Gmail, Yahoo and Microsoft ask bulk senders for it``."""
    *names, last = _ASKING[demand]
    who = f"{', '.join(names)} and {last}" if names else last
    return f"{who} ask bulk senders for it"
