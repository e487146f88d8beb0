"""``python -m bulkmail.rehearsal``."""

from __future__ import annotations

import os
import signal
import sys

from bulkmail.rehearsal import run

if __name__ == "__main__":
    if not os.isatty(0):
        # at once: the imports take a moment, and a Ctrl-C meanwhile is meant for the process that started this one
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(run())
