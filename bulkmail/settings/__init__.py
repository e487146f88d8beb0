"""The operator's settings (bulkmail.yaml): every key with its default, checked, immutable.

Room: the settings of one installation.
Takes: bulkmail.yaml, or nothing.
Gives: `Settings`: durations in seconds, rates as `mail.Rate`, absolute paths, keys read; or Refused with all problems.
Never: opens a socket or a database, changes a file, accepts a key whose feature is not built.
"""

from __future__ import annotations

from bulkmail.settings.changes import Changes, changes, without_restart
from bulkmail.settings.inbound import SYSTEMD, Filter, Forward, Inbound, InboundLimits, InboundTimeouts, ServerTls
from bulkmail.settings.load import DEFAULT_FILE, load_settings, schema
from bulkmail.settings.public import ListenAt, Public
from bulkmail.settings.relay import RELAY_SECRETS, Relay, read_secret, secret_of
from bulkmail.settings.routes import ROUTE_LIMITS, ROUTE_MANNERS, Route, route_name
from bulkmail.settings.rules import Judgement, ShapingRule, never
from bulkmail.settings.sections import (
    SHIPPED_PROVIDERS,
    Compose,
    Dkim,
    Dns,
    Events,
    Limits,
    Machine,
    Provider,
    Retry,
    Routing,
    Settings,
    Shaping,
    Smtp,
    Timeouts,
    Tls,
    Total,
)
from bulkmail.settings.sources import Source
from bulkmail.settings.suppression import Suppression
from bulkmail.settings.values import TlsMode, parse_selector
from bulkmail.settings.web import Web

__all__ = [
    "DEFAULT_FILE",
    "RELAY_SECRETS",
    "ROUTE_LIMITS",
    "ROUTE_MANNERS",
    "SHIPPED_PROVIDERS",
    "SYSTEMD",
    "Changes",
    "Compose",
    "Dkim",
    "Dns",
    "Events",
    "Filter",
    "Forward",
    "Inbound",
    "InboundLimits",
    "InboundTimeouts",
    "Judgement",
    "Limits",
    "ListenAt",
    "Machine",
    "Provider",
    "Public",
    "Relay",
    "Retry",
    "Route",
    "Routing",
    "ServerTls",
    "Settings",
    "Shaping",
    "ShapingRule",
    "Smtp",
    "Source",
    "Suppression",
    "Timeouts",
    "Tls",
    "TlsMode",
    "Total",
    "Web",
    "changes",
    "load_settings",
    "never",
    "parse_selector",
    "read_secret",
    "route_name",
    "schema",
    "secret_of",
    "without_restart",
]
