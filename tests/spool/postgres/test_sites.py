from __future__ import annotations

import pytest

from bulkmail.mail import Refused
from bulkmail.spool import SiteFact, forget_sites


@pytest.fixture
def machines(pg_dsn, kit):
    made = [kit.open_postgres(pg_dsn, f"machine-{n}") for n in (1, 2)]
    yield made
    for store in made:
        store.close()


def test_facts_of_some_sites_are_read_and_forgotten_while_machines_are_at_work(machines, pg_dsn):
    one, two = machines
    facts = [SiteFact(site, "rate", 0.5, 100.0, 200.0) for site in ("mx.a.example~1f", "mx.a.example.net~1f", "b")]
    one.remember([*facts, SiteFact("c", "rate", 0.5, 10.0, 20.0)])
    assert two.site_facts_of(["b", "c", "d"], 150.0) == [facts[2]]
    channel = one.database.connection.execute("SELECT 'bulkmail_' || current_schema()").fetchone()[0]
    two.database.connection.execute(f"LISTEN {channel}")
    assert forget_sites(pg_dsn, "mx.a.example") == 1
    assert [heard.payload for heard in two.database.connection.notifies(timeout=60, stop_after=1)] == ["sites"]
    assert two.site_facts(150.0) == [facts[2], facts[1]]
    assert forget_sites(pg_dsn, None) == 2
    assert two.site_facts(0.0) == []


def test_nothing_is_made_where_there_is_no_spool_to_forget_in(pg_dsn, pg_server):
    with pytest.raises(Refused, match="is not there"):
        forget_sites(pg_dsn, None)
    with pytest.raises(Refused, match="cannot be used"):
        forget_sites(pg_dsn.replace("/postgres?", "/no_such_database?"), None)
    schema = pg_dsn.rpartition("%3D")[2]
    assert pg_server.run(f"SELECT count(*) FROM pg_tables WHERE schemaname = '{schema}'") == [(0,)]
