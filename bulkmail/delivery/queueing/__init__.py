"""From the spool to the lanes.

Room: the queues with something to send, which of them are open here, and the claims that supply the lanes.
Takes: queues and claimed rows of the spool, routes of the router, composed messages of the workers.
Gives: lanes their messages; back to the spool what was claimed and not sent.
Never: claims more than its window, decides when a message leaves or what an outcome means.
"""

from __future__ import annotations

from bulkmail.delivery.queueing.feeder import Feeder
from bulkmail.delivery.queueing.queues import Queue

__all__ = ["Feeder", "Queue"]
