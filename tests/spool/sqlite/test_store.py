"""What is particular to a store in a file; the contract itself is in test_contract.py."""

from __future__ import annotations

import os
import shutil

import pytest

from bulkmail.mail import Refused


@pytest.mark.parametrize("life", ["file"], indirect=True)
@pytest.mark.parametrize("which", ["a settled row", "a claimed row", "a whole campaign"])
def test_a_file_that_has_forgotten_what_its_journal_tells_of_is_refused(life, kit, which):
    """An older copy, or the log taken away: what was sent since would be sent again."""
    path = os.path.join(life.directory, "spool.sqlite3")

    def copy():
        life.store.database._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copy(path, path + ".older")

    if which == "a whole campaign":
        copy()
    kit.campaign(life.store, rows=[kit.row(1), kit.row(2)])
    [(queue, _, _)] = life.store.backlog(0, 10)
    if which == "a settled row":
        copy()
    row, _ = life.store.claim([(queue, 2)], 5.0)[queue]
    life.store.settle([kit.outcome(row, "deferred", at=6.0, next_at=7.0)])
    if which == "a claimed row":
        life.store.claim([(queue, 2)], 8.0)
        copy()
        life.store.settle([kit.outcome(row._replace(attempts=1), "deferred", at=8.0, next_at=9.0)])
        life.store.claim([(queue, 2)], 10.0)
        row = row._replace(attempts=2)
    life.journal.dot(row.id, row.attempts + 1)
    life.journal.reply(row.id, row.attempts + 1, kit.outcome(row).packed())
    life.journal.close()
    life.store.close()
    os.rename(path + ".older", path)
    with pytest.raises(Refused, match=r"knows less than its journal: .*restore the newest copy"):
        life.start()
    life.store.close()
    shutil.rmtree(os.path.join(life.directory, "journal"))  # so that the end of the test finds it in order
    life.start()
