"""The campaigns of one process, from their opening to their end.

Room: opening, importing, reporting and ending campaigns; the watched folder; joining what other machines send.
Takes: checked campaigns, the spool, the feeder, the report's and the compose workers' processes.
Gives: each campaign's exit status, and the files that people read.
Never: hands a message to a connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkmail.lazily import later

if TYPE_CHECKING:
    from bulkmail.delivery.lifecycle.accepting import Asked, put_mark
    from bulkmail.delivery.lifecycle.ahead import Ahead, look_ahead
    from bulkmail.delivery.lifecycle.approving import Approving
    from bulkmail.delivery.lifecycle.campaigns import Campaigns
    from bulkmail.delivery.lifecycle.cancelling import AtRest
    from bulkmail.delivery.lifecycle.checking import Checking
    from bulkmail.delivery.lifecycle.copies import with_copies
    from bulkmail.delivery.lifecycle.drop_folder import DropFolderWatch
    from bulkmail.delivery.lifecycle.late import LateOutcomes, rules_of
    from bulkmail.delivery.lifecycle.live import Live, LiveCampaign, LiveSite
    from bulkmail.delivery.lifecycle.opening import Prepared, refusal, sent_of, too_late
    from bulkmail.delivery.lifecycle.planning import Planning
    from bulkmail.delivery.lifecycle.preparing import prepare
    from bulkmail.delivery.lifecycle.published import compare_records
    from bulkmail.delivery.lifecycle.pulse import Pulse
    from bulkmail.delivery.lifecycle.relay_check import RelayCheck, Tried, check_relays
    from bulkmail.delivery.lifecycle.reporting import Reporting
    from bulkmail.delivery.lifecycle.sending import Sending, sending_of
    from bulkmail.delivery.lifecycle.site_steering import SiteSteering
    from bulkmail.delivery.lifecycle.trial import quoted, trial_of
    from bulkmail.delivery.lifecycle.watching import folders, sent
else:
    __getattr__ = later(
        __name__,
        {
            "accepting": "Asked put_mark",
            "ahead": "Ahead look_ahead",
            "approving": "Approving",
            "campaigns": "Campaigns",
            "cancelling": "AtRest",
            "checking": "Checking",
            "copies": "with_copies",
            "drop_folder": "DropFolderWatch",
            "late": "LateOutcomes rules_of",
            "site_steering": "SiteSteering",
            "live": "Live LiveCampaign LiveSite",
            "opening": "Prepared refusal sent_of too_late",
            "planning": "Planning",
            "preparing": "prepare",
            "published": "compare_records",
            "pulse": "Pulse",
            "relay_check": "RelayCheck Tried check_relays",
            "reporting": "Reporting",
            "sending": "Sending sending_of",
            "trial": "quoted trial_of",
            "watching": "folders sent",
        },
    )

__all__ = [
    "Ahead",
    "Approving",
    "Asked",
    "AtRest",
    "Campaigns",
    "Checking",
    "DropFolderWatch",
    "LateOutcomes",
    "Live",
    "LiveCampaign",
    "LiveSite",
    "Planning",
    "Prepared",
    "Pulse",
    "RelayCheck",
    "Reporting",
    "Sending",
    "SiteSteering",
    "Tried",
    "check_relays",
    "compare_records",
    "folders",
    "look_ahead",
    "prepare",
    "put_mark",
    "quoted",
    "refusal",
    "rules_of",
    "sending_of",
    "sent",
    "sent_of",
    "too_late",
    "trial_of",
    "with_copies",
]
