"""Reports of one message that many get in one transaction: which of its recipients each block is about.

All of them have one return path and one Message-ID, which each of them has read. So a report counts only where it
repeats the ENVID of the transaction as well, which stands in no message; then its Original-Recipient, the ORCPT that we
have given to each recipient, says whose it is. An address in any other field is none that we have written.
"""

from __future__ import annotations

from functools import partial

from bulkmail.mail import read_envelope_id, read_token
from bulkmail.returns.returned import SURE, Block, Kind, Return, Source, address_key, agreed

_NEEDED = frozenset({Source.ENVELOPE, Source.MESSAGE_ID})


def shares(returned: Return, key: bytes) -> list[tuple[str, Block]]:
    """Return the blocks that count, each with the address that was mailed; [] where nothing is certain.

    ``key``: the spool's. The report came to the campaign's own return path, encloses the campaign's own message, and
    repeats an `envelope_id` of that campaign; no sure place names a recipient, or another campaign.
    """
    transaction = read_envelope_id(key, returned.envelope_id.strip())
    if returned.kind not in (Kind.FAILED, Kind.DELAYED) or transaction is None:
        return []
    read = partial(read_token, key)
    real = {(one.source, meant) for one in returned.candidates if one.source in SURE and (meant := read(one.token))}
    if {meant for _, meant in real} != {(transaction[0], 0)} or not {source for source, _ in real} >= _NEEDED:
        return []
    said: dict[str, list[Block]] = {}
    for block in returned.blocks:
        said.setdefault(address_key(block.original), []).append(block)
    said.pop("", None)
    found = [(some[0].original, agreed(some)) for some in said.values()]
    return [(address, block) for address, block in found if block is not None]
