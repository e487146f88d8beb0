"""What the spool says of a campaign before anything is opened: whether a start would be refused, and how far it is."""

from __future__ import annotations

import os
from collections import Counter

from bulkmail.delivery.lifecycle.accepting import marked_at
from bulkmail.delivery.lifecycle.opening import Prepared, refusal, sent_of
from bulkmail.settings import Settings
from bulkmail.spool import open_reader


def look_ahead(prepared: Prepared, settings: Settings, *, accept_changes: bool) -> dict[str, int] | None:
    """Look into the spool, read-only, and refuse what a start would refuse. Raises Refused.

    Return how many rows of the campaign have which status, None where the spool has no such campaign. A shared spool is
    not looked into: other machines open campaigns meanwhile, and it is told when it is opened.
    """
    if settings.shared or not os.path.exists(os.path.join(settings.spool, "spool.sqlite3")):
        return None
    reader = open_reader(settings.spool)
    try:
        row = reader.campaign(prepared.campaign.name)
        if row is None:
            return None
        totals = reader.totals(row.id)
    finally:
        reader.close()
    accept_changes = accept_changes or marked_at(prepared.campaign.folder) is not None
    found = refusal(prepared, row, accept_changes=accept_changes, sent=sent_of(totals))
    if found is not None:
        raise found
    by_status: Counter[str] = Counter()
    for (_, status, _), count in totals.items():
        by_status[str(status)] += count
    return dict(by_status)
