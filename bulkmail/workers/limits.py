"""What a child process may take, and how long it may live: bounds set by the child itself before its first job.

Children handle foreign content: lists, templates, replies. A template of a few lines can ask for more memory than the
machine has, and the kernel would then end any process.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import resource
import signal

ROOM = 1 << 30
"""Bytes of address space that a job may take beyond what its process had before."""

_NICE = 5
_GARBAGE = (50_000, 20, 20)  # new objects between two collections; generations
_PR_SET_PDEATHSIG = 1  # prctl(2)
_OOM_SCORE = 500  # proc_pid_oom_score_adj(5): -1000 to 1000, and the highest is ended first


def begin_child(parent: int) -> tuple[int, int]:
    """Make this process, just started, a child of the process ``parent``: what it says and how long it lives.

    It leaves signals to the parent, is killed as soon as that ends, runs at a lower priority, so that the event loop is
    served first, and is ended before it where memory runs out. Returns what it reads from and what it writes to, which
    were its descriptors 0 and 1: what a library prints goes to the log then, and never between two frames.
    """
    end_with_parent(parent)
    offer_to_the_kernel()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    reading, writing = os.dup(0), os.dup(1)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return reading, writing


def without_garbage() -> None:
    """Look for garbage seldom: modules never become any, and a collection every 700 objects would find none."""
    gc.freeze()
    gc.set_threshold(*_GARBAGE)


def end_with_parent(parent: int) -> None:
    """Have the kernel kill this process as soon as the process ``parent`` ends, however that happens.

    The end of its input tells a child the same, but one that is stuck in a job does not read it. Raises SystemExit
    where the parent is gone already.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
    if os.getppid() != parent:  # it ended before the line above
        raise SystemExit(f"process {parent}, which started this one, is gone")


def offer_to_the_kernel() -> None:
    """Have the kernel end this process before the mailer or a database when the machine runs out of memory."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write(str(_OOM_SCORE))


def bound_memory(room: int = ROOM) -> None:
    """Let this process take ``room`` bytes of address space more than it has now; beyond, Python raises MemoryError."""
    with open("/proc/self/statm", encoding="ascii") as file:
        pages = int(file.read().split()[0])
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    wanted = pages * resource.getpagesize() + room
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
