from __future__ import annotations

import threading

import pytest

from bulkmail.spool.writer import Writer


def test_jobs_run_in_order_in_one_thread_and_answer_in_ours(reactor):
    writer = Writer(reactor)
    order, threads, answers = [], set(), []

    def job(n):
        order.append(n)
        threads.add(threading.current_thread())
        return n * 10

    waiting = [writer.call(lambda n=n: job(n)) for n in range(5)]
    for deferred in waiting:
        deferred.addCallback(lambda value: answers.append((value, threading.current_thread())))
    reactor.wait(writer.stop())
    assert order == [0, 1, 2, 3, 4]
    assert answers == [(n * 10, threading.main_thread()) for n in range(5)]
    assert len(threads) == 1
    assert threads.isdisjoint({threading.main_thread()})


def test_an_error_goes_to_its_caller_and_the_next_job_runs(reactor):
    writer = Writer(reactor)

    def breaks():
        raise KeyError("x")

    with pytest.raises(KeyError):
        reactor.wait(writer.call(breaks))
    assert reactor.wait(writer.call(lambda: 7)) == 7
    reactor.wait(writer.stop())
    assert not writer._thread.is_alive()
