from __future__ import annotations

import inspect

import pytest

from bulkmail.net import Connection
from bulkmail.net.interfaces import ConnectionListener, LiveConnection, NothingSent, Timeouts
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


def test_a_connection_has_what_its_users_see(kit):
    connection = kit.Line(kit, kit.Listener()).conn
    for name in names(LiveConnection) | set(LiveConnection.__annotations__):
        declared = inspect.getattr_static(LiveConnection, name, None)
        if inspect.isfunction(declared):
            found = inspect.signature(getattr(Connection, name))
            assert list(found.parameters) == list(inspect.signature(declared).parameters), name
        else:
            assert hasattr(connection, name), name


def test_a_listener_that_sends_nothing_takes_no_call_about_a_message(kit):
    about_messages = names(ConnectionListener) - {"connection_ready", "connection_closed"}
    assert names(NothingSent) == about_messages
    for name in about_messages:
        wanted = inspect.signature(getattr(ConnectionListener, name)).parameters
        with pytest.raises(AssertionError):
            getattr(NothingSent(), name)(*range(len(wanted) - 1))
