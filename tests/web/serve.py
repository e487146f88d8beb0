"""The page with an API by rote, on a port of this machine: ``python -m tests.web.serve PORT USERS FOLDER``."""

from __future__ import annotations

import sys
import time

from twisted.internet import reactor

from bulkmail.settings.values import Reading
from bulkmail.settings.web import Web
from bulkmail.web import WebServer
from tests.web.known import Api

reactor.seconds = time.monotonic
given = {"listen": f"127.0.0.1:{sys.argv[1]}", "users": sys.argv[2]}
api = Api()
for told in api.campaigns:
    told["folder"] = sys.argv[3]
server = WebServer(reactor, Web.model_validate(given, context=Reading("/")), api)
server.open()
reactor.callWhenRunning(print, "listening", flush=True)
reactor.run()
