"""The control socket: what the running service can be asked and told, by commands and by the page.

Room: one HTTP API in JSON over a UNIX socket that only the service's own user can open; its client.
Takes: requests; the owners of what they are about: the spool, the steering of campaigns, the lanes, the settings.
Gives: answers and problem details; an OpenAPI document of both.
Never: decides anything about sending; opens anything before it is told to; lets a request take the event loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkmail.control.overview import overview
from bulkmail.lazily import later

if TYPE_CHECKING:
    from bulkmail.control.client import Client
    from bulkmail.control.explaining import (
        Known,
        destination_of,
        domain_of,
        explain,
        known_destination,
        lost_relay,
        no_route,
    )
    from bulkmail.control.opening import open_control, reading
    from bulkmail.control.place import NotRunningError
    from bulkmail.control.problems import RequestProblem
    from bulkmail.control.recent import ATTEMPTS, light
    from bulkmail.control.recipients import find_recipients
    from bulkmail.control.server import ControlServer
    from bulkmail.control.suppressions import plain_suppression
    from bulkmail.control.trying import kept_back, tried_answer, tried_words
    from bulkmail.control.warmups import all_warmups
    from bulkmail.control.within import Ask, ask_within
else:
    __getattr__ = later(
        __name__,
        {
            "client": "Client",
            "explaining": "Known destination_of domain_of explain known_destination lost_relay no_route",
            "opening": "open_control reading",
            "place": "NotRunningError",
            "problems": "RequestProblem",
            "recent": "ATTEMPTS light",
            "recipients": "find_recipients",
            "server": "ControlServer",
            "suppressions": "plain_suppression",
            "trying": "kept_back tried_answer tried_words",
            "warmups": "all_warmups",
            "within": "Ask ask_within",
        },
    )

__all__ = [
    "ATTEMPTS",
    "Ask",
    "Client",
    "ControlServer",
    "Known",
    "NotRunningError",
    "RequestProblem",
    "all_warmups",
    "ask_within",
    "destination_of",
    "domain_of",
    "explain",
    "find_recipients",
    "kept_back",
    "known_destination",
    "light",
    "lost_relay",
    "no_route",
    "open_control",
    "overview",
    "plain_suppression",
    "reading",
    "tried_answer",
    "tried_words",
]
