"""What would go wrong with a campaign, found before its first message.

Room: looking at a whole campaign before it is sent: its rows, its composed messages, its recipients' domains, its
sender's DNS.
Takes: a checked campaign, the operator's settings, compose workers, a resolver.
Gives: findings, each with its place, what is wrong and what would be right; errors block a start, warnings do not.
Never: sends anything, opens the spool, prints, blocks the event loop.

How a campaign is looked at: `whole` reads its lists (`reading`, in the process that reads them for the sending), has
every row composed and looked at by a pool of processes (`composing`, `inspector`) and every domain looked up
(`domains`, `resolving`). `counting` keeps what comes back, as kinds of findings with their rows (`kinds`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkmail.lazily import later

if TYPE_CHECKING:
    from bulkmail.preflight.choosing import DEFAULT as DEFAULT_ROWS
    from bulkmail.preflight.choosing import Chosen, Row, RowChooser, Wanted
    from bulkmail.preflight.findings import Finding, Severity, is_of_dns
    from bulkmail.preflight.page import preview_page
    from bulkmail.preflight.plan_words import plain_plan, plan_lines
    from bulkmail.preflight.planned import Means as PlanMeans
    from bulkmail.preflight.planned import (
        Plan,
        daily_budgets,
        demands,
        plan_campaign,
        plan_checked,
        schedule_of,
        shared_paces,
    )
    from bulkmail.preflight.problems_file import write_problems
    from bulkmail.preflight.reading import Begun
    from bulkmail.preflight.recipients import RowCounts, count_rows
    from bulkmail.preflight.resolving import Resolving, families_of, resolver_options
    from bulkmail.preflight.result import Preflight, of_problem, plain_finding
    from bulkmail.preflight.row_lines import RowLines
    from bulkmail.preflight.sender import (
        Sender,
        address_findings,
        by_name,
        check_sender,
        hostname_findings,
        inbound_findings,
        is_qualified,
        key_findings,
        keys_of,
        names_of,
        not_qualified,
        offline_findings,
        sender_notices,
        sender_of,
    )
    from bulkmail.preflight.specimen import Specimen, compose_rows, read_specimen
    from bulkmail.preflight.whole import Means, preflight
    from bulkmail.preflight.words import report, summary, verdict
else:
    __getattr__ = later(
        __name__,
        {
            "choosing": "DEFAULT=DEFAULT_ROWS Chosen Row RowChooser Wanted",
            "findings": "Finding Severity is_of_dns",
            "page": "preview_page",
            "plan_words": "plain_plan plan_lines",
            "planned": "Means=PlanMeans Plan daily_budgets demands plan_campaign plan_checked schedule_of shared_paces",
            "problems_file": "write_problems",
            "reading": "Begun",
            "recipients": "RowCounts count_rows",
            "resolving": "Resolving families_of resolver_options",
            "result": "Preflight of_problem plain_finding",
            "row_lines": "RowLines",
            "sender": (
                "Sender address_findings by_name check_sender hostname_findings inbound_findings "
                "is_qualified key_findings keys_of names_of not_qualified offline_findings "
                "sender_notices sender_of"
            ),
            "specimen": "Specimen compose_rows read_specimen",
            "whole": "Means preflight",
            "words": "report summary verdict",
        },
    )

__all__ = [
    "DEFAULT_ROWS",
    "Begun",
    "Chosen",
    "Finding",
    "Means",
    "Plan",
    "PlanMeans",
    "Preflight",
    "Resolving",
    "Row",
    "RowChooser",
    "RowCounts",
    "RowLines",
    "Sender",
    "Severity",
    "Specimen",
    "Wanted",
    "address_findings",
    "by_name",
    "check_sender",
    "compose_rows",
    "count_rows",
    "daily_budgets",
    "demands",
    "families_of",
    "hostname_findings",
    "inbound_findings",
    "is_of_dns",
    "is_qualified",
    "key_findings",
    "keys_of",
    "names_of",
    "not_qualified",
    "of_problem",
    "offline_findings",
    "plain_finding",
    "plain_plan",
    "plan_campaign",
    "plan_checked",
    "plan_lines",
    "preflight",
    "preview_page",
    "read_specimen",
    "report",
    "resolver_options",
    "schedule_of",
    "sender_notices",
    "sender_of",
    "shared_paces",
    "summary",
    "verdict",
    "write_problems",
]
