"""The operator's settings (bulkmail.yaml): every key with its default, checked, immutable.

Room: the settings of one installation.
Takes: bulkmail.yaml, or nothing.
Gives: `Settings`: durations in seconds, rates as `mail.Rate`, absolute paths, keys read; or Refused with all problems.
Never: opens a socket or a database, changes a file, accepts a key whose feature is not built.
"""

from __future__ import annotations

from bulkmail.settings.changes import Changes, changes, without_restart
from bulkmail.settings.inbound import SYSTEMD, Filter, Inbound, ServerTls
from bulkmail.settings.load import load_settings, schema
from bulkmail.settings.public import ListenAt, Public
from bulkmail.settings.relay import RELAY_SECRETS, Relay, read_secret, secret_of
from bulkmail.settings.routes import ROUTE_LIMITS, ROUTE_MANNERS, Route, route_name
from bulkmail.settings.rules import Judgement, ShapingRule, never
from bulkmail.settings.sections import SHIPPED_PROVIDERS, Dkim, Retry, Settings, Timeouts
from bulkmail.settings.sources import Source
from bulkmail.settings.suppression import Suppression
from bulkmail.settings.values import parse_selector
from bulkmail.settings.web import Web

__all__ = [
    "RELAY_SECRETS",
    "ROUTE_LIMITS",
    "ROUTE_MANNERS",
    "SHIPPED_PROVIDERS",
    "SYSTEMD",
    "Changes",
    "Dkim",
    "Filter",
    "Inbound",
    "Judgement",
    "ListenAt",
    "Public",
    "Relay",
    "Retry",
    "Route",
    "ServerTls",
    "Settings",
    "ShapingRule",
    "Source",
    "Suppression",
    "Timeouts",
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
