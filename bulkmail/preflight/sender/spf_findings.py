"""What the SPF records say of the addresses that the campaign is sent from."""

from __future__ import annotations

from bulkmail.preflight.findings import Finding, Severity
from bulkmail.preflight.sender.facts import Sender
from bulkmail.preflight.sender.lookup import Lookup
from bulkmail.preflight.sender.receivers import Demand, asking
from bulkmail.preflight.sender.second import of_second
from bulkmail.preflight.sender.spf import SpfResult, evaluate_spf
from bulkmail.preflight.sender.spf_record import SpfRecord
from bulkmail.preflight.sender.txt import txt_line

_NOT_PASSED = {
    "none": (Severity.WARNING, "spf-missing"),
    "neutral": (Severity.WARNING, "spf-neutral"),
    "softfail": (Severity.WARNING, "spf-softfail"),
    "fail": (Severity.ERROR, "spf-fail"),
    "permerror": (Severity.ERROR, "spf-broken"),
    "temperror": (Severity.WARNING, "spf-unknown"),
}


async def spf_findings(sender: Sender, lookup: Lookup) -> tuple[list[Finding], bool]:
    """Evaluate SPF for every address. Also returned: whether all but the second ones pass.

    Raises OwnFault with no DNS at all.
    """
    if not sender.addresses:
        return [_not_evaluated(sender)], False
    results = {ip: await evaluate_spf(ip, sender.envelope, sender.hostname, lookup) for ip in sender.addresses}
    findings = []
    for ip, result in results.items():
        if result.result != "pass":
            found = _finding(sender, ip, result)
            findings.append(of_second(sender, found) if ip in sender.second else found)
    records = [result.record for result in results.values() if result.record is not None]
    if records:
        findings += _odd(sender.envelope_domain, records[0])
    for ip in sender.addresses:
        helo = await evaluate_spf(ip, sender.hostname, sender.hostname, lookup)
        if helo.result in ("fail", "permerror"):
            words = f"the SPF record of the EHLO name gives {helo.result} for {ip}: {helo.why}"
            remedy = f"publish {txt_line(sender.hostname, 'v=spf1 a -all')}"
            findings.append(Finding(Severity.WARNING, "spf-ehlo", sender.hostname, words, remedy))
    return findings, all(result.result == "pass" for ip, result in results.items() if ip not in sender.second)


def _not_evaluated(sender: Sender) -> Finding:
    who = f"the addresses of the relay {sender.relay} are" if sender.relay else "the address that receivers see is"
    words = f"{who} not known here, so SPF was not evaluated"
    return Finding(Severity.NOTE, "spf-not-evaluated", sender.envelope_domain, words, "give them with --address")


def _finding(sender: Sender, ip: str, result: SpfResult) -> Finding:
    severity, code = _NOT_PASSED[result.result]
    domain = sender.envelope_domain
    if result.result == "temperror":
        return Finding(severity, code, domain, f"SPF for {ip} is not known: {result.why}", "check again later")
    if result.result == "permerror":
        words = f"SPF gives permerror for {ip}: {result.why}"
        return Finding(severity, code, domain, words, "correct the record; one that is wrong counts for nothing")
    words = f"SPF gives {result.result} for {ip}: {result.why}; {asking(Demand.SPF)}"
    text = "" if result.record is None else result.record.text
    return Finding(severity, code, domain, words, f"publish {txt_line(domain, with_address(text, ip))}")


def with_address(text: str, ip: str) -> str:
    """Return an SPF record that also lets ``ip`` send; a new one where ``text`` is ""."""
    term = f"ip{6 if ':' in ip else 4}:{ip}"
    if not text:
        return f"v=spf1 mx {term} ~all"
    version, *terms = text.split()
    return " ".join([version, term, *terms])


def _odd(domain: str, record: SpfRecord) -> list[Finding]:
    """Return what a record has that receivers do not read alike, or that it surely does not mean."""
    names = [mechanism.name for mechanism in record.mechanisms]
    found = []
    if any(mechanism.name == "all" and mechanism.result == "pass" for mechanism in record.mechanisms):
        words = f"`+all` lets every machine in the world send for it: {record.text[:120]}"
        found.append(("spf-open", words, "end the record with ~all or -all"))
    if record.redirect and "all" in names:
        words = "beside `all` a `redirect=` is ignored (RFC 7208 6.1)"
        found.append(("spf-redirect", words, "remove one of them"))
    elif record.redirect and not record.redirect_last:
        words = "terms stand behind `redirect=`, and some receivers follow it before they read them"
        found.append(("spf-redirect", words, "put `redirect=` at the end"))
    if "ptr" in names:
        words = "`ptr` is not to be used any more (RFC 7208 5.5), and some receivers skip it"
        found.append(("spf-ptr", words, "name the addresses with ip4: instead"))
    return [Finding(Severity.WARNING, code, domain, words, remedy) for code, words, remedy in found]
