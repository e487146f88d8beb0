"""How does a recipient become a row of the report?

Room: the moving parts: claims, lanes, connections in use, outcomes, reports, the campaigns of one process.
Takes: the spool, a router, compose workers, gates and decisions of shaping, connections of net.
Gives: every claimed recipient recorded with an outcome or given back untouched; one report per campaign.
Never: speaks SMTP, parses a CSV, decides what a reply means, opens anything before it is told to.

1. `importing` stores the rows that the ingest process reads. From the first batch on they can be sent.
2. `feeder` opens *queues* (one campaign's recipients at one domain), asks the router where each leads, and puts them
   into the *lane* of that site. All domains with the same MX set share one lane.
3. A lane that could send more is hungry. The feeder claims for it, a few rows at a time, from its queues in turn; the
   claim is durable before anything else happens. The messages are composed by `composing` in worker processes.
4. A composed message is *ready*. The lane's loop, `dispatch`, gives it to an idle connection as soon as the meters
   allow; where a connection is missing, a `walk` over the site's hosts gets one. Nobody polls: whatever a lane waits
   for wakes it.
5. Right before the final dot can leave, the `ledger` journals it; the reply is journalled in the turn that read it.
   The ledger has the outcome classified and the retry decided, and hands the settlement to the spool.
6. A recipient that is to be tried again waits in the spool, not here. When it is due its queue opens again (2).
7. What an ended connection says of the site's `habits` is kept for the next one; `remembering` writes it into the
   spool, so that no restart forgets what a site cannot do or since when it is down.
8. `reporting` says when the report's processes write what; `sending` sees a campaign from its opening to its end.

8. Where several machines send from one spool, `sharing` knows which destinations are ours, and `joining` helps with
   the campaigns that others were given.

What each failure means. Greeting refused, connect failed, TLS broken: the next host; after the last one the site
rests, one recipient is charged and the others go back. A reply from MAIL on: that recipient's attempt. The connection
breaks before the dot: deferred; behind the dot: unknown, and tried later, never at once elsewhere. A fault of our own
(disk, resolver, no route out, a relay that does not let us in): a pause of the `street`; nobody is charged; before the
first message it is a refused start, which for a relay `trial` finds out. Killed:
what the journal knows is settled at the next start, what it does not know was not sent.

What is bounded: open queues, claimed messages (by count and bytes), connections, gates (dropped when unused). What a
list has beyond that stays in the spool.
"""

from __future__ import annotations

from bulkmail.delivery.background import background
from bulkmail.delivery.checking import Checking
from bulkmail.delivery.composing import Composing
from bulkmail.delivery.feeder import Feeder
from bulkmail.delivery.ledger import Ledger
from bulkmail.delivery.opening import Prepared, prepare, refusal
from bulkmail.delivery.published import compare_records
from bulkmail.delivery.relay import Relaying
from bulkmail.delivery.remembering import Remembering
from bulkmail.delivery.reporting import Reporting
from bulkmail.delivery.run import Run
from bulkmail.delivery.sending import Sending
from bulkmail.delivery.street import Street
from bulkmail.delivery.trial import Trial
from bulkmail.delivery.wallclock import WallClock
from bulkmail.delivery.watching import Watching
from bulkmail.delivery.withholding import Withholding

__all__ = [
    "Checking",
    "Composing",
    "Feeder",
    "Ledger",
    "Prepared",
    "Relaying",
    "Remembering",
    "Reporting",
    "Run",
    "Sending",
    "Street",
    "Trial",
    "WallClock",
    "Watching",
    "Withholding",
    "background",
    "compare_records",
    "prepare",
    "refusal",
]
