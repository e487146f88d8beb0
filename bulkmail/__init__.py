"""bulkmail: campaign folders to personalised, signed mail, and one honest report row per recipient."""

from __future__ import annotations

__version__ = "0.1.0"
