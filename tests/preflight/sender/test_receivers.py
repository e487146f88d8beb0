from __future__ import annotations

from bulkmail.preflight.sender.receivers import Demand, asking


def test_every_demand_is_somebodys():
    assert asking(Demand.TLS) == "Gmail and Yahoo ask bulk senders for it"
    assert all(asking(demand).endswith("ask bulk senders for it") for demand in Demand)
