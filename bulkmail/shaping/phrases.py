"""What receivers say, as data: words, each with the category it stands for.

Two lists: the plain ones say more than any code and come before it; the vague ones ("rejected", "policy") are used
only where the enhanced code says nothing. Within a list the first match wins, so the narrow stand before the wide. All
patterns are matched against the reply in lower case, mail addresses taken out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bulkmail.mail import Category

_C = Category


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words and what they mean. ``signal`` for the lane, when the refusal is transient; ``transient``: even as 5xx."""

    pattern: re.Pattern[str]
    category: Category
    signal: str = ""
    transient: bool = False


def _say(category: Category, *patterns: str, signal: str = "", transient: bool = False) -> Phrase:
    return Phrase(re.compile("|".join(patterns), re.ASCII), category, signal, transient)


_WHO = r"(?:user|mailbox|account|recipient|address|inbox|e-?mail)"
_NOT_OURS = r"(?<!your )(?<!sender )(?<!ip )(?<!client )(?<!source )(?<!from )"
_NOT_THERE = (
    r"(?:unknown|invalid|not found|not exist|n't exist|no longer exist"
    r"|not known|not listed|not valid|not recogni[sz]ed)"
)
_WAS = r"(?:is |has |been |was |currently |temporarily |no longer ){1,4}"
_GIVEN_UP = (
    r"(?:disabled|inactive|suspended|deactivated|closed|discontinued|terminated|expired|locked"
    r"|blocked by its|active|in use|available\b)"
)
_FROM = r"(?:sender|mail from ?[:<]|from address|return[- ]path|envelope from|reverse-?path)(?:'s)?"
_UNWANTED = (
    r"(?:rejected|refused|denied|invalid|unknown|unresolvable|not exist|n't exist|not found"
    r"|verif\w+ failed|not allowed|not accepted)"
)

# a connection that carried as many messages as the server takes on one
ENOUGH = r"(?:messages?|mails?|transactions?|deliveries) (?:count )?(?:per|(?:in|on|for) this) (?:connection|session)"

