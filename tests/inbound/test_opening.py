"""What is opened when, and what a fault at the start leaves behind."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from bulkmail.inbound import Listening
from bulkmail.inbound.clamd import Clamd
from bulkmail.inbound.forward import SmtpForward
from bulkmail.inbound.maildir import Maildir
from bulkmail.inbound.rspamd import Rspamd
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


RETURNS = object()


def settings(folder, **inbound):
    given = {"listen": ["127.0.0.1:25"], "domains": ["in.example.com"], **inbound}
    return Settings.model_validate({"spool": str(folder / "spool"), "hostname": "mta1.example.com", "inbound": given})


@pytest.fixture
def scene(monkeypatch, tmp_path):
    """What listens, with sockets on free ports whatever the settings say."""
    from bulkmail.inbound import opening, sockets

    asked = []

    def bound(addresses):
        asked.extend(addresses)
        return sockets.bound([(host, 0) for host, _ in addresses])

    monkeypatch.setattr(opening, "bound", bound)
    monkeypatch.setattr(opening, "Pool", Readers)
    reactor = Reactor()
    listening = Listening(reactor, lambda: 1.7e9, lambda: "own.example.com", lambda: 7)
    yield reactor, listening, asked
    done = Deferred.fromCoroutine(listening.close(1.0))
    reactor.advance(2.0)
    assert done.called
    assert Readers.started == 0
    listening.shut()


def reception(reactor):
    return reactor.adopted[-1][1]._reception


def test_nothing_is_opened_unless_it_is_set(scene, tmp_path):
    reactor, listening, asked = scene
    listening.bind(Settings(spool=str(tmp_path)))
    listening.open(Settings(spool=str(tmp_path)), RETURNS)
    assert (asked, reactor.adopted, list(tmp_path.iterdir())) == ([], [], [])


def test_the_ports_are_taken_once_and_served_again(scene, tmp_path):
    reactor, listening, asked = scene
    first = settings(tmp_path)
    listening.bind(first)
    assert (asked, reactor.adopted) == ([("127.0.0.1", 25)], [])
    assert not (tmp_path / "spool").exists()
    listening.open(first, RETURNS)
    assert reception(reactor).hostname == "mta1.example.com"
    Deferred.fromCoroutine(listening.close(1.0))
    assert reactor.adopted[0][2].stopped == 1
    listening.open(settings(tmp_path, hostname="in.example.com"), RETURNS)
    assert (len(asked), len(reactor.adopted)) == (1, 2)
    assert reactor.adopted[0][0] == reactor.adopted[1][0]
    assert reception(reactor).hostname == "in.example.com"


def test_a_place_that_is_not_listed_any_more_is_given_up(scene, tmp_path):
    _, listening, asked = scene
    listening.bind(settings(tmp_path, listen=["127.0.0.1:25", "127.0.0.1:26"]))
    (kept,), (given_up,) = listening._sockets.values()
    listening.bind(settings(tmp_path, listen=["127.0.0.1:25"]))
    assert given_up.fileno() == -1
    assert kept.fileno() > 0
    assert len(asked) == 2


def test_a_port_that_cannot_be_had_is_told_when_it_is_needed(scene, tmp_path, monkeypatch):
    from bulkmail.inbound import opening

    def activated():
        raise OwnFault("systemd has passed no TCP socket")

    monkeypatch.setattr(opening, "activated", activated)
    _, listening, _ = scene
    listening.bind(settings(tmp_path, listen=["systemd"]))
    with pytest.raises(OwnFault, match="systemd has passed no TCP socket"):
        listening.open(settings(tmp_path, listen=["systemd"]), RETURNS)


def test_where_mail_for_people_goes(scene, tmp_path):
    reactor, listening, _ = scene
    listening.open(settings(tmp_path, forward={"maildir": str(tmp_path / "inbox")}), RETURNS)
    assert isinstance(reception(reactor).take._people._mailbox, Maildir)
    assert (tmp_path / "inbox" / "new").is_dir()
    Deferred.fromCoroutine(listening.close(1.0))
    listening.open(settings(tmp_path, forward={"host": "mail.example.com"}), RETURNS)
    assert isinstance(reception(reactor).take._people._mailbox, SmtpForward)
    Deferred.fromCoroutine(listening.close(1.0))
    listening.open(settings(tmp_path), RETURNS)
    intake = reception(reactor).take
    assert intake._people._mailbox is intake._reports._unread


def test_filters_and_limits_are_those_of_the_settings(scene, tmp_path):
    reactor, listening, _ = scene
    filters = {"rspamd": "http://127.0.0.1:11333", "clamd": "127.0.0.1:3310"}
    listening.open(settings(tmp_path, filter=filters, limits={"connections": 7}, timeouts={"store": "3s"}), RETURNS)
    assert [type(one) for one in reception(reactor).take._people._filters] == [Clamd, Rspamd]
    limits = reception(reactor).limits
    assert (limits.connections, limits.take, limits.command) == (7, 3.0, 300.0)


def test_a_folder_that_cannot_be_made_is_told(scene, tmp_path):
    _, listening, _ = scene
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "inbound").write_text("")
    with pytest.raises(OwnFault, match="cannot be used"):
        listening.open(settings(tmp_path), RETURNS)
