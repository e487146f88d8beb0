"""All of the sender's DNS: each part in turn, by one lookup, and what receivers ask for besides."""

from __future__ import annotations

from bulkmail.mail import OwnFault
from bulkmail.preflight.findings import Finding, Severity
from bulkmail.preflight.sender.address import address_findings, hostname_findings
from bulkmail.preflight.sender.dkim import dkim_findings
from bulkmail.preflight.sender.dmarc_findings import dmarc_findings
from bulkmail.preflight.sender.domains import domain_findings
from bulkmail.preflight.sender.facts import Sender
from bulkmail.preflight.sender.lookup import Lookup
from bulkmail.preflight.sender.receivers import Demand, asking
from bulkmail.preflight.sender.spf_findings import spf_findings


async def check_sender(sender: Sender, lookup: Lookup) -> list[Finding]:
    """Check everything about the sender that the DNS tells; some thirty lookups, one after the other.

    A DNS that answers nothing is a finding too, a warning: nothing is wrong with the campaign then.
    """
    findings = offer_findings(sender)
    try:
        found, exists = await domain_findings(sender, lookup)
        findings += found
        if not exists:
            return findings
        found, spf_passes = await spf_findings(sender, lookup)
        findings += found
        found, signed_by = await dkim_findings(sender, lookup)
        findings += found
        findings += await dmarc_findings(sender, lookup, spf_passes=spf_passes, signed_by=signed_by)
        if not sender.relay:
            findings += await hostname_findings(sender.hostname, sender.addresses, lookup)
        for ip in sender.addresses:
            findings += await address_findings(ip, sender.hostname, lookup)
    except OwnFault as fault:
        words = f"the sender's records were not checked: {fault}"
        findings.append(Finding(Severity.WARNING, "dns-no-answer", "DNS", words, "see to dns.nameservers"))
    return findings


def offer_findings(sender: Sender) -> list[Finding]:
    """What receivers ask of the letter and of the connection, which no DNS tells."""
    findings = []
    if not sender.one_click:
        words = f"the letter offers no one-click unsubscribing (RFC 8058); {asking(Demand.ONE_CLICK)}"
        remedy = "give `unsubscribe.url`, an https URL that takes a POST"
        findings.append(Finding(Severity.WARNING, "no-one-click", "unsubscribe", words, remedy))
    if sender.tls == "off" and not sender.relay:
        words = f"the settings send without TLS; {asking(Demand.TLS)}"
        findings.append(Finding(Severity.WARNING, "tls-off", "tls.mode", words, "write tls: {mode: opportunistic}"))
    return findings
