from __future__ import annotations

import pytest

from bulkmail.mail import Refused, WrongState
from bulkmail.spool import CancelRequest, Hold, hold_campaign, lift_hold, open_reader, remove_campaign, request_cancel


def test_a_campaign_is_steered_while_machines_are_at_work(pg_dsn, kit):
    one = kit.open_postgres(pg_dsn, "machine-1")
    campaign = kit.campaign(one, rows=[kit.row(1)])
    channel = one.database.connection.execute("SELECT 'bulkmail_' || current_schema()").fetchone()[0]
    one.database.connection.execute(f"LISTEN {channel}")

    def heard():
        return {notify.payload for notify in one.database.connection.notifies(timeout=5, stop_after=1)}

    hold_campaign(pg_dsn, "spring", now=100.0, provider="google", until=900.0, reason="slow", who="ann")
    assert heard() == {"states"}
    assert one.holds() == [Hold(campaign, "paused", "slow", 100.0, "google", "ann", 900.0)]
    lift_hold(pg_dsn, "spring", now=200.0, provider="google")
    assert heard() == {"states"}
    with pytest.raises(WrongState, match="spring is not paused at google"):
        lift_hold(pg_dsn, "spring", now=200.0, provider="google")
    request_cancel(pg_dsn, "spring", now=300.0, who="ann")
    assert one.campaign("spring").state == "cancelling"
    assert one.cancel_rows(campaign, 10, 300.0) == 1
    one.set_state(campaign, "cancelled", 300.0)
    with pytest.raises(WrongState, match="last report"):
        remove_campaign(pg_dsn, "spring")
    one.report_is_whole(campaign)
    reader = open_reader(pg_dsn)
    assert (reader.holds(), reader.cancel_requests()) == ([], [CancelRequest(campaign, "", "ann", 300.0)])
    reader.close()
    remove_campaign(pg_dsn, "spring")
    assert one.campaigns() == []
    one.close()


def test_nothing_is_made_where_there_is_no_spool(pg_dsn, pg_server):
    with pytest.raises(Refused, match="nothing was ever sent"):
        lift_hold(pg_dsn, "spring", now=1.0)
    with pytest.raises(Refused, match="cannot be used"):
        lift_hold(pg_dsn.replace("/postgres?", "/no_such_database?"), "spring", now=1.0)
    schema = pg_dsn.rpartition("%3D")[2]
    assert pg_server.run(f"SELECT count(*) FROM pg_tables WHERE schemaname = '{schema}'") == [(0,)]


def test_a_spool_of_an_older_version_is_left_alone(pg_dsn, kit):
    one = kit.open_postgres(pg_dsn, "machine-1")
    with one.database.transaction():
        one.database.execute("set_meta", ("version", "6"))
    one.close()
    with pytest.raises(Refused, match=r"is of an older version \(6\)"):
        lift_hold(pg_dsn, "spring", now=1.0)
