from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from twisted.internet.task import deferLater

from bulkmail.commands.event_loop import in_event_loop


def test_it_returns_what_the_work_does_as_often_as_it_is_asked():
    async def work(reactor):
        await deferLater(reactor, 0.01)
        return 7

    assert [in_event_loop(work), in_event_loop(work)] == [7, 7]


def test_signals_mean_afterwards_what_they_meant_before():
    async def work(reactor):
        return 1

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)]
    in_event_loop(work)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)] == before


def test_it_raises_what_the_work_raises():
    async def work(reactor):
        await deferLater(reactor, 0)
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        in_event_loop(work)


def test_work_that_never_waits():
    async def work(reactor):
        return 1

    assert in_event_loop(work) == 1


INTERRUPTED = """
from twisted.internet.defer import Deferred
from bulkmail.commands.event_loop import in_event_loop
async def work(reactor):
    print("waiting", flush=True)
    try:
        await Deferred()
    finally:
        print("tidied up", flush=True)
try:
    in_event_loop(work)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def interrupted(program):
    """What a program prints that gets a SIGINT as soon as it waits."""
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        # a shell has it ignored in what it runs in the background, and with it all that this process starts
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    )
    assert child.stdout.readline() == "waiting\n"
    child.send_signal(signal.SIGINT)
    return child.communicate(timeout=100)[0]


@pytest.mark.process
def test_ctrl_c_lets_it_end_what_it_has_started():
    assert interrupted(INTERRUPTED) == "tidied up\ninterrupted\n"


@pytest.mark.process
def test_what_does_not_end_after_ctrl_c_is_not_waited_for_without_end():
    program = INTERRUPTED.replace('print("tidied up", flush=True)', "await Deferred()")
    program = program.replace("async def work", "in_event_loop.__globals__['WITHIN'] = 0.2\nasync def work")
    assert interrupted(program) == "interrupted\n"
