from __future__ import annotations

import gc
from types import SimpleNamespace

import pytest
from twisted.internet.task import Clock

from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.traces import KEPT, MOST, UNSEEN, Traces
from bulkmail.mail import Peer, WrongState
from bulkmail.smtp import What


class Connection:
    def __init__(self):
        self.peer = Peer("mx.a.example", "192.0.2.1")
        self.told = None

    def tell(self, told):
        self.told = told


A = SimpleNamespace(key="mx.a~1", provider="")
B = SimpleNamespace(key="mx.b~1", provider="big")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def traces(clock):
    return Traces(Clocks(clock, clock.seconds))


def test_only_the_sites_that_are_looked_at_tell(traces):
    a, b, later = Connection(), Connection(), Connection()
    traces.opened(a, A)
    traces.opened(b, B)
    assert a.told is None
    assert traces.look("mx.a~1", "") == ([], 0, 0)
    assert b.told is None
    traces.opened(later, A)
    a.told(What.COMMAND, "EHLO me")
    later.told(What.REPLY, "250 \x1b[2Jok")
    seen = traces.look("mx.a~1", "")
    assert [(line.number, line.connection, line.what, line.text) for line in seen.lines] == [
        (1, 1, "command", "EHLO me"),
        (2, 3, "reply", "250 \\x1b[2Jok"),
    ]
    assert (seen.lines[0].host, seen.lines[0].ip) == ("mx.a.example", "192.0.2.1")
    assert [line.number for line in traces.look("mx.a~1", "", 1).lines] == [2]
    assert traces.look("mx.a~1", "", 2) == ([], 0, 2)
    traces.look("", "big")
    b.told(What.NOTE, "closed")
    assert len(traces.look("", "big").lines) == 1


def test_a_trace_ends_when_nobody_looks(traces, clock):
    one = Connection()
    traces.opened(one, A)
    traces.look("mx.a~1", "")
    clock.advance(UNSEEN - 1)
    traces.look("mx.a~1", "")
    clock.advance(UNSEEN - 1)
    assert one.told is not None
    clock.advance(1)
    assert one.told is None
    assert not clock.getDelayedCalls()


def test_the_oldest_lines_give_way_and_are_counted(traces):
    one = Connection()
    traces.opened(one, A)
    traces.look("mx.a~1", "")
    for n in range(KEPT + 7):
        one.told(What.COMMAND, f"{n} " + "x" * 9000)
    seen = traces.look("mx.a~1", "", 3)
    assert (len(seen.lines), seen.dropped, seen.newest) == (KEPT, 4, KEPT + 7)
    assert max(len(line.text) for line in seen.lines) == 500


def test_so_many_are_looked_at_at_once(traces, clock):
    for n in range(MOST):
        traces.look(f"mx.{n}", "")
    with pytest.raises(WrongState, match="4 traces are being looked at"):
        traces.look("mx.a~1", "")
    clock.advance(UNSEEN)
    traces.look("mx.a~1", "")


def test_a_connection_that_is_gone_is_not_held(traces):
    one = Connection()
    traces.opened(one, A)
    traces.look("mx.a~1", "")
    del one
    gc.collect()
    assert len(traces._open) == 0


def test_a_connection_of_a_site_and_a_provider_tells_both(traces, clock):
    one = Connection()
    traces.opened(one, B)
    traces.look("mx.b~1", "")
    clock.advance(UNSEEN - 1)
    traces.look("", "big")
    one.told(What.COMMAND, "QUIT")
    assert len(traces.look("mx.b~1", "").lines) == len(traces.look("", "big").lines) == 1
    clock.advance(UNSEEN - 1)
    traces.look("", "big")
    clock.advance(1)  # the one of the site is over
    one.told(What.REPLY, "221 bye")
    assert [line.text for line in traces.look("", "big").lines] == ["QUIT", "221 bye"]


def test_what_could_steer_a_terminal_is_written_out(traces):
    one = Connection()
    traces.opened(one, A)
    traces.look("mx.a~1", "")
    one.told(What.REPLY, "\x1b]0;x\x07\u202e\r caf\u00e9")
    assert traces.look("mx.a~1", "").lines[0].text == "\\x1b]0;x\\x07\\u202e\\r caf\u00e9"
