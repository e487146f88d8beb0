"""What would go wrong with a campaign, found before its first message.

Room: looking at a whole campaign before it is sent: its rows, its composed messages, its recipients' domains, its
sender's DNS.
Takes: a checked campaign, the operator's settings, compose workers, a resolver.
Gives: findings, each with its place, what is wrong and what would be right; errors block a start, warnings do not.
Never: sends anything, opens the spool, prints.
"""

from __future__ import annotations

from bulkmail.preflight.findings import Finding, Severity

__all__ = ["Finding", "Severity"]
