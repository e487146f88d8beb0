"""One rendering for all readers of a view, sent when it has changed; who does not read is not waited for."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from bulkmail.web.renewing import END, MOST_READERS, MOST_VIEWS, PING, Renewing, View, event

FRONT = View((), (), 1)


class Reader:
    def __init__(self):
        self.sent, self.ended, self.good = [], False, True

    def allowed(self):
        return self.good

    def send(self, octets):
        self.sent.append(octets)

    def end(self):
        self.ended = True


class Site:
    def __init__(self):
        self.clock = Clock()
        self.html, self.takes = b"one", 0.0
        self.made = []
        self.renewing = Renewing(self.make, self.clock)

    async def make(self, view):
        self.made.append(view)
        self.clock.rightNow += self.takes
        return self.html


@pytest.fixture
def site():
    return Site()


def test_many_readers_cost_one_rendering_a_second_and_get_what_has_changed(site):
    readers = [Reader() for _ in range(50)]
    assert all(site.renewing.join(FRONT, reader) for reader in readers)
    site.clock.pump([1.0] * 3)
    assert len(site.made) == 4
    assert [reader.sent for reader in readers] == [[event(b"one")]] * 50
    site.html = b"two"
    site.clock.advance(1.0)
    assert [reader.sent[1:] for reader in readers] == [[event(b"two")]] * 50
    late = Reader()
    site.renewing.join(FRONT, late)
    assert late.sent == [event(b"two")]
    site.clock.advance(1.0)
    assert (len(late.sent), len(site.made)) == (1, 6)


def test_nothing_is_made_where_nobody_looks_and_a_new_reader_begins_it_again(site):
    reader = Reader()
    site.renewing.join(FRONT, reader)
    site.renewing.leave(FRONT, reader)
    site.renewing.leave(FRONT, reader)
    site.clock.pump([1.0] * 5)
    assert (len(site.made), len(site.renewing), site.clock.getDelayedCalls()) == (1, 0, [])
    site.renewing.join(FRONT, reader)
    assert len(site.made) == 2


def test_what_takes_long_is_made_more_seldom(site):
    site.takes = 0.2
    site.renewing.join(FRONT, Reader())
    site.renewing.join(View(("holds",), (), 1), Reader())
    site.clock.pump([0.1] * 40)  # both are made in the first round, or the second
    first = len(site.made)
    site.clock.pump([0.1] * 202)
    assert 2 <= len(site.made) - first <= 5


def test_who_is_signed_out_is_told_so(site):
    reader = Reader()
    site.renewing.join(FRONT, reader)
    reader.good = False
    site.clock.advance(1.0)
    assert (reader.sent[-1], reader.ended) == (END, True)


def test_silence_is_broken_for_the_proxies(site):
    reader = Reader()
    site.renewing.join(FRONT, reader)
    site.clock.pump([1.0] * 20)
    assert reader.sent == [event(b"one"), PING]


def test_readers_and_views_are_bounded(site):
    assert all(site.renewing.join(FRONT, Reader()) for _ in range(MOST_READERS))
    assert not site.renewing.join(FRONT, Reader())
    other = Site()
    assert all(other.renewing.join(View((str(n),), (), 1), Reader()) for n in range(MOST_VIEWS))
    assert not other.renewing.join(FRONT, Reader())


def test_an_event_is_html_in_lines():
    assert event(b"<p>\r\ndata: x</p>\n") == b"data: <p>\ndata: data: x</p>\ndata: \n\n"
