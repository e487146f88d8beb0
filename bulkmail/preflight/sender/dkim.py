"""Whether the public half of each key that signs stands in the DNS, in any form that verifiers take.

The keys are compared, not the texts: order of the tags, blanks, split strings, a missing ``v=`` or ``k=``, an alias on
the way are no differences (RFC 6376 3.6, RFC 8463).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bulkmail.content import Published, compare_published, record, record_name
from bulkmail.preflight.findings import Finding, Severity
from bulkmail.preflight.sender.facts import Sender, SenderKey
from bulkmail.preflight.sender.lookup import Lookup, is_unknown
from bulkmail.preflight.sender.txt import txt_line

_TESTING = re.compile(r"(?:^|;)\s*t\s*=\s*(?:[^;]*:)?\s*y\s*(?:[;:]|$)")


async def dkim_findings(sender: Sender, lookup: Lookup) -> tuple[list[Finding], tuple[str, ...]]:
    """Compare the records. Also returned: the domains (d=) whose signatures receivers can verify. Raises OwnFault."""
    findings: list[Finding] = []
    good: list[str] = []
    for key in sender.keys:
        found, verifies = await key_findings(key, lookup)
        findings += found
        if verifies:
            good.append(key.domain)
    if good:  # a second signature that fails harms nothing while another one verifies
        findings = [_milder(finding) for finding in findings]
    if sender.keys and not any(record(key.pem).startswith("v=DKIM1; k=rsa") for key in sender.keys):
        words = "mail is signed with Ed25519 only, and many receivers check RSA signatures only"
        findings.append(
            Finding(Severity.WARNING, "dkim-no-rsa", "dkim", words, "add an RSA key under another selector")
        )
    return findings, tuple(dict.fromkeys(good))


async def key_findings(key: SenderKey, lookup: Lookup) -> tuple[list[Finding], bool]:
    """Compare one key with its record. Also returned: whether receivers can verify its signatures."""
    name = record_name(key.domain, key.selector)
    answer = await lookup(name, "TXT")
    if is_unknown(answer):
        words = f"whether the DKIM key is published is not known: {answer.text}"
        return [Finding(Severity.WARNING, "dkim-unknown", name, words, "check again later")], True
    remedy = f"publish {txt_line(name, record(key.pem))}"
    verdict, why = compare_published(answer.records, key.pem)
    if verdict is Published.WRONG:
        code = "dkim-record-wrong" if answer.records else "dkim-record-missing"
        words = f"{why}, so no receiver can verify the signatures"
        return [Finding(Severity.ERROR, code, name, words, remedy)], False
    if verdict is Published.ODD:
        return [Finding(Severity.WARNING, "dkim-record-odd", name, why, remedy)], True
    return _testing(name, answer.records), True


def _testing(name: str, texts: Sequence[str]) -> list[Finding]:
    if not any(_TESTING.search(text) for text in texts):
        return []
    words = "the record says t=y (testing), and a receiver may treat the mail as unsigned"
    return [Finding(Severity.NOTE, "dkim-testing", name, words, "remove `y` from t= when all is well")]


def _milder(finding: Finding) -> Finding:
    if finding.severity is not Severity.ERROR:
        return finding
    return Finding(Severity.WARNING, finding.code, finding.where, finding.message, finding.remedy)
