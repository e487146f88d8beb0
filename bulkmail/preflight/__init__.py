"""What would go wrong with a campaign, found before its first message.

Room: looking at a whole campaign before it is sent: its rows, its composed messages, its recipients' domains, its
sender's DNS.
Takes: a checked campaign, the operator's settings, compose workers, a resolver.
Gives: findings, each with its place, what is wrong and what would be right; errors block a start, warnings do not.
Never: sends anything, opens the spool, prints.
"""

from __future__ import annotations

from bulkmail.preflight.choosing import DEFAULT as DEFAULT_ROWS
from bulkmail.preflight.choosing import Chosen, RowChooser, Wanted
from bulkmail.preflight.findings import Finding, Severity
from bulkmail.preflight.page import preview_page
from bulkmail.preflight.sender import (
    Sender,
    SenderKey,
    address_findings,
    check_sender,
    hostname_findings,
    is_freemail,
    is_qualified,
    key_findings,
    keys_of,
    lookup_by,
    not_qualified,
    sender_of,
)
from bulkmail.preflight.specimen import Specimen, compose_rows, read_specimen

__all__ = [
    "DEFAULT_ROWS",
    "Chosen",
    "Finding",
    "RowChooser",
    "Sender",
    "SenderKey",
    "Severity",
    "Specimen",
    "Wanted",
    "address_findings",
    "check_sender",
    "compose_rows",
    "hostname_findings",
    "is_freemail",
    "is_qualified",
    "key_findings",
    "keys_of",
    "lookup_by",
    "not_qualified",
    "preview_page",
    "read_specimen",
    "sender_of",
]
