"""What DMARC makes of the campaign's mail: the policy that applies, and whether SPF or DKIM is aligned with From.

Two rules are in use: the tree walk (RFC 9989), and lists of public suffixes (RFC 7489). Where the walk parts two
domains that a list may take for one organization, receivers differ, and that is told.
"""

from __future__ import annotations

from bulkmail.preflight.findings import Finding, Severity
from bulkmail.preflight.sender.dmarc import Walk, aligned, related, walk
from bulkmail.preflight.sender.facts import Sender
from bulkmail.preflight.sender.lookup import Lookup
from bulkmail.preflight.sender.receivers import Demand, asking
from bulkmail.preflight.sender.txt import txt_line


async def dmarc_findings(
    sender: Sender, lookup: Lookup, *, spf_passes: bool, signed_by: tuple[str, ...]
) -> list[Finding]:
    """Find the policy and judge the alignment. ``spf_passes``: for all addresses. ``signed_by``: d= that verify.

    Raises OwnFault with no DNS at all.
    """
    domain = sender.from_domain
    walked = await walk(domain, lookup)
    findings = [
        Finding(Severity.WARNING, "dmarc-record-wrong", f"_dmarc.{where}", why, "correct or remove it")
        for where, why in walked.wrong
    ]
    if walked.unknown:
        words = f"its DMARC policy is not known: {walked.unknown}"
        return [*findings, Finding(Severity.WARNING, "dmarc-unknown", domain, words, "check again later")]
    record = walked.applied
    if record is None:
        owner = walked.organizational
        words = f"{domain} has no DMARC policy; {asking(Demand.DMARC)}"
        remedy = f"publish {txt_line(f'_dmarc.{owner}', f'v=DMARC1; p=none; rua=mailto:dmarc@{owner}')}"
        findings.append(Finding(Severity.WARNING, "dmarc-missing", f"_dmarc.{domain}", words, remedy))
    else:
        findings += [
            Finding(Severity.NOTE, "dmarc-odd", f"_dmarc.{record.domain}", problem) for problem in record.problems
        ]
        if record.testing:
            words = "t=y (testing): receivers take the policy one step milder than it says"
            findings.append(Finding(Severity.NOTE, "dmarc-testing", f"_dmarc.{record.domain}", words))
    return findings + await _alignment(sender, lookup, walked, spf_passes=spf_passes, signed_by=signed_by)


async def _alignment(
    sender: Sender, lookup: Lookup, walked: Walk, *, spf_passes: bool, signed_by: tuple[str, ...]
) -> list[Finding]:
    if not (sender.keys or sender.addresses):
        return []  # a relay signs and sends: what receivers see is not known here
    record = walked.applied
    strict_dkim = record is not None and record.strict_dkim
    strict_spf = record is not None and record.strict_spf
    dkim, findings = [], []
    for domain in signed_by:
        walked_signer = walked if domain == walked.start else await walk(domain, lookup)
        if aligned(walked, walked_signer, strict=strict_dkim):
            dkim.append(domain)
        elif not strict_dkim and related(domain, walked.start):
            findings.append(_parted(f"signatures of {domain}", walked, walked_signer))
    spf = False
    if spf_passes:
        envelope = sender.envelope_domain
        walked_envelope = walked if envelope == walked.start else await walk(envelope, lookup)
        spf = aligned(walked, walked_envelope, strict=strict_spf)
        if not spf and not strict_spf and related(envelope, walked.start) and not dkim:
            findings.append(_parted(f"SPF of {envelope}", walked, walked_envelope))
    if dkim or spf or (sender.relay and not sender.keys):
        return findings
    return [*findings, _refused(sender, signed_by, walked.policy(), spf_passes=spf_passes)]


def _refused(sender: Sender, signed_by: tuple[str, ...], policy: str, *, spf_passes: bool) -> Finding:
    domain = sender.from_domain
    have = []
    if signed_by:
        have.append(f"DKIM is for {', '.join(signed_by)}")
    if spf_passes:
        have.append(f"SPF is for {sender.envelope_domain}")
    why = " and ".join(have) or "neither DKIM nor SPF passes"
    does = {"none": asking(Demand.ALIGNMENT), "quarantine": f"{domain} asks receivers to put such mail with the spam"}
    words = f"nothing is aligned with `from` ({domain}): {why}; "
    words += does.get(policy, f"{domain} asks receivers to refuse such mail (p={policy})")
    severity = Severity.WARNING if policy == "none" else Severity.ERROR
    remedy = f"sign with a key of {domain} (`bulkmail dkim new {domain} s1`)"
    return Finding(severity, "dmarc-not-aligned", domain, words, remedy)


def _parted(what: str, walked: Walk, other: Walk) -> Finding:
    words = (
        f"{what} are aligned with `from` ({walked.start}) for receivers that go by a list of public suffixes, and not "
        f"for those that follow RFC 9989: their organizational domains are {other.organizational} and "
        f"{walked.organizational}"
    )
    remedy = f"use {walked.start} itself, or publish the DMARC record at the domain above both"
    return Finding(Severity.WARNING, "dmarc-walk-differs", walked.start, words, remedy)