PLAIN: tuple[Phrase, ...] = (
    # greylisting, in the usual spellings and as postgrey, milter-greylist and sqlgrey word it
    _say(
        _C.GREYLISTED,
        r"gr[ae]y-?\s?list",
        r"postgrey|sqlgrey",
        r"unknown (?:mail )?triplet",
        signal="greylist",
        transient=True,
    ),
    # the address list was too long: the rest goes in a transaction of its own
    _say(_C.RATE_LIMITED, r"too many recipients", r"recipients? (?:count|limit) (?:exceeded|reached)", transient=True),
    # a connection that carried enough: open another one, no need to go slower
    _say(
        _C.RATE_LIMITED,
        ENOUGH,
        transient=True,
    ),
    # too many connections: Postfix, Exim, Outlook, GMX, QQ and 163; the French of Orange, the German of hosters
    _say(
        _C.RATE_LIMITED,
        r"too many (?:\w+ ){0,3}(?:connections?|sessions?)",
        r"trop de connexions",
        r"zu viele (?:\w+ )?verbindungen",
        r"(?:concurrent|simultaneous|parallel|number of|max\w*) (?:\w+ ){0,2}(?:connections?|sessions?)",
        r"(?:connections?|sessions?) (?:rate |count |concurrency |frequency )?(?:limit|exceed)",
        r"(?<!\w)ib007(?!\w)",
        signal="connections",
        transient=True,
    ),
    # one mailbox that gets too much at once: wait, but the site as a whole is content (Gmail 4.2.1)
    _say(
        _C.RATE_LIMITED,
        r"(?:user|recipient|account|mailbox) (?:\S+ ){0,8}(?:is )?receiving (?:e?-?mail|messages?) (?:at a rate|too)",
        transient=True,
    ),
    # messages too fast or too many: Gmail, Outlook, QQ ("frequency limited"), Yahoo's TS codes, Comcast's RL codes
    _say(
        _C.RATE_LIMITED,
        r"rate[- ]?limit",
        r"(?:sending|message|mail|unusual|high|this) rate\b",
        r"too many (?:\w+ ){0,2}(?:messages|e-?mails|mails)",
        r"too (?:fast|quickly|much mail)",
        r"throttl",
        r"frequency (?:is )?limit",
        r"limited? (?:the )?frequency",
        r"server (?:is )?(?:too )?busy",
        r"\[(?:ts|tss|ipts)\d\d\]",
        r"\brl0000\d\d\b",
        r"(?:hourly|daily|per (?:hour|minute|day)) (?:\w+ ){0,3}(?:limit|exceed)",
        r"(?:exceed\w*|reached) (?:\S+ ){0,5}(?:hourly|daily|per (?:hour|minute|day))",
        r"unexpected volume",
        r"flood",
        r"(?:sending|hourly|daily|outbound|your) (?:\w+ )?quota",
        r"messages? from \S+ (?:\S+ )?(?:temporarily deferred|will be permanently deferred)",
        signal="rate",
        transient=True,
    ),
    # TLS first (530 of a server that insists): ours to change, so never a reason to give up on the address
    _say(
        _C.TLS,
        r"(?:issue|use|need|requires?) (?:a )?(?:\w+ )?(?:starttls|tls|encryption)",
        r"(?:starttls|tls|encryption) (?:is )?(?:required|needed)",
        r"starttls (?:command )?first",
        r"requires? (?:an? )?(?:encrypted|secure) (?:connection|transport)",
        transient=True,
    ),
    _say(_C.VIRUS, r"virus(?! protection)|malware|infected|trojan"),
    # full for so long that it was given up (Gmail's OverQuotaPerm)
    _say(_C.INACTIVE_MAILBOX, r"overquotaperm", r"out of storage (?:space )?and inactive"),
    _say(
        _C.QUOTA,
        r"quota",
        r"(?:mailbox|inbox|mail box|account|storage) (?:is |has )?(?:been )?full\b",
        r"out of storage",
        r"(?:mailbox|storage) (?:size|limit|allocation)",
        r"insufficient (?:system |disk )?(?:storage|space)",
        r"full mailbox",
    ),
    _say(
        _C.TOO_LARGE,
        r"(?:message|mail|size|data) (?:\w+ ){0,3}(?:too (?:large|big|long)|exceeds?)",
        r"too (?:large|big) a? ?(?:message|mail)",
        r"(?:message|maximum|max|fixed|allowed) (?:\w+ )?size",
        r"size limit",
    ),
    # the sender's address is what they do not like
    _say(
        _C.INVALID_SENDER,
        rf"{_FROM} (?:\S+ ){{0,6}}?{_UNWANTED}",
        r"domain of sender",
        r"sender domain",
        r"sender verif\w* fail",
        r"(?:invalid|unknown|bad) sender",
    ),
    # mail for somebody they are not responsible for
    _say(
        _C.ROUTING,
        r"relay(?:ing)?\b(?: \w+){0,3} (?:denied|prohibited|refused|disallowed|allowed|permitted)",
        r"(?:not|n't|unable to|cannot) relay",
        r"relay (?:access )?denied",
    ),
    _say(_C.ROUTING, r"mail (?:forwarding )?loop|too many hops|loop detected|hop count"),
    # Yahoo and others: it was a mailbox once
    _say(
        _C.INACTIVE_MAILBOX,
        rf"{_NOT_OURS}\b{_WHO}\b(?: \S+){{0,8}} {_WAS}{_GIVEN_UP}",
        r"(?:disabled|inactive|suspended|deactivated|abandoned|dormant|closed) (?:user|mailbox|account|recipient)",
        r"554\.30",
        r"\bmailbox disabled",
        r"account disabled",
        r"account inactive",
    ),
    # how we introduced ourselves
    _say(_C.POLICY, r"\b(?:helo|ehlo)\b(?: \S+){0,5} (?:rejected|refused|denied|invalid|not found|unresolvable)"),
    # the recipient's domain is not served here, or nowhere
    _say(
        _C.BAD_DOMAIN,
        r"recipient (?:address )?(?:\S+ )?(?:rejected: )?domain not found",
        r"(?:host|domain) (?:name )?(?:not found|unknown|is not (?:hosted|local))",
        r"no (?:mail )?(?:service|hosting) for (?:this |that )?domain",
        r"null ?mx",
        r"\bdomain (?:\S+ )?does not accept (?:any )?(?:e?-?mail|messages)(?! from)",
    ),
    # no such mailbox, as everybody says it; Microsoft's directory check (5.4.1) says "access denied"
    _say(
        _C.BAD_MAILBOX,
        r"no such (?:\w+ )?(?:user|mailbox|recipient|address|person|account|e-?mail|local)",
        r"unknown (?:local|user|recipient|mailbox|account|address)",
        rf"{_NOT_OURS}\b{_WHO}s?\b(?: \S+){{0,6}} {_NOT_THERE}",
        r"(?:does not|doesn't|didn't) have an? (?:\S+ )?account",
        r"(?:invalid|bad|unrouteable|undeliverable|non-?existent) (?:recipient|mailbox|address|user|account)",
        r"recipient address rejected: (?:access denied|user|undeliverable|unverified|address)",
        r"no (?:\w+ )?mailbox (?:here )?(?:by|with)",
        r"not (?:a|our) (?:\w+ )?(?:user|customer|mailbox|recipient)",
        r"user doesn't",
        r"mailbox unavailable",
        r"addresses? failed",
        r"recipientnotfound|recipnotfound",
        r"adresse d\W?au moins un destinataire invalide",
        r"unbekannter empf|empf\S+ unbekannt",
        r"no mailbox here",
    ),
    # SPF, DKIM, DMARC, reverse DNS: what the sending domain's owner has to set right
    _say(
        _C.AUTHENTICATION,
        r"\bspf\b|\bdkim\b|\bdmarc\b|\bptr\b|\br-?dns\b|fcrdns",
        r"reverse (?:dns|name|host|lookup|mapping)",
        r"unauthenticated",
        r"not authenticated",
        r"authenticat\w+ (?:\w+ ){0,4}(?:fail\w*|required|level|check\w*|pass\w*|credentials)",
    ),
    # links and domains named in the message that are listed: the content, not the sending address
    _say(
        _C.SPAM_CONTENT,
        r"\bsurbl\b|\buribl\b|\bdbl\b",
        r"(?:url|link|uri)s? (?:\S+ ){0,5}(?:blocked|listed|blacklisted|blocklisted|reputation)",
    ),
    # block lists and the sending address's standing; Microsoft's S codes, Yahoo's BL, Comcast's BL, T-Online's contact
    _say(
        _C.SPAM_REPUTATION,
        r"spamhaus|spamcop|sorbs|uceprotect|barracudacentral|senderscore|sender ?base|talos|cloudmark",
        r"proofpoint|abusix|mailspike|invaluement",
        r"\brbl\b|\bdnsbl\b|bl[ao]ck ?-?list|denylist|\bblocked using",
        r"reputation",
        r"\bbanned\b",
        r"\bs31[45]0\b|\[bl\d\d\]|\bbl0000\d\d\b",
        r"(?:\bip\b|ip address|host|network|server|client|connection)(?: \S+){0,5} (?:blocked|listed|banned)",
        r"ask your postmaster for help or to contact",
        r"access denied, please try",
        r"service refus",
        r"user complaints",
        r"\bdt:spm\b|\brp:orq\b|\bhl:itc\b|\[(?:cs|hm)\d\d\]",
        signal="rate",
    ),
    _say(
        _C.SPAM_CONTENT,
        r"\bspam|unsolicited|\bjunk\b|\buce\b|\bube\b|phishing|\[hcm1\]|\[bs02\]",
        r"suspicious",
        r"bulk ?mail",
        r"content (?:\w+ ){0,2}(?:rejected|refused|denied|filter\w*)",
    ),
)

