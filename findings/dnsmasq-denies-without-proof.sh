#!/bin/sh
# An answer of "no such type" or "no such name" carries nothing by which it could be kept.
#
# Version: dnsmasq-base 2.90-4~deb12u2 (Debian 12), asked with dnspython 2.9.2 (PyPI).
# Behaviour: dnsmasq is told that `lab.example` is its own (`local=`) and has a host there. It answers for the host's address
#   with AA. For a type the host lacks, and for a name that is not there, it answers NOERROR and NXDOMAIN without AA and
#   with an empty authority section. Without the SOA record there (RFC 2308, 2.1, 2.2 and 5) a resolver has no time for
#   which to keep the denial, so a host without MX is asked for its MX again with every message.
# Guess: a server that sets AA on what it has sets it on its denials too, and puts a SOA record in the authority section.
# Seen:
#     mx.lab.example A NOERROR AA: True, answers: 1, authority: 0
#     mx.lab.example MX NOERROR AA: False, answers: 0, authority: 0
#     none.lab.example A NXDOMAIN AA: False, answers: 0, authority: 0
set -eu
folder=$(mktemp -d)
server=
trap 'if [ -n "$server" ]; then kill "$server" || true; fi; rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q dnspython==2.9.2 &&
        (cd "$folder" && apt-get download -q dnsmasq-base=2.90-4~deb12u2 && dpkg -x dnsmasq-base_*.deb root) &&
        "$folder/root/usr/sbin/dnsmasq" --version
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cat >"$folder/dnsmasq.conf" <<'END'
port=53535
listen-address=127.0.0.1
bind-interfaces
no-resolv
no-hosts
user=
pid-file=
local=/lab.example/
host-record=mx.lab.example,192.0.2.1
END
"$folder/root/usr/sbin/dnsmasq" --keep-in-foreground -C "$folder/dnsmasq.conf" >"$folder/log" 2>&1 &
server=$!
sleep 1
kill -0 "$server" || { tail -n 5 "$folder/log" >&2; server=; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
import dns.flags
import dns.message
import dns.query
import dns.rcode

for name, kind in (("mx.lab.example", "A"), ("mx.lab.example", "MX"), ("none.lab.example", "A")):
    reply = dns.query.udp(dns.message.make_query(name, kind), "127.0.0.1", port=53535, timeout=5)
    print(
        f"{name} {kind} {dns.rcode.to_text(reply.rcode())} AA: {bool(reply.flags & dns.flags.AA)},",
        f"answers: {len(reply.answer)}, authority: {len(reply.authority)}",
    )
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
