"""What is looked at once a second, while this process sends."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

_log = Logger("bulkmail")


class EachSecond:
    """Calls each of ``calls`` once a second, in their order; one that fails keeps none from being called."""

    def __init__(self, reactor: IReactorTime, calls: Sequence[Callable[[], object]]) -> None:
        self._calls = calls
        self._looping = LoopingCall(self._call)
        self._looping.clock = reactor

    def start(self) -> None:
        """Call them for the first time in a second."""
        self._looping.start(1.0, now=False)

    def stop(self) -> None:
        """Call them no more."""
        if self._looping.running:
            self._looping.stop()

    def _call(self) -> None:
        for call in self._calls:
            try:
                call()
            except Exception:  # noqa: BLE001 - a LoopingCall that fails once is never called again
                _log.failure("looking after the campaigns failed")
