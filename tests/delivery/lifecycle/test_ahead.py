from __future__ import annotations

import json

import pytest

from bulkmail.delivery.lifecycle.ahead import look_ahead
from bulkmail.delivery.lifecycle.opening import prepare
from bulkmail.mail import Refused
from bulkmail.settings import Settings
from bulkmail.shaping import RetryPlan
from bulkmail.spool import Journalled, SqliteStore


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
    assert look_ahead(prepared, nowhere, accept_changes=False) is None
    settings = spool(prepared.campaign.name, prepared.campaign.folder, {})
    assert look_ahead(prepared, settings, accept_changes=True) == {"pending": 1}


def test_what_a_start_would_refuse_is_refused(folder, spool):
    prepared = prepare(folder(), Settings())
    settings = spool(prepared.campaign.name, "/elsewhere", {})
    with pytest.raises(Refused, match="already in the spool, sent from /elsewhere"):
        look_ahead(prepared, settings, accept_changes=True)
