"""The signs of life of the processes that use a spool: for those who look at it from outside.

A process writes one every few seconds, with the fault that keeps it from sending, if there is one. Whether it is alive
is not told by the time of its sign, for clocks differ and disks are full: a spool in a folder is asked for its lock,
which the kernel drops with its holder, and a shared one for the machine's lease.
"""

from __future__ import annotations

import json

from bulkmail.spool.contract import Statements
from bulkmail.spool.rows import Sign

_NAME = "sign of life "


class Signs:
    """The part of a store that knows signs of life, the same in every database; see `contract.SignStore`."""

    _db: Statements

    def give_sign(self, sign: Sign) -> None:
        """Write the sign of this process in place of its machine's last one."""
        with self._db.transaction():
            self._db.execute("set_meta", (_NAME + sign.machine, json.dumps(sign[:-1])))


def read_signs(database: Statements) -> list[Sign]:
    """Within a transaction: return the last sign of each machine; ``alive`` is true where the database knows that."""
    rows = database.execute("signs", {"name": _NAME}).fetchall()
    return [Sign(*json.loads(text))._replace(alive=bool(alive)) for text, alive in rows]
