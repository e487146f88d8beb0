"""How does a recipient become a row of the report?

Room: the moving parts: claims, lanes, connections in use, outcomes, reports, the campaigns of one process.
Takes: the spool, a router, compose workers, decisions of shaping, connections of net.
Gives: every claimed recipient recorded with an outcome or given back without an attempt; one report per campaign.
Never: speaks SMTP, parses a CSV, decides what a reply means, opens anything before it is told to.

The storeys, from the top; each imports only those below it:

    lifecycle/   campaigns from their opening to their end: importing, reporting, the watched folder, joining
    cluster/     which destinations are this machine's, where several machines share a spool
    queueing/    from the spool to the lanes: which queues are open, what is claimed, what is composed
    lane/        one site: what is next, on which connection, what came of it, and whether the site is sent to at all
    ledger       the one place where an outcome is decided, written down and counted
    connector    which host is tried next, and how a connection to it is opened
    limits/      permits for messages and slots for connections, shared by the lanes
    pause, clocks, holds, run, message, site_facts, kept_policies, met_hosts, relay: what all of them use

1. `importing` stores the rows that the ingest process reads. From the first batch on they can be sent.
2. `queue_scan` finds *queues* (one campaign's recipients at one domain), `open_queues` asks the router where each leads
   and puts it into the supply of that site's *lane*. All domains with the same MX set share one lane.
3. A lane that holds less than its target wants messages. The feeder claims for it, a few rows at a time, from its
   queues in turn; the claim is durable before anything else happens. `composing` has the messages made in worker
   processes.
4. A composed message is *ready*. `Lane.dispatch` does what `dispatch.next_action` names: it gives the message to an
   idle connection, or opens one by an `MxAttempt` over the site's hosts, or waits for a permit or a slot. There is no
   polling: whatever a lane waits for wakes it.
5. Right before the final dot can leave, the ledger journals it; the reply is journalled in the turn that read it. The
   ledger has the outcome classified and the retry decided, and hands the settlement to the spool.
6. When a transaction is over, `shaping.feedback` says what it changes (pace, window, suspension), once.
7. A recipient that is to be tried again waits in the spool, not here. When it is due its queue opens again (2).
8. A campaign is held, at one provider or as a whole, by `lifecycle/steering`: its queues close, what is ready goes back
   without an attempt, what is on a connection ends. `lifecycle/cancelling` ends a campaign's rows for good.
9. What is learnt about a site is kept in its facts; `site_facts` writes them into the spool, so that no restart forgets
   what a site cannot do or since when it is out of service.

What each failure means. Greeting refused, connect failed, TLS broken: the next host; after the last one the site is
suspended, one recipient is charged and the others go back. A reply from MAIL on: that recipient's attempt. The
connection lost behind the dot: ambiguous, tried again later, never at once elsewhere. A fault of ours (disk, resolver,
no route out, a relay that does not let us in): a pause, and no recipient is charged; before the first message it is a
refused start, which for a relay `relay_check` finds out. The process killed: what the journal knows is settled at the
next start, what it does not know was not sent.

What is bounded: open queues, claimed messages (by count and bytes), connections, limiters (dropped when unused). What a
list has beyond that stays in the spool.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkmail.lazily import later

if TYPE_CHECKING:
    from bulkmail.delivery.assembly import Assembly, assemble
    from bulkmail.delivery.background import background as in_background
    from bulkmail.delivery.clocks import Clocks, WallClock
    from bulkmail.delivery.connector import Connector
    from bulkmail.delivery.kept_policies import load_policies
    from bulkmail.delivery.lifecycle import (
        Ahead,
        Approving,
        Asked,
        AtRest,
        Campaigns,
        Checking,
        DropFolderWatch,
        LateOutcomes,
        Live,
        LiveCampaign,
        LiveSite,
        Planning,
        Prepared,
        Pulse,
        RelayCheck,
        Reporting,
        Sending,
        SiteSteering,
        Tried,
        check_relays,
        compare_records,
        folders,
        look_ahead,
        prepare,
        put_mark,
        quoted,
        refusal,
        rules_of,
        sending_of,
        sent,
        sent_of,
        too_late,
        trial_of,
        with_copies,
    )
    from bulkmail.delivery.met_hosts import MetHost
    from bulkmail.delivery.pause import Pause
    from bulkmail.delivery.relay import Smarthost, smarthosts
    from bulkmail.delivery.resolver_process import ResolverProcess
    from bulkmail.delivery.run import Run
    from bulkmail.delivery.site_facts import SiteFactSync
    from bulkmail.delivery.traces import Traces
else:
    __getattr__ = later(
        __name__,
        {
            "assembly": "Assembly assemble",
            "background": "background=in_background",
            "clocks": "Clocks WallClock",
            "connector": "Connector",
            "lifecycle": (
                "Ahead Approving Asked AtRest Campaigns Checking DropFolderWatch LateOutcomes "
                "Live LiveCampaign LiveSite SiteSteering Planning Prepared "
                "Pulse RelayCheck Reporting Sending Tried check_relays "
                "compare_records folders look_ahead prepare put_mark quoted refusal "
                "rules_of sending_of sent sent_of too_late trial_of with_copies"
            ),
            "kept_policies": "load_policies",
            "met_hosts": "MetHost",
            "pause": "Pause",
            "relay": "Smarthost smarthosts",
            "resolver_process": "ResolverProcess",
            "run": "Run",
            "site_facts": "SiteFactSync",
            "traces": "Traces",
        },
    )

__all__ = [
    "Ahead",
    "Approving",
    "Asked",
    "Assembly",
    "AtRest",
    "Campaigns",
    "Checking",
    "Clocks",
    "Connector",
    "DropFolderWatch",
    "LateOutcomes",
    "Live",
    "LiveCampaign",
    "LiveSite",
    "MetHost",
    "Pause",
    "Planning",
    "Prepared",
    "Pulse",
    "RelayCheck",
    "Reporting",
    "ResolverProcess",
    "Run",
    "Sending",
    "SiteFactSync",
    "SiteSteering",
    "Smarthost",
    "Traces",
    "Tried",
    "WallClock",
    "assemble",
    "check_relays",
    "compare_records",
    "folders",
    "in_background",
    "load_policies",
    "look_ahead",
    "prepare",
    "put_mark",
    "quoted",
    "refusal",
    "rules_of",
    "sending_of",
    "sent",
    "sent_of",
    "smarthosts",
    "too_late",
    "trial_of",
    "with_copies",
]
