"""One destination: its messages, its connections, its suspension.

Room: everything about one site while messages go to it: what is next, on which connection, and what came of it.
Takes: composed messages from a supplier, slots and permits of the limits, attempts of the connector.
Gives: outcomes to the ledger, messages without an attempt back to the spool, consequences to the limits.
Never: claims a message, resolves a name, decides what a reply means or when a recipient is tried again.
"""

from __future__ import annotations

from bulkmail.delivery.lane.backlog import Supplier
from bulkmail.delivery.lane.lane import Lane
from bulkmail.delivery.lane.mx_attempt import MxAttempts

__all__ = ["Lane", "MxAttempts", "Supplier"]
