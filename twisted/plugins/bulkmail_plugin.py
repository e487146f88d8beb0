"""Tells twistd that the command ``bulkmail`` exists; imports nothing of ours until it is asked for."""

from __future__ import annotations

from twisted.application.service import ServiceMaker

bulkmail = ServiceMaker("bulkmail", "bulkmail.tap", "Send a campaign folder to all its recipients", "bulkmail")
