"""Whether what comes back finds the inbound server: the MX of the domain that is written into the messages."""

from __future__ import annotations

from bulkmail.preflight.findings import Finding, Severity
from bulkmail.preflight.sender.domains import takes_mail
from bulkmail.preflight.sender.lookup import Lookup, is_unknown

_HOSTS = 10  # MX hosts whose addresses are compared at most


async def inbound_findings(domain: str, host: str, lookup: Lookup) -> list[Finding]:
    """Check where the mail of the inbound ``domain`` goes; ``host``: the name of the inbound server."""
    mx = await lookup(domain, "MX")
    _, why, unknown = await takes_mail(domain, lookup)
    if is_unknown(mx) or unknown:
        words = f"whether its mail comes to the inbound server is not known: {unknown or mx.text}"
        return [Finding(Severity.WARNING, "inbound-domain-unknown", domain, words, "check again later")]
    record = f"publish {domain}. IN MX 10 {host}."
    if why:
        words = (
            f"the first of `inbound.domains` {why}, so nothing comes back: no report, no complaint, and nobody who "
            "unsubscribes by mail"
        )
        return [Finding(Severity.ERROR, "inbound-domain-takes-no-mail", domain, words, record)]
    hosts = [name.lower() for _, name in sorted(mx.records)] or [domain]
    if host.lower() in hosts:
        return []
    own = await _addresses(host, lookup)
    for name in hosts[:_HOSTS]:
        if own & await _addresses(name, lookup):
            return []
    words = f"its mail goes to {hosts[0]}, which is not the inbound server, {host}"
    remedy = f"{record}, or correct `inbound.hostname`; if {hosts[0]} passes it on, all is well"
    return [Finding(Severity.WARNING, "inbound-mx-elsewhere", domain, words, remedy)]


async def _addresses(host: str, lookup: Lookup) -> set[str]:
    found = [await lookup(host, kind) for kind in ("A", "AAAA")]
    return {str(address) for answer in found for address in answer.records}
