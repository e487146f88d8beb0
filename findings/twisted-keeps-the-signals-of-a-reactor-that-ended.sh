#!/bin/sh
# A process that a worker pool forks behind a reactor that has ended cannot be ended with SIGTERM.
#
# Version: twisted.internet.epollreactor.EPollReactor of Twisted 26.10.0 (PyPI).
# Behaviour: when the reactor's run() has returned, SIGCHLD means again what it meant before, and SIGINT and SIGTERM do not: they
#   stay bound to the reactor that is over, and a process that is forked later inherits that.
# Guess: all three are put back, or none is.
# Seen:
#     SIGCHLD put back
#     SIGINT kept
#     SIGTERM kept
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q twisted==26.10.0
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
import signal

from twisted.internet.epollreactor import EPollReactor

numbers = (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM)
for number in numbers[1:]:
    signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
before = [signal.getsignal(number) for number in numbers]
reactor = EPollReactor()
reactor.callWhenRunning(reactor.stop)
reactor.run()
for number, handler in zip(numbers, before):
    print(number.name, "put back" if signal.getsignal(number) == handler else "kept")
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
