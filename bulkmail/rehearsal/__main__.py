"""``python -m bulkmail.rehearsal``."""

from __future__ import annotations

import sys

from bulkmail.rehearsal.command import run

if __name__ == "__main__":
    sys.exit(run())
