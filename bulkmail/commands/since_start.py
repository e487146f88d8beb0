"""What the spool knows of a campaign that is checked: whether it was started, and whether it could go on as it is."""

from __future__ import annotations

from dataclasses import dataclass

from bulkmail.delivery import Prepared, refusal
from bulkmail.mail import BulkmailError, Problem
from bulkmail.preflight import Begun
from bulkmail.settings import Settings
from bulkmail.spool import ENDED, open_reader


@dataclass(frozen=True)
class Started:
    """``state``: as the spool says; "" where it knows no such campaign.

    ``problems``: why a start would refuse to go on. ``begun``: how far its lists were read; None where that is over.
    """

    state: str = ""
    problems: tuple[Problem, ...] = ()
    begun: Begun | None = None


def since_start(prepared: Prepared, settings: Settings) -> Started:
    """Ask the spool, which may be in use; one that cannot be read knows nothing."""
    try:
        reader = open_reader(settings.spool)
    except BulkmailError:
        return Started()
    try:
        row = reader.campaign(prepared.campaign.name)
        if row is None:
            return Started()
        refused = refusal(prepared, row, accept_changes=False)
        problems = () if refused is None else refused.problems
        begun = None
        if not problems and row.state not in ENDED:
            begun = Begun(reader.import_state(row.id), row.input_rows)
        return Started(row.state, problems, begun)
    except BulkmailError:
        return Started()
    finally:
        reader.close()
