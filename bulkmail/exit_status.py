"""What the exit status of every command and of the service means.

A module of its own that imports nothing: `tap.py` needs it before it may import the service.
"""

from __future__ import annotations

DONE = 0
"""It is done; of sending: every row is final."""
REFUSED = 1
"""It was refused, or something was found wrong; of sending: nothing was sent."""
USAGE = 2
"""The command line is wrong."""
STOPPED = 3
"""Sending was stopped before the end; the same command goes on."""
