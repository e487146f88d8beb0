#!/bin/sh
# A page that only takes POST says that it takes HEAD too, and answers a HEAD with 500.
#
# Version: twisted.web of Twisted 26.10.0 (PyPI).
# Behaviour: a Resource with render_POST alone answers GET with 405 and "Allow: HEAD, POST"; the HEAD that it offers so is
#   taken, as every Resource has a render_HEAD, which calls render_GET; that is missing, and the answer is 500.
# Guess: HEAD is answered as GET is, with 405.
# Seen:
#     GET 405 Method Not Allowed, Allow: HEAD, POST
#     HEAD 500 Internal Server Error
#     POST 200 OK
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q twisted==26.10.0
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
from twisted.internet.testing import StringTransport
from twisted.web.resource import Resource
from twisted.web.server import Site


class OneClick(Resource):
    isLeaf = True

    def render_POST(self, request):
        return b"done"


for method in ("GET", "HEAD", "POST"):
    transport = StringTransport()
    channel = Site(OneClick()).buildProtocol(None)
    channel.makeConnection(transport)
    channel.dataReceived(f"{method} /u/x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
    status, *fields = transport.value().decode().partition("\r\n\r\n")[0].split("\r\n")
    allowed = [field for field in fields if field.lower().startswith("allow:")]
    print(method, ", ".join([status.removeprefix("HTTP/1.1 "), *allowed]))
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
