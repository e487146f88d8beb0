#!/bin/sh
# A program finds no socket of systemd once it has imported Twisted's endpoints.
#
# Version: twisted.internet.endpoints of Twisted 26.10.0 (PyPI), Python 3.11.
# Behaviour: the import alone takes LISTEN_FDS and LISTEN_PID out of the environment, for a parser of the library's own, and
#   leaves LISTEN_FDNAMES; who asks afterwards, by ListenFDs.fromEnvironment() of the same library or by sd_listen_fds, gets nothing.
# Guess: the variables stay until somebody asks for the sockets.
# Seen:
#     before the import: [3, 4]
#     behind the import: []
#     variables left: ['LISTEN_FDNAMES']
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q twisted==26.10.0
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
import os

from twisted.python.systemd import ListenFDs

given = {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "smtp:smtp", "LISTEN_PID": str(os.getpid())}
print("before the import:", ListenFDs.fromEnvironment(dict(given)).inheritedDescriptors())
os.environ.update(given)
import twisted.internet.endpoints

print("behind the import:", ListenFDs.fromEnvironment().inheritedDescriptors())
print("variables left:", [name for name in os.environ if name.startswith("LISTEN_")])
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
