from __future__ import annotations

import threading

import pytest
from twisted.internet import defer

from bulkmail.control import opening
from bulkmail.mail import Refused
from bulkmail.spool import SqliteStore


def test_the_spool_is_read_in_another_thread_with_a_reader_of_its_own(tmp_path, monkeypatch):
    SqliteStore(str(tmp_path / "spool.sqlite3")).close()
    asked = []

    def in_thread(reactor, pool, work, *args):
        asked.append((reactor, pool))
        got = []
        thread = threading.Thread(target=lambda: got.append(work(*args)))
        thread.start()
        thread.join()
        return defer.succeed(got[0])

    class Reactor:
        def getThreadPool(self):
            return "pool"

    monkeypatch.setattr(opening, "deferToThreadPool", in_thread)
    reactor = Reactor()
    read = opening.reading(reactor, str(tmp_path))
    assert read(lambda reader: [row.name for row in reader.campaigns()]).result == []
    assert asked == [(reactor, "pool")]
    monkeypatch.setattr(opening, "deferToThreadPool", lambda _reactor, _pool, work, *args: work(*args))
    with pytest.raises(Refused):
        opening.reading(reactor, str(tmp_path / "nowhere"))(lambda _: None)
