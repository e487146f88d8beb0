"""Whether the domains of From and of the envelope exist and take mail."""

from __future__ import annotations

from bulkmail.preflight.findings import Finding, Severity
from bulkmail.preflight.sender.facts import Sender
from bulkmail.preflight.sender.lookup import Lookup, is_unknown

_HOSTS = 10  # MX hosts that are looked up at most


async def domain_findings(sender: Sender, lookup: Lookup) -> tuple[list[Finding], bool]:
    """Check the domain of From and that of the envelope. Also returned: whether the domain of From exists."""
    findings = []
    domain = sender.from_domain
    exists, why, unknown = await takes_mail(domain, lookup)
    if unknown:
        findings.append(_unknown("from-domain-unknown", domain, unknown))
    elif why:
        words = f"the domain of `from` {why}, so nobody can answer, and many receivers refuse such senders"
        remedy = (
            "correct `from`" if not exists else f"publish {domain}. IN MX 10 and the name of a host that takes its mail"
        )
        findings.append(Finding(Severity.ERROR, "from-domain-takes-no-mail", domain, words, remedy))
    if sender.envelope_domain not in (domain, sender.inbound):
        findings += await _envelope(sender, lookup)
    return findings, exists


async def _envelope(sender: Sender, lookup: Lookup) -> list[Finding]:
    domain = sender.envelope_domain
    exists, why, unknown = await takes_mail(domain, lookup)
    if unknown:
        return [_unknown("envelope-domain-unknown", domain, unknown)]
    if not why:
        return []
    words = f"the domain of `envelope_from` {why}, so bounces cannot come back, and many receivers refuse such senders"
    remedy = (
        "correct `envelope_from`"
        if not exists
        else f"publish {domain}. IN MX 10 and the name of a host that takes them"
    )
    return [Finding(Severity.ERROR, "envelope-domain-takes-no-mail", domain, words, remedy)]


def _unknown(code: str, domain: str, text: str) -> Finding:
    return Finding(Severity.WARNING, code, domain, f"whether it takes mail is not known: {text}", "check again later")


async def takes_mail(domain: str, lookup: Lookup) -> tuple[bool, str, str]:
    """Return whether the domain exists, why it takes no mail ("": it does), why nothing is known ("": it is)."""
    mx = await lookup(domain, "MX")
    if is_unknown(mx):
        return True, "", mx.text or "the DNS did not answer"
    if mx.kind == "missing":
        return False, "does not exist (NXDOMAIN)", ""
    hosts = [host for _, host in sorted(mx.records)]
    if hosts == ["."]:
        return True, "takes no mail (its MX is `0 .`, RFC 7505)", ""
    if not hosts:
        found, unknown = await _has_address(domain, lookup)
        return True, "" if found or unknown else "has neither MX nor address records", unknown
    unknown = ""
    for host in hosts[:_HOSTS]:
        found, why = await _has_address(host, lookup)
        if found:
            return True, "", ""
        unknown = unknown or why
    return True, "" if unknown else f"has MX hosts without an address ({', '.join(hosts[:3])})", unknown


async def _has_address(host: str, lookup: Lookup) -> tuple[bool, str]:
    """Return whether a host has an address, and why that is not known."""
    unknown = ""
    for kind in ("A", "AAAA"):
        answer = await lookup(host, kind)
        if answer.records:
            return True, ""
        if is_unknown(answer):
            unknown = answer.text or "the DNS did not answer"
    return False, unknown
