"""What is known of the sender before any lookup: shown by every check, and logged before a campaign's first message."""

from __future__ import annotations

from bulkmail.campaign import Campaign
from bulkmail.mail import Problem
from bulkmail.preflight.findings import Finding, Severity
from bulkmail.preflight.sender.address import is_qualified, not_qualified
from bulkmail.preflight.sender.facts import Sender, sender_of
from bulkmail.preflight.sender.freemail import is_freemail
from bulkmail.preflight.sender.receivers import Demand, asking
from bulkmail.settings import Settings


def offline_findings(sender: Sender) -> list[Finding]:
    """Return what receivers will take amiss: a provider's domain, no signature, no full name, no unsubscribing."""
    found = [_freemail(sender), _unsigned(sender), _hostname(sender), _unsubscribe(sender), _clear(sender)]
    found += [_unlisted(sender), _complaints(sender)]
    return [finding for finding in found if finding is not None]


def sender_notices(campaign: Campaign, settings: Settings, hostname: str) -> list[Problem]:
    """Return the same for a campaign that is about to be sent, as notices. ``hostname``: the EHLO name."""
    findings = offline_findings(sender_of(campaign, settings, hostname, ()))
    where = campaign.file.path
    return [
        Problem(where, 0, 0, f"{finding.message}; {finding.remedy}")
        for finding in findings
        if finding.severity is not Severity.NOTE
    ]


def _freemail(sender: Sender) -> Finding | None:
    domain = sender.from_domain
    if not is_freemail(domain):
        return None
    if sender.relay:
        words = (
            f"`from` is at {domain}, which belongs to a mail provider, so only its own servers may send mail from it"
        )
        remedy = f"make sure that {sender.relay} is one of them, or send from a domain of your own"
        return Finding(Severity.WARNING, "from-freemail", "from", words, remedy)
    words = f"`from` is at {domain}, which belongs to a mail provider: receivers refuse mail from it that others send"
    return Finding(Severity.ERROR, "from-freemail", "from", words, "send from a domain of your own")


def _unsigned(sender: Sender) -> Finding | None:
    if sender.keys:
        return None
    remedy = f"`bulkmail dkim new {sender.from_domain} s1` makes a key and says what to publish"
    if sender.relay:
        words = f"mail is not signed with DKIM here; {asking(Demand.DKIM)}"
        remedy = f"make sure that {sender.relay} signs it for {sender.from_domain}, or: {remedy}"
        return Finding(Severity.NOTE, "dkim-unsigned", "dkim", words, remedy)
    words = f"mail is not signed with DKIM; {asking(Demand.DKIM)}"
    return Finding(Severity.WARNING, "dkim-unsigned", "dkim", words, remedy)


def _hostname(sender: Sender) -> Finding | None:
    if sender.relay or is_qualified(sender.hostname):
        return None
    remedy = "write `hostname:` and a name that leads to this machine into the settings"
    return Finding(Severity.WARNING, "hostname-not-qualified", "hostname", not_qualified(sender.hostname), remedy)


def _unsubscribe(sender: Sender) -> Finding | None:
    if sender.one_click or not (sender.marketing or sender.unsubscribe):
        return None
    words = f"the letter offers no one-click unsubscribing (RFC 8058); {asking(Demand.ONE_CLICK)}"
    if not sender.unsubscribe:
        words = f"the letter offers no way to unsubscribe; {asking(Demand.ONE_CLICK)}"
    remedy = "give `unsubscribe.url`, an https URL that takes a POST, or `unsubscribe: built-in` with `public` set"
    code = "no-one-click" if sender.unsubscribe else "no-unsubscribe"
    return Finding(Severity.WARNING, code, "unsubscribe", words, remedy)


def _clear(sender: Sender) -> Finding | None:
    if sender.tls != "off" or sender.relay:
        return None
    words = f"the settings send without TLS; {asking(Demand.TLS)}"
    return Finding(Severity.WARNING, "tls-off", "tls.mode", words, "write tls: {mode: opportunistic}")


def _complaints(sender: Sender) -> Finding | None:
    if sender.complaints or not (sender.inbound and sender.keys):
        return None
    words = (
        f"receivers are not asked for complaints: no DKIM signature stands for {sender.inbound}, the first of "
        "`inbound.domains`, and without one they may not send any there (RFC 9477)"
    )
    remedy = f"take one at or below {sender.from_domain}, or give `dkim` a key of {sender.inbound} too"
    return Finding(Severity.NOTE, "complaints-not-asked", "inbound.domains", words, remedy)


def _unlisted(sender: Sender) -> Finding | None:
    if not sender.unlisted:
        return None
    words = "who unsubscribes is left out of this campaign alone, and the next one to the same people mails them again"
    return Finding(Severity.WARNING, "list-not-named", "list", words, "give campaigns to the same people one `list`")
