"""What the spool says of a campaign before anything is opened: whether it was begun, and whether it could go on."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from bulkmail.delivery.lifecycle.accepting import marked_at
from bulkmail.delivery.lifecycle.opening import Prepared, refusal, sent_of
from bulkmail.mail import Refused
from bulkmail.preflight import Begun
from bulkmail.settings import Settings
from bulkmail.spool import ENDED, open_reader


@dataclass(frozen=True)
class Ahead:
    """``state``: as the spool says; "" where it has no such campaign, which then is as good as new.

    ``by_status``: how many of its rows have which status; None where it has none. ``refused``: why a start would refuse
    to go on. ``begun``: how far its lists were read; None where that is over, or is refused.
    """

    state: str = ""
    by_status: Mapping[str, int] | None = None
    refused: Refused | None = None
    begun: Begun | None = None


def look_ahead(prepared: Prepared, settings: Settings, *, accept_changes: bool) -> Ahead:
    """Look into the spool, read-only, also while it is in use. Raises BulkmailError where it cannot be read."""
    if not settings.shared and not os.path.exists(os.path.join(settings.spool, "spool.sqlite3")):
        return Ahead()
    reader = open_reader(settings.spool)
    try:
        row = reader.campaign(prepared.campaign.name)
        if row is None:
            return Ahead()
        totals = reader.totals(row.id)
        accept_changes = accept_changes or marked_at(prepared.campaign.folder) is not None
        refused = refusal(prepared, row, accept_changes=accept_changes, sent=sent_of(totals))
        begun = None
        if refused is None and row.state not in ENDED:
            begun = Begun(reader.import_state(row.id), row.input_rows)
    finally:
        reader.close()
    by_status: Counter[str] = Counter()
    for (_, status, _), count in totals.items():
        by_status[str(status)] += count
    return Ahead(row.state, dict(by_status), refused, begun)
