"""The control socket of a running service: made by `open`, private to its user, and taken away by `close`."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.error import CannotListenError

from bulkmail.control.http import Answering, api_factory
from bulkmail.control.place import SOCKET, remove_stale, short_name
from bulkmail.mail import OwnFault

_MODE = 0o600


class ControlServer:
    """Listens in ``folder``, which is to be private and in use by this process alone. ``answering``: see `http`."""

    def __init__(self, reactor: Any, folder: str, answering: Answering) -> None:
        self._reactor = reactor
        self._folder = folder
        self.answering = answering
        self._names = contextlib.ExitStack()
        self._port: Any = None

    @property
    def path(self) -> str:
        """Where the socket lies."""
        return os.path.join(self._folder, SOCKET)

    def open(self) -> None:
        """Listen; the socket of a process that died is replaced. Raises OwnFault, also where a living one listens."""
        remove_stale(self._folder)
        try:
            name = self._names.enter_context(short_name(self._folder))
            self._port = self._reactor.listenUNIX(name, api_factory(self.answering, self._reactor), mode=_MODE)
        except CannotListenError as error:
            raise OwnFault(f"{self.path} cannot be made ({error.socketError})") from None
        except OSError as error:
            raise OwnFault(f"{self.path} cannot be made ({error.strerror})") from None

    async def close(self) -> None:
        """Listen no more and remove the socket; requests under way are cut."""
        if self._port is not None:
            port, self._port = self._port, None
            for connection in list(port.factory.protocols):
                connection.transport.abortConnection()
            with contextlib.suppress(OSError):  # the socket was removed, by hand or with its folder
                await maybeDeferred(port.stopListening)
        self._names.close()
