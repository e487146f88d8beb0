from __future__ import annotations

from twisted.internet.defer import Deferred

from bulkmail.own_spool import open_own_spool
from bulkmail.settings import Settings
from bulkmail.spool import RUNNING, SqliteStore
from tests.spool.conftest import PumpedReactor


def opened(reactor, folder):
    settings = Settings.model_validate({"spool": str(folder)})
    clocks = {"wall": lambda: 2000.0, "monotonic": lambda: 5.0}
    return reactor.wait(
        Deferred.fromCoroutine(
            open_own_spool(settings, reactor, name="a", **clocks, on_fault=lambda _: None, on_over=lambda: None)
        )
    )


def test_a_campaign_that_was_sent_when_the_process_was_killed_is_stopped(tmp_path):
    reactor = PumpedReactor()
    spool = opened(reactor, tmp_path / "spool")
    reactor.wait(Deferred.fromCoroutine(spool.close()))
    store = SqliteStore(str(tmp_path / "spool" / "spool.sqlite3"))
    made = store.create_campaign(
        "spring", "/c", key=b"k" * 32, content={}, digests={}, files=[("r.csv", ["email"])], now=1000.0
    )
    store.set_state(made.id, RUNNING, 1000.0)
    store.close()

    spool = opened(reactor, tmp_path / "spool")
    (row,) = reactor.wait(spool.campaigns())
    assert (row.name, row.state, row.exit_status) == ("spring", "stopped", 3)
    reactor.wait(Deferred.fromCoroutine(spool.close()))
