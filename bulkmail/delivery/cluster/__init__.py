"""Several machines on one spool.

Room: which destinations are this machine's, and how one goes from one machine to another.
Takes: leases of the spool, the feeder's queues, the limiters.
Gives: the answer whether a queue is ours, and which part of a limit.
Never: claims or sends a message.
"""

from __future__ import annotations

from bulkmail.delivery.cluster.leasing import Leasing, reread_facts

__all__ = ["Leasing", "reread_facts"]
