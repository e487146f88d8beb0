from __future__ import annotations

import os
import stat

import pytest

from bulkmail.mail import BulkmailError, Refused
from bulkmail.spool import Journalled, Reader, SqliteStore, back_up_spool
from tests.retrying import RetryPlan


@pytest.fixture
def spool(tmp_path):
    """A spool that is being sent from: a running and a finished campaign, a claimed row."""
    folder = tmp_path / "spool"
    folder.mkdir(mode=0o700)
    store = SqliteStore(str(folder / "spool.sqlite3"))
    store.recover(Journalled(found=True), "boot", RetryPlan(), 1000.0)
    for name in ("spring", "summer"):
        store.create_campaign(
            name, f"/c/{name}", key=b"k" * 32, content={}, digests={}, files=[("r.csv", ["email"])], now=1.0
        )
    rows = [(n, 0, n, f"u{n}@a.example", "a.example", f'["u{n}@a.example"]', "ok", "") for n in (1, 2, 3)]
    store.add_rows(1, rows, {}, True, 1000.0)
    store.set_state(1, "running", 1000.0)
    store.set_state(2, "finished", 1000.0, exit_status=0)
    assert len(store.claim([(1, 1)], 1001.0)[1]) == 1
    yield store
    store.close()


def test_a_copy_is_made_while_it_is_used_and_what_had_not_ended_is_held_in_it(spool, tmp_path):
    target = tmp_path / "backup"
    assert back_up_spool(str(tmp_path / "spool"), str(target), 1_800_000_000.0) == 1
    reader = Reader(str(target))
    held = [(hold.campaign_id, hold.kind, hold.who) for hold in reader.holds()]
    states = [(row.name, row.state, row.input_rows) for row in reader.campaigns()]
    reader.close()
    assert held == [(1, "paused", "backup")]
    assert states == [("spring", "running", 3), ("summer", "finished", 0)]
    assert spool.holds() == [], "the spool itself goes on"
    file = target / "spool.sqlite3"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(target.stat().st_mode) == 0o700


def test_a_restored_copy_sends_nothing_and_does_not_forget_what_was_on_its_way(spool, tmp_path):
    target = tmp_path / "backup"
    back_up_spool(str(tmp_path / "spool"), str(target), 1_800_000_000.0)
    restored = SqliteStore(str(target / "spool.sqlite3"))
    recovered = restored.recover(Journalled(found=False), "boot", RetryPlan(), 2000.0)
    assert recovered.ambiguous == 1
    restored.set_state(1, "running", 2000.0)
    assert restored.claim([(1, 10)], 1_900_000_000.0)[1] == []
    restored.close()


def test_what_cannot_be_backed_up_is_said(spool, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(Refused, match="is not empty"):
        back_up_spool(str(tmp_path / "spool"), str(tmp_path / "full"), 1.0)
    with pytest.raises(Refused, match="nothing was ever sent"):
        back_up_spool(str(tmp_path / "nowhere"), str(tmp_path / "backup"), 1.0)
    with pytest.raises(BulkmailError, match="pg_dump"):
        back_up_spool("postgresql://db/x", str(tmp_path / "backup"), 1.0)
    with pytest.raises(BulkmailError, match="cannot be written"):
        back_up_spool(str(tmp_path / "spool"), str(tmp_path / "full" / "file" / "deep"), 1.0)
    assert not os.path.exists(tmp_path / "backup")
