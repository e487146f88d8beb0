"""The page with an API by rote, on a port of this machine: ``python -m tests.web.serve PORT USERS FOLDER``."""

from __future__ import annotations

import sys
import time

from twisted.internet import reactor

from bulkmail.settings.values import Reading
from bulkmail.settings.web import Web
from bulkmail.web import WebServer
from tests.web.known import Api


class Changing(Api):
    """An API whose last campaign goes at one of two rates, in turns."""

    async def __call__(self, name, path=None, *, query=None, order=None):
        """Answer."""
        if name == "campaigns":
            self.campaigns[-1]["rate"] = 1234.0 if self.campaigns[-1]["rate"] == 4321.0 else 4321.0
        return await super().__call__(name, path, query=query, order=order)


reactor.seconds = time.monotonic
given = {"listen": f"127.0.0.1:{sys.argv[1]}", "users": sys.argv[2]}
api = Changing()
for told in api.campaigns:
    told["folder"] = sys.argv[3]
server = WebServer(reactor, Web.model_validate(given, context=Reading("/")), api)
server.open()
reactor.callWhenRunning(print, "listening", flush=True)
reactor.run()