VAGUE: tuple[Phrase, ...] = (
    # Postfix says "Recipient address rejected: " in front of any reason: then the reason counts, not these words
    _say(_C.BAD_MAILBOX, r"recipient (?:address )?(?:\S+ )?(?:rejected|refused)(?!: \S)", r"address rejected(?!: \S)"),
    _say(
        _C.PROTOCOL,
        r"syntax error",
        r"bad sequence",
        r"(?:command|parameter|argument|option)s? (?:\w+ ){0,3}not (?:implemented|recogni[sz]ed|supported)",
        r"unrecogni[sz]ed",
    ),
    _say(_C.DNS, r"dns (?:error|failure|timeout|problem)", r"lookup (?:failed|failure|error)", r"name ?server"),
    _say(
        _C.CONNECTION,
        r"service (?:is )?(?:currently |temporarily )?(?:not available|unavailable)",
        r"shutting down",
        r"closing (?:transmission )?(?:channel|connection)",
        r"timed? ?out",
    ),
    _say(
        _C.POLICY,
        r"polic",
        r"not (?:accept|allow|permit|authori[sz]ed)",
        r"prohibited",
        r"denied",
        r"forbidden",
        r"blocked",
        r"administrati",
        r"refused",
        r"rejected",
        r"not wanted",
    ),
)
