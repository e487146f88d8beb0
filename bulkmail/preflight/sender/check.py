"""All of the sender's DNS: each part in turn, by one lookup; and what is known of the sender without the DNS."""

from __future__ import annotations

from bulkmail.mail import OwnFault
from bulkmail.preflight.findings import Finding, Severity
from bulkmail.preflight.sender.address import address_findings, hostname_findings
from bulkmail.preflight.sender.dkim import dkim_findings
from bulkmail.preflight.sender.dmarc_findings import dmarc_findings
from bulkmail.preflight.sender.domains import domain_findings
from bulkmail.preflight.sender.facts import Sender, by_name
from bulkmail.preflight.sender.inbound import inbound_findings
from bulkmail.preflight.sender.lookup import Lookup
from bulkmail.preflight.sender.offline import offline_findings
from bulkmail.preflight.sender.second import of_second
from bulkmail.preflight.sender.spf_findings import spf_findings


async def check_sender(sender: Sender, lookup: Lookup) -> list[Finding]:
    """Check everything about the sender, some thirty lookups, one after the other.

    A DNS that answers nothing is a finding too, a warning: nothing is wrong with the campaign then.
    """
    findings = offline_findings(sender)
    try:
        found, exists = await domain_findings(sender, lookup)
        findings += found
        if not exists:
            return findings
        if sender.inbound:
            findings += await inbound_findings(sender.inbound, sender.inbound_hostname, lookup)
        found, spf_passes = await spf_findings(sender, lookup)
        findings += found
        found, signed_by = await dkim_findings(sender, lookup)
        findings += found
        findings += await dmarc_findings(sender, lookup, spf_passes=spf_passes, signed_by=signed_by)
        for hostname, addresses in by_name(sender.hostname, sender.addresses, sender.names).items():
            if not sender.relay:
                findings += await hostname_findings(hostname, addresses, lookup)
            for ip in addresses:
                found = await address_findings(ip, hostname, lookup)
                findings += [of_second(sender, finding) for finding in found] if ip in sender.second else found
    except OwnFault as fault:
        words = f"the sender's records were not checked: {fault}"
        findings.append(Finding(Severity.WARNING, "dns-no-answer", "DNS", words, "see to dns.nameservers"))
    return findings
