"""Limits of the process shared by lanes.

Room: what limits count (providers, sites, addresses, the process) and the lanes that wait for a slot.
Takes: the limits and paces of shaping.
Gives: permits for messages and slots for connections, or the time or the pool to wait for.
Never: opens a connection, decides which message is next.
"""

from __future__ import annotations

from bulkmail.delivery.limits.limiters import (
    BoundedPool,
    Limiters,
    SharedLimiter,
    SlotPool,
    Waiter,
    address_key,
    limit_key,
)
from bulkmail.delivery.limits.slots import ON_ITS_WAY, SOON, ConnectionSlots

__all__ = [
    "ON_ITS_WAY",
    "SOON",
    "BoundedPool",
    "ConnectionSlots",
    "Limiters",
    "SharedLimiter",
    "SlotPool",
    "Waiter",
    "address_key",
    "limit_key",
]
