from __future__ import annotations

import pytest
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import globalLogPublisher

from bulkmail.mail import OwnFault
from bulkmail.settings.values import Reading
from bulkmail.settings.web import Web
from bulkmail.web.passwords import hash_password
from bulkmail.web.server import WebServer
from bulkmail.web.users import Role, User, write_users
from tests.web.known import Api


@pytest.fixture
def said():
    lines = []

    def note(event):
        lines.append(event["log_format"].format(**event))

    globalLogPublisher.addObserver(note)
    yield lines
    globalLogPublisher.removeObserver(note)


def settings(folder, **given):
    return Web.model_validate({"listen": "127.0.0.1:8025", **given}, context=Reading(str(folder)))


def test_it_listens_where_it_is_told_and_says_so(tmp_path, said):
    write_users(str(tmp_path / "web-users"), {"ann": User("ann", Role.LOOK, hash_password("x", b"s" * 16))})
    reactor = MemoryReactorClock()
    server = WebServer(reactor, settings(tmp_path), Api())
    server.open()
    ((port, factory, _, interface),) = reactor.tcpServers
    assert (port, interface, factory.tls) == (8025, "127.0.0.1", False)
    assert "the operator's page: 127.0.0.1:8025" in said
    assert not [line for line in said if "nobody can sign in" in line]


def test_a_page_without_users_says_how_to_make_one(tmp_path, said):
    WebServer(MemoryReactorClock(), settings(tmp_path), Api()).open()
    assert any(f"{tmp_path}/web-users has no users; `bulkmail user add NAME`" in line for line in said)


def test_a_port_that_is_taken_is_told_with_its_key(tmp_path):
    class Taken(MemoryReactorClock):
        def listenTCP(self, port, factory, backlog=50, interface=""):
            raise CannotListenError(interface, port, OSError(98, "Address already in use"))

    with pytest.raises(OwnFault, match=r"^web\.listen: cannot listen on 127\.0\.0\.1:8025"):
        WebServer(Taken(), settings(tmp_path), Api()).open()
