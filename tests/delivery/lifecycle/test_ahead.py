from __future__ import annotations

import json
import os

import pytest

from bulkmail.delivery.lifecycle.ahead import Ahead, look_ahead
from bulkmail.delivery.lifecycle.preparing import prepare
from bulkmail.settings import Settings
from bulkmail.spool import Journalled, SqliteStore
from tests.retrying import RetryPlan


@pytest.fixture
def spool(tmp_path):
    """``spool(folder, digests)``: a spool with the campaign of `folder`, of which one row waits."""

    def make(name, folder, digests):
        place = tmp_path / "spool"
        place.mkdir(mode=0o700)
        store = SqliteStore(str(place / "spool.sqlite3"))
        store.recover(Journalled(found=True), "boot", RetryPlan(), 1000.0)
        store.create_campaign(
            name, folder, key=b"k" * 32, content={}, digests=digests, files=[("r.csv", ["email"])], now=1.0
        )
        row = (1, 0, 1, "u@a.example", "a.example", json.dumps(["u@a.example"]), "ok", "")
        store.add_rows(1, [row], {}, False, 1000.0)
        store.close()
        return Settings(spool=str(place))

    return make


def test_what_the_spool_knows_of_a_campaign(folder, spool, tmp_path):
    prepared = prepare(folder(), Settings())
    nowhere = Settings(spool=str(tmp_path / "none"))
    assert look_ahead(prepared, nowhere, accept_changes=False) == Ahead()
    settings = spool(prepared.campaign.name, prepared.campaign.folder, {})
    found = look_ahead(prepared, settings, accept_changes=True)
    assert (found.state, found.by_status, found.refused, found.begun.rows) == ("ready", {"pending": 1}, None, 1)
    mark = os.path.join(prepared.campaign.folder, "ACCEPT")
    assert "was added since it was started" in str(look_ahead(prepared, settings, accept_changes=False).refused)
    with open(mark, "w", encoding="utf-8"):
        assert look_ahead(prepared, settings, accept_changes=False).refused is None
    other = prepare(folder(name="autumn"), Settings())
    assert look_ahead(other, settings, accept_changes=False) == Ahead()


def test_what_a_start_would_refuse_is_refused(folder, spool):
    prepared = prepare(folder(), Settings())
    settings = spool(prepared.campaign.name, "/elsewhere", {})
    found = look_ahead(prepared, settings, accept_changes=True)
    assert "already in the spool, sent from /elsewhere" in str(found.refused)
    assert found.begun is None
