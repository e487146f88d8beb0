from __future__ import annotations

import inspect

from bulkmail.net.interfaces import ConnectionListener, Timeouts
from bulkmail.smtp.table import SLOTS


def names(protocol: type) -> set[str]:
    return {name for name in vars(protocol) if not name.startswith("_")}


def test_every_wait_of_a_session_has_its_timeout():
    assert names(Timeouts) == {facts.patience for facts in SLOTS.values()} | {"connect", "body"}


def test_the_listener_of_the_tests_has_the_calls_and_no_other_shape(kit):
    assert names(ConnectionListener) == {
        "connection_ready",
        "about_to_dot",
        "may_pipeline",
        "settled",
        "answered",
        "transaction_over",
        "connection_closed",
    }
    for name in names(ConnectionListener):
        declared = inspect.signature(getattr(ConnectionListener, name))
        assert list(inspect.signature(getattr(kit.Listener, name)).parameters) == list(declared.parameters)
