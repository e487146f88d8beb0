from __future__ import annotations

import os

import pytest

from bulkmail.mail import Refused
from bulkmail.spool import SiteFact, SqliteStore, forget_sites
from bulkmail.spool.place import Lock

FOLLOW = SiteFact("mx.a.example~1f", "follow", 0.0, 100.0, 200.0)
TLS = SiteFact("192.0.2.1", "tls", 0.0, 90.0, 300.0)


def test_one_site_or_all_are_forgotten(tmp_path):
    store = SqliteStore(str(tmp_path / "spool.sqlite3"))
    others = [TLS, FOLLOW._replace(site="mx.a.example.net~1f"), FOLLOW._replace(site="mx.a.exampl_~1f")]
    store.remember([FOLLOW, FOLLOW._replace(fact="pipelining"), *others])
    store.close()
    assert forget_sites(str(tmp_path), "mx.a.example") == 2
    assert forget_sites(str(tmp_path), "mx.a.example") == 0
    assert forget_sites(str(tmp_path), "192.0.2.1") == 1
    assert forget_sites(str(tmp_path), None) == 2


def test_not_while_a_process_has_it_and_nothing_is_made(tmp_path):
    with pytest.raises(Refused, match="nothing was ever sent from this spool"):
        forget_sites(str(tmp_path), None)
    assert os.listdir(tmp_path) == []
    SqliteStore(str(tmp_path / "spool.sqlite3")).close()
    lock = Lock(str(tmp_path))
    with pytest.raises(Refused, match="in use by process"):
        forget_sites(str(tmp_path), None)
    lock.release()
    assert forget_sites(str(tmp_path), None) == 0
