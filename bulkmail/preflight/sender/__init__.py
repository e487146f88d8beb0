"""The sender's DNS, seen as receivers see it: From, SPF, DKIM, DMARC, the names of the sending addresses.

Room: the check of what a campaign's sender has published.
Takes: the facts of the sender, and a lookup, which is awaited and never called twice at once.
Gives: findings with the exact record to publish; a nameserver that does not answer makes none of them an error.
Never: opens a socket, knows an event loop, asks a list of public suffixes.

`check` goes through the parts in the order in which a receiver meets them. `spf` evaluates RFC 7208, `dmarc` walks the
tree of RFC 9989; each ``_findings`` module says in words what came out of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkmail.lazily import later

if TYPE_CHECKING:
    from bulkmail.preflight.sender.address import address_findings, hostname_findings, is_qualified, not_qualified
    from bulkmail.preflight.sender.check import check_sender
    from bulkmail.preflight.sender.dkim import key_findings
    from bulkmail.preflight.sender.facts import Sender, SenderKey, by_name, keys_of, names_of, sender_of
    from bulkmail.preflight.sender.inbound import inbound_findings
    from bulkmail.preflight.sender.lookup import lookup_by
    from bulkmail.preflight.sender.offline import offline_findings, sender_notices
else:
    __getattr__ = later(
        __name__,
        {
            "address": "address_findings hostname_findings is_qualified not_qualified",
            "check": "check_sender",
            "dkim": "key_findings",
            "facts": "Sender SenderKey by_name keys_of names_of sender_of",
            "inbound": "inbound_findings",
            "lookup": "lookup_by",
            "offline": "offline_findings sender_notices",
        },
    )

__all__ = [
    "Sender",
    "SenderKey",
    "address_findings",
    "by_name",
    "check_sender",
    "hostname_findings",
    "inbound_findings",
    "is_qualified",
    "key_findings",
    "keys_of",
    "lookup_by",
    "names_of",
    "not_qualified",
    "offline_findings",
    "sender_notices",
    "sender_of",
]
