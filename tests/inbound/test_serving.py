"""What an order makes of the server, and what a fault at the start leaves behind."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

import bulkmail.inbound.serving as module
from bulkmail.inbound.clamd import Clamd
from bulkmail.inbound.forward import SmtpForward
from bulkmail.inbound.maildir import Maildir
from bulkmail.inbound.rspamd import Rspamd
from bulkmail.inbound.sockets import bound
from bulkmail.inbound.wire import Order
from bulkmail.mail import OwnFault
from bulkmail.settings import Settings


class Port:
    def __init__(self):
        self.stopped = 0

    def stopListening(self):
        self.stopped += 1


class Reactor(Clock):
    """Takes sockets over, and connects nothing."""

    def __init__(self):
        super().__init__()
        self.adopted = []

    def adoptStreamPort(self, descriptor, family, factory):
        self.adopted.append((descriptor, factory, Port()))
        return self.adopted[-1][2]

    def callFromThread(self, function, *args):
        raise AssertionError(function)


class Readers:
    """Stands for the processes that read."""

    started = 0

    def __init__(self, reactor, name, size):
        assert (name, size) == ("bulkmail.returns.reader:Reader", 1)

    def start(self):
        Readers.started += 1

    async def ask(self, job, deadline):
        raise AssertionError(job)

    async def close(self):
        Readers.started -= 1


RECORDS = object()


def order(folder, **inbound):
    given = {"listen": ["127.0.0.1:25"], "domains": ["in.example.com"], **inbound}
    settings = Settings.model_validate({"inbound": given})
    return Order(settings.inbound, "mta1.example.com", str(folder / "spool" / "inbound"), settings.smtp.timeouts)


@pytest.fixture
def scene(monkeypatch):
    """What serves, and its sockets."""
    monkeypatch.setattr(module, "Pool", Readers)
    reactor = Reactor()
    serving = module.Serving(reactor, lambda: 1.7e9, 7)
    sockets = bound([("127.0.0.1", 0)])
    yield reactor, serving, sockets
    done = Deferred.fromCoroutine(serving.close(1.0))
    reactor.advance(2.0)
    assert done.called
    assert Readers.started == 0
    sockets[0].close()


def reception(reactor):
    return reactor.adopted[-1][1]._reception


def test_it_serves_and_serves_no_more(scene, tmp_path):
    reactor, serving, sockets = scene
    serving.open(order(tmp_path), sockets, RECORDS)
    assert [adopted[0] for adopted in reactor.adopted] == [sockets[0].fileno()]
    assert reception(reactor).hostname == "mta1.example.com"
    Deferred.fromCoroutine(serving.close(1.0))
    assert reactor.adopted[0][2].stopped == 1


def test_where_mail_for_people_goes(scene, tmp_path):
    reactor, serving, sockets = scene
    serving.open(order(tmp_path, forward={"maildir": str(tmp_path / "inbox")}), sockets, RECORDS)
    assert isinstance(reception(reactor).take._people._mailbox, Maildir)
    assert (tmp_path / "inbox" / "new").is_dir()
    Deferred.fromCoroutine(serving.close(1.0))
    serving.open(order(tmp_path, forward={"host": "mail.example.com"}), sockets, RECORDS)
    assert isinstance(reception(reactor).take._people._mailbox, SmtpForward)
    Deferred.fromCoroutine(serving.close(1.0))
    serving.open(order(tmp_path), sockets, RECORDS)
    intake = reception(reactor).take
    assert intake._people._mailbox is intake._reports._unread


def test_filters_and_limits_are_those_of_the_settings(scene, tmp_path):
    reactor, serving, sockets = scene
    filters = {"rspamd": "http://127.0.0.1:11333", "clamd": "127.0.0.1:3310"}
    serving.open(order(tmp_path, filter=filters, limits={"connections": 7}, timeouts={"store": "3s"}), sockets, RECORDS)
    assert [type(one) for one, _ in reception(reactor).take._people._filters] == [Clamd, Rspamd]
    limits = reception(reactor).limits
    assert (limits.connections, limits.take, limits.command) == (7, 3.0, 300.0)


def test_a_folder_that_cannot_be_made_is_told(scene, tmp_path):
    _, serving, sockets = scene
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "inbound").write_text("")
    with pytest.raises(OwnFault, match="cannot be used"):
        serving.open(order(tmp_path), sockets, RECORDS)
