"""A campaign's rows or attempts from the spool to one stream of bytes, in the forms that other programs read.

Rows are read by the thousand, each time in a short transaction, so a campaign may be sent meanwhile, and what it takes
does not depend on the length of the list.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from bulkmail.campaign import sender_domain
from bulkmail.listing import batches, files_of, find_campaign
from bulkmail.mail import AttemptRow, message_id, token
from bulkmail.report import accounting, csv_export, json_export, parquet_export, variant_of
from bulkmail.spool import Reading

FORMATS = ("csv", "jsonl", "parquet", "pmta")
_ATTEMPTS = 5000


def export(reader: Reading, name: str, form: str) -> Iterator[bytes]:
    """Return what writes the campaign ``name`` in one of `FORMATS`, in parts. Raises BulkmailError."""
    row = find_campaign(reader, name)
    content = reader.content(row.id)
    key: bytes = row.key
    if form == "pmta":
        from bulkmail.content import return_path  # noqa: PLC0415 - the other forms need none of it

        sender = return_path(content)
        return accounting(
            _attempts(reader, row.id), job=row.name, queued_at=row.created_at, sender=sender, token=partial(token, key)
        )
    domain = sender_domain(content["from"])
    variants = content.get("variants")
    told = {"shares": variants["shares"], "winner": reader.winner(row.id)} if variants else {}
    write = {"csv": csv_export, "jsonl": json_export, "parquet": parquet_export}[form]
    same = message_id(key, 0, domain) if content.get("same_for_all") else ""
    rows = batches(reader, row.id, lambda *_: True)
    return write(rows, files_of(reader, row.id), key, domain, same, variant_of(told))


def _attempts(reader: Reading, campaign_id: int) -> Iterator[list[AttemptRow]]:
    after = 0
    while rows := reader.attempts(campaign_id, after, _ATTEMPTS):
        after = rows[-1].id
        yield rows
