"""The control socket: what the running service can be asked and told, by commands and, later, by a page.

Room: one HTTP API in JSON over a UNIX socket that only the service's own user can open; its client.
Takes: requests; the owners of what they are about: the spool, the steering of campaigns, the lanes, the settings.
Gives: answers and problem details; an OpenAPI document of both.
Never: decides anything about sending; opens anything before it is told to; lets a request take the event loop.
"""

from __future__ import annotations

from bulkmail.control.client import Client
from bulkmail.control.explain import Known, destination_of, domain_of, explain, known_destination, no_route
from bulkmail.control.opening import open_control, reading
from bulkmail.control.overview import overview, plain_situation
from bulkmail.control.place import SOCKET, NotRunningError
from bulkmail.control.problems import RequestProblem
from bulkmail.control.recipients import find_recipients
from bulkmail.control.server import ControlServer
from bulkmail.control.suppressions import plain as plain_suppression

__all__ = [
    "SOCKET",
    "Client",
    "ControlServer",
    "Known",
    "NotRunningError",
    "RequestProblem",
    "destination_of",
    "domain_of",
    "explain",
    "find_recipients",
    "known_destination",
    "no_route",
    "open_control",
    "overview",
    "plain_situation",
    "plain_suppression",
    "reading",
]
