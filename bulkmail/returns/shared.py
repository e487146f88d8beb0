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
    repeats an `envelope_id` of that campaign; no sure place names a recipient, or another campaign. All blocks say the
    same, and each could be read: whatever was mixed up on the way, each recipient that it names failed so.
    """
    transaction = read_envelope_id(key, returned.envelope_id.strip())
    if returned.kind not in (Kind.FAILED, Kind.DELAYED) or transaction is None:
        return []
    read = partial(read_token, key)
    real = {(one.source, meant) for one in returned.candidates if one.source in SURE and (meant := read(one.token))}
    if {meant for _, meant in real} != {(transaction[0], 0)} or not {source for source, _ in real} >= _NEEDED:
        return []
    blocks = list(returned.blocks)
    if returned.unread or not blocks or agreed(blocks) is None or not all(block.whole for block in blocks):
        return []
    # of a forward that failed, the address that was mailed stands in one field alone, and nothing vouches for it
    straight: dict[str, Block] = {}
    for block in blocks:
        own = address_key(block.original)
        if own == address_key(block.final):
            straight.setdefault(own, block)
    return [(block.original, block) for own, block in straight.items() if own]
