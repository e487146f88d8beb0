from __future__ import annotations

import os
import signal

import pytest

from bulkmail.forked import Forked


def test_what_is_done_in_a_child_comes_back_and_changes_nothing_here():
    known = []

    def work():
        known.append(1)
        return {"who": os.getpid(), "large": b"x" * 1_000_000, "known": known}

    child = Forked(work)
    found = child.result()
    assert found["who"] != os.getpid()
    assert (len(found["large"]), found["known"], known) == (1_000_000, [1], [])


def test_an_error_is_raised_here_with_the_place_where_it_was():
    with pytest.raises(RuntimeError, match=r"test_forked.py(?s:.*)ZeroDivisionError"):
        Forked(lambda: 1 / 0).result()


def test_what_is_no_plain_data_is_an_error():
    with pytest.raises(RuntimeError, match="unmarshallable"):
        Forked(object).result()


def test_a_child_that_is_killed_is_no_answer():
    with pytest.raises(RuntimeError, match=f"signal {int(signal.SIGKILL)}"):
        Forked(lambda: os.kill(os.getpid(), signal.SIGKILL)).result()
