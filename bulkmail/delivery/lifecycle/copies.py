"""How many recipients of a campaign got its message already, under another name.

A folder that is copied, renamed and sent is another campaign to the spool, and everybody who has the message gets it
again. So before it is sent it is compared with the campaigns of the spool that have the same subject or template. What
that costs is bounded: the first rows of the list are looked for among those who got the other campaign, of which a
bounded number of rows is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice

from bulkmail.campaign import OperatorSettings, digests
from bulkmail.delivery.lifecycle.opening import Prepared
from bulkmail.mail import AddressError, BulkmailError, OwnFault, Problem, address_in
from bulkmail.spool import READY, CampaignRow, Reading, open_reader
from bulkmail.suppressing import mailable_rows

_COMPARED = 5_000  # rows of the list
_LATEST = 3  # campaigns with the same message
_READ = 1_000_000  # rows of each
_AT_ONCE = 20_000
_USABLE = ("ok", "held")


def with_copies(prepared: Prepared, settings: OperatorSettings) -> Prepared:
    """Return ``prepared`` with a notice for each campaign of the spool that is a copy of it, or the reverse.

    A campaign that was begun has none, for some are meant to have its message; nor has one whose spool cannot be read,
    which is told by those who need it. Raises Refused where a list cannot be read.
    """
    try:
        reader = open_reader(settings.spool)
    except BulkmailError:
        return prepared
    try:
        return replace(prepared, notices=(*prepared.notices, *_notices(prepared, settings, reader)))
    except OwnFault:
        return prepared
    finally:
        reader.close()


def _notices(prepared: Prepared, settings: OperatorSettings, reader: Reading) -> list[Problem]:
    campaign = prepared.campaign
    rows = reader.campaigns()
    if any(row.name == campaign.name and (row.state != READY or row.input_rows) for row in rows):
        return []
    reckoned_with = {path.campaign for _, path in campaign.earlier}
    others = [row for row in reversed(rows) if row.name not in {campaign.name, *reckoned_with}]
    alike = [row for row in others if row.started_at is not None and _same_message(prepared, row)][:_LATEST]
    if not alike:
        return []
    wanted, count, whole = _first_rows(prepared, settings)
    notices = []
    for row in alike:
        got = len({wanted[email] for email in _received(reader, row) if email in wanted})
        if got:
            of = f"{count:,} recipients" if whole else f"the first {count:,} recipients"
            words = (
                f"{got:,} of {of} got {row.name} on {_day(row)}, which has the same subject or template; to leave them "
                f"out, write `suppress: {{got: {row.name}}}`"
            )
            notices.append(campaign.file.problem(("recipients",), words))
    return notices


def _same_message(prepared: Prepared, row: CampaignRow) -> bool:
    content = prepared.content
    own = digests(prepared.campaign, content)
    names = ("subject", *(content[f"{part}_name"] for part in ("html", "text") if content[part] is not None))
    return any(row.digests.get(name) == own[name] for name in names if name in own)


def _first_rows(prepared: Prepared, settings: OperatorSettings) -> tuple[dict[str, int], int, bool]:
    """Return the addresses of the first rows, each with the number of its recipient, how many, and whether it is all.

    An address stands there as it is written, and as it is compared with others.
    """
    wanted: dict[str, int] = {}
    with mailable_rows(prepared.campaign, settings) as rows:
        usable = (row[3] for row in rows if row[6] in _USABLE)
        for email in islice(usable, _COMPARED):
            key = _key(email)
            number = wanted.setdefault(key, len(wanted))
            wanted.setdefault(email.strip().lower(), number)
        whole = next(usable, None) is None
    return wanted, len(set(wanted.values())), whole


def _received(reader: Reading, row: CampaignRow) -> Iterator[str]:
    """Yield the addresses that got a campaign, or may have, as they are written but for capitals."""
    after = 0
    while after < _READ and (found := reader.received(row.id, after, _AT_ONCE)):
        after = found[-1][0]
        yield from (email.strip().lower() for _, email in found)


def _key(email: str) -> str:
    try:
        return address_in(email).key
    except AddressError:
        return email.strip().lower()


def _day(row: CampaignRow) -> str:
    return f"{datetime.fromtimestamp(row.ended_at or row.started_at or row.created_at, UTC):%Y-%m-%d}"
