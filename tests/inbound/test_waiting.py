"""Threads for what only waits."""

from __future__ import annotations

import threading

import pytest

from bulkmail.inbound.waiting import WaitingThreads


def test_answers_and_errors_come_back(loop):
    threads = WaitingThreads(loop, 2)
    assert loop.wait(threads.call(lambda: 7)) == 7

    def breaks():
        raise KeyError("x")

    with pytest.raises(KeyError):
        loop.wait(threads.call(breaks))
    threads.close()


def test_so_many_threads_as_are_needed_and_no_more(loop):
    threads = WaitingThreads(loop, 2)
    gate = threading.Event()
    seen = set()

    def work():
        seen.add(threading.get_ident())
        gate.wait(60)

    waiting = [threads.call(work) for _ in range(5)]
    gate.set()
    for each in waiting:
        loop.wait(each)
    assert 1 <= len(seen) <= 2
    assert threads._threads == 2
    loop.wait(threads.call(work))
    assert threads._threads == 2
    threads.close()
