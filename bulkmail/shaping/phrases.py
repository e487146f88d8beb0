"""What receivers say, as data: words, each with the category it stands for.

Two lists: the plain ones say more than any code and come before it; the vague ones ("rejected", "policy") are used
only where the enhanced code says nothing. Within a list the first match wins, so the narrow stand before the wide, and
what speaks of the sender's side (its HELO, its address, its MAIL FROM) before what speaks of the mailbox: "unknown" and
"invalid" are said of both, and a good recipient must not be charged with a fault of the sender. All patterns are
matched against the reply as `plain_words` gives it.
"""

from __future__ import annotations

from bulkmail.mail import Category
from bulkmail.shaping.languages import INACTIVE, NO_SUCH_MAILBOX, QUOTA, REFUSED, SENDER
from bulkmail.shaping.phrase import Phrase
from bulkmail.shaping.phrase import say as _say

_C = Category


# who a mailbox's refusal speaks of; "address 192.0.2.1" is none
_WHO = r"(?:user|mail ?box|account|recipient|addressee|address(?! \[?\d)|inbox)"
_NOT_OURS = r"(?<!your )(?<!sender )(?<!ip )(?<!client )(?<!source )(?<!from )(?<!server )(?<!host )"
# up to six words between the mailbox and what is wrong with it, none of which is about the sender's side
_GAP = r"(?: (?!ip\b|host|server|client|sender|from\b|dns|ptr|your\b|domain\b|relay)\S+){0,6}?"
_NOT_THERE = (
    # "unknown user" and "user unknown in local table", but not "unknown attachment"
    r"(?:(?:unknown|invalid)(?! (?!(?:in|here|to|at|or|on|by|for|and|local\w*|user|recipient|mailbox|address"
    r"|account|name"
    r"|this|the|please|sorry)\b)[a-z])|undeliverable|unrout\w+|non-?existent|unavailable"
    r"|(?:not|\w+n't|cannot|never) (?:be |been |currently |a |an |any |the ){0,2}"
    r"(?:found|exist|known|listed|valid|recogni[sz]ed|available|verified|located|registered|defined)"
    r"|no longer (?:exist|valid|on|at|with|here|works|known)"
    r"|not (?:in|on|part of) (?:\w+ )?(?:address|director|database|list|server|system|domain|machine))"
)
_WAS = r"(?:is |has |been |was |currently |temporarily |permanently |no longer |being ){1,4}"
_ENDED = (
    r"(?:disabled|inactive|suspended|deactivated|closed|discontinued|terminated|expired|locked|frozen|deleted|removed"
    r"|cancell?ed|retired|dormant|abandoned|de-activated|lapsed|unused|on hold|not (?:yet )?activ(?:e|ated)"
    r"|(?:turned|switched|shut) (?:off|down))"
)
_FROM = (
    r"\b(?:sender|originator|bounce address|mail from ?[:<@]|mailfrom|from address|from domain|return[- ]path"
    r"|envelope[- ]from|reverse-?path"
    r"|your (?:e-?mail |mail |from )?(?:address|domain))(?:'s)?(?=\W|$)"
)
_UNWANTED = (
    r"(?:rejected|refused|denied|blocked|invalid|unknown|unresolvable|exist|(?:not|cannot) (?:be )?found|fail\w*|(?:not"
    r"|cannot) (?:be )?verif\w+"
    r"|unavailable|not (?:be )?(?:allowed|accepted|permitted|on|a valid|valid|resolve)|no (?:mx|such))"
)
_OUR_MACHINE = (
    r"(?:ip|ips|ip-address|server|host|host ?name|mta|network|subnet|isp|provider|country|region|system|machine"
    r"|computer|connection|access)"
)
_NOT_WELCOME = (
    r"(?:not (?:be )?(?:allowed|accepted|permitted|authori[sz]ed|welcome|trusted|found|resolve\w*)|may not|unwelcome"
    r"|rejected|refused|denied|forbidden|prohibited|invalid|unknown)"
)

# a connection that carried as many messages as the server takes on one
ENOUGH = r"(?:messages?|mails?|transactions?|deliveries) (?:count )?(?:per|(?:in|on|for) this) (?:connection|session)"

# a machine that is no mail server; in place of a conversation that tells of the host alone, not of a policy
NO_SERVER = _say(
    _C.POLICY,
    r"\bno (?:smtp|mail|e-?mail)(?: \w+){0,2} (?:service|server|exchanger|here|only)\b|\bmx only",
    r"(?:not|no) (?:an? |our )?(?:\w+ )?(?:mail ?-?exchanger|mail ?server|mail host|mx)\b",
    r"(?:machine|host|server|system) (?:takes|accepts|receives|handles) no (?:e-?mail|mail|messages)",
    r"mail service is not",
)

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
    _say(
        _C.RATE_LIMITED,
        r"too many recipients(?! received)",
        r"recipients? (?:count|limit) (?:exceeded|reached)",
        transient=True,
    ),
    # a connection that carried enough: open another one, no need to go slower
    _say(_C.RATE_LIMITED, ENOUGH, transient=True),
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
        r"recipient thread limit",
        transient=True,
    ),
    # full, whatever it is full of
    _say(_C.QUOTA, r"(?:mail ?box|inbox|account) (?:is |has |been |was )*(?:over)?full\b"),
    # what Gmail calls rate limited is refused for another reason, and going slower does not help
    _say(
        _C.TLS,
        r"rate limited because the connection does not use tls",
        transient=True,
    ),
    _say(
        _C.AUTHENTICATION,
        r"rate limited because (?:it is unauthenticated|(?:spf|dkim) does not pass|there is no dmarc|the sending)",
        transient=True,
    ),
    # messages too fast or too many: Gmail, Outlook, QQ ("frequency limited"), Yahoo's TS codes, Comcast's RL codes
    _say(
        _C.RATE_LIMITED,
        r"rate[- ]?limit",
        r"(?:sending|message|mail|unusual|high|this) rate\b",
        r"too many (?:\w+ ){0,2}(?:messages|e-?mails|mails)",
        r"too (?:fast|quickly|much (?:\w+ )?mail)",
        r"throttl",
        r"frequency (?:is )?limit",
        r"limited? (?:the )?frequency",
        r"server (?:is )?(?:too )?busy",
        r"\[(?:ts|tss|ipts)\d\d\]",
        r"\brl0000\d\d\b",
        r"(?:hourly|daily|per (?:hour|minute|day)) (?:\w+ ){0,3}(?:limit|exceed)",
        r"(?:exceed\w*|reached) (?:\S+ ){0,5}(?:hourly|daily|per (?:hour|minute|day))",
        r"(?:unexpected|excessive) volume|too many recipients received|exceeded permitted limits",
        r"exceeded the number of (?:messages|mails)|limits for how many (?:messages|mails)|\bmail send limit",
        r"flood",
        r"(?:sending|hourly|daily|outbound|your) (?:\w+ )?quota|quota for sending",
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
    _say(
        _C.VIRUS,
        r"(?<!spam or )virus(?! protection| infected)|malware|infected(?! (?:server|computer|machine|host))|trojan",
    ),
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
        r"(?:mailbox|inbox|user|account) (?:\S+ ){0,3}exceed\w* (?:\S+ ){0,2}(?:size|storage|space|limit)",
        r"\bno (?:more |free )?(?:room|space)|over (?:\w+ )?(?:\w+ )?limit|storage allocation|disk full"
        r"|not enough (?:disk |storage )?space",
        *QUOTA,
    ),
    # the receiver's own trouble: it says nothing about the recipient
    _say(
        _C.OTHER,
        r"(?:internal|unexpected|unknown|local|general|software|server|system|configuration|processing) (?:\w+ )?"
        r"(?:error|failure|fault|problem)",
        r"service error|system(?:'s)? resources?|resource limit|(?:insufficient|out of|low on"
        r"|lack of) (?:\w+ )?(?:resources|memory)",
        r"misconfigur|configuration (?:problem|fault)",
        r"(?:database|ldap|sql|back-?end|directory) (?:\w+ ){0,3}(?:error|fail\w*|problem|unavailable|not available"
        r"|down)",
    ),
    _say(_C.ROUTING, r"exceeded \d+ hops"),
    _say(
        _C.TOO_LARGE,
        r"(?:message|mail|size|data) (?:\w+ ){0,3}(?:too (?:large|big|long)|exceeds?)",
        r"too (?:large|big) a? ?(?:message|mail)",
        r"(?:message|mail) (?:\w+ )?(?:is )?too (?:large|big)|message length",
        r"(?:message|maximum|max|fixed|allowed) (?:\w+ )?size",
        r"size limit",
    ),
    # SPF, DKIM, DMARC, reverse DNS: what the sending domain's owner has to set right
    _say(
        _C.AUTHENTICATION,
        r"\bspf\b|\bdkim\b|\bdmarc\b|\bptr\b|\br-?dns\b|fcrdns",
        r"reverse[- ](?:dns|name|host|lookup|mapping)",
        r"unauthenticated",
        r"not authenticated",
        r"pop before smtp|authenticate (?:first|yourself)|(?:must|have to|please) authenticate",
        r"authenticat\w+ (?:\w+ ){0,4}(?:fail\w*|required|level|check\w*|pass\w*|credentials)",
    ),
    # the sender's address is what they do not like
    _say(
        _C.INVALID_SENDER,
        rf"{_FROM}(?: \S+){{0,6}}? \(?{_UNWANTED}",
        r"domain of sender",
        r"sender domain",
        r"sender (?:\w+ )?verif\w* (?:\w+ )?fail",
        r"(?:not|n't|cannot|unable to|fail\w* to) (?:verify|find|resolve|accept|validate) (?:\S+ ){0,2}?(?:sender"
        r"|originator)",
        r"(?:invalid|unknown|bad|forged|fake) (?:\w+ )?(?:sender|return[- ]path)\b|\bmail from domain",
        r"(?:no|invalid|missing) (?:dns )?(?:\w+ )?(?:mx|a/aaaa) (?:\S+ ){0,3}record",
        *SENDER,
    ),
    # a mailbox that does not take mail from everybody
    _say(
        _C.POLICY,
        r"\b(?:local|internal|members?|subscribers?|authori[sz]ed) (?:users? |mail |senders? |addresses )?only\b",
        r"\bonly (?:\S+ ){0,4}?(?:local|internal|authenticated|authori[sz]ed|registered|members?|subscribers?"
        r"|known|trusted|certain) (?!part)",
        r"\bonly (?:members?|subscribers?)\b",
        r"(?:restricted|limited|moderated) (?:to |mailbox|address|recipient|group|list)",
        r"\byou (?:\S+ )?(?:are |were |have |do )?(?:not|n't|no)\b(?: \S+)? (?:allowed|permi\w+|authori[sz]ed|welcome)",
        r"(?:mail|messages|e-?mail|anything) from you\b|blocked you\b",
    ),
    # mail for a domain they are not responsible for
    _say(
        _C.ROUTING,
        r"\brelay(?:ing|ed)?\b(?: \S+){0,6} (?:denied|prohibited|refused|rejected|disallowed|allowed|permitted"
        r"|forbidden|disabled)",
        r"(?:not|n't|no|unable to|cannot|never) (?:an? |open |\w+ to )?relay",
        r"not hosted (?:here|on|by|at)",
        r"relay (?:access )?denied|not accepted for relay",
        r"rcpt ?hosts?\b|list of (?:\w+ )?(?:recipient|local|allowed|accepted) (?:hosts|domains)",
        r"non-accepted domain|not (?:in|on|one of|an?) (?:\w+ )?(?:\w+ )?(?:accepted|local|allowed|hosted"
        r"|our) domains?",
        r"(?:cannot|can't|do not|don't|will not) (?:deliver|accept|take|handle|process) (?:e-?)?mails? for (?:@"
        r"|\S+\.\S+)",
        r"(?:not|n't) (?:responsible|handle|serve|host|accept|configured)\b(?: \S+){0,4}? (?:domain|host)\b",
        r"not responsible for|not (?:my|our) domain",
        # how OpenSMTPD refuses a foreign domain; docs/decisions/0034
        r"^invalid recipient:? @$",
    ),
    _say(_C.ROUTING, r"mail (?:forwarding )?loop|too many hops|loop detected|hop count"),
    # how the sender introduced itself
    _say(
        _C.PROTOCOL, r"(?:send|say|says|expected|need|polite|issue|use) (?:\S+ )?(?:helo|ehlo)\b|not rfc \d+ compliant"
    ),
    _say(_C.POLICY, r"\b(?:helo|ehlo)\b"),
    # the sender's machine: on a list, or of a kind that is not wanted
    _say(
        _C.SPAM_REPUTATION,
        r"\b(?:invalid|bad|blocked|banned|black ?listed|suspicious|untrusted) (?:\w+ ){0,2}ips?\b",
        r"\bips?\b(?: \S+){0,6}? (?:blocked|(?<!not )listed|banned|black|suspicious)",
        r"\bips?\b(?: \S+){0,3} (?:on|in) (?:\S+ ){0,3}list",
        r"(?:\bip\b|ip address|\bhost|\bnetwork|\bserver|\bclient|\bconnection)(?: \S+){0,5}"
        r" (?:blocked|(?<!not )listed|banned)\b(?! by its)",
        r"\brbl\b|\bdnsbl\b|bl[ao]ck ?-?list|denylist|\bblocked using",
        r"reputation",
        r"(?:due to|because of) (?:its )?listing\b|\d\.\d{1,3} is blocked\b",
        signal="rate",
    ),
    _say(
        _C.POLICY,
        rf"\byour (?:\S+ ){{0,3}}?{_OUR_MACHINE}\b(?: \S+){{0,8}}? {_NOT_WELCOME}",
        rf"\bips?\b(?: \S+){{0,6}}? {_NOT_WELCOME}",
        rf"client host(?: \S+){{0,5}}? {_NOT_WELCOME}",
        r"\bmail from (?:your|this|these|such|dynamic|\[?\d)",
        r"\b(?:dynamic|dial-?up|residential) (?:\w+ )?(?:ip|address|range|host|line|pool)",
        r"direct (?:delivery|smtp|mail|connection)",
    ),
    NO_SERVER,
    # it was a mailbox once
    _say(
        _C.INACTIVE_MAILBOX,
        rf"{_NOT_OURS}\b(?:{_WHO}|e-?mail)\b(?: \S+){{0,8}}? {_WAS}(?:{_ENDED}|blocked by its"
        rf"|(?:not (?:yet )?)?active|in use|available\b)",
        rf"{_NOT_OURS}\b{_WHO}(?: @)?,? {_ENDED}\b",
        r"(?<!your )\b(?:user|mail ?box|account|inbox) (?:\S+ )?(?:is |has |been |was ){0,2}blocked\b(?! (?:you|for"
        r"|using))",
        r"(?:closed|deleted|cancell?ed|terminated|abandoned) (?:the|this|their|his|her|its) (?:\w+ )?(?:account"
        r"|mail ?box)",
        rf"{_ENDED}:? (?:e-?mail )?(?:user|mail ?box|account|recipient|inbox)\b",
        r"\bnot (?:been )?(?:polled|poped|popped|logged in|signed in|opened)\b",
        r"554\.30|\binactive (?:e-?mail )?address\b",
        *INACTIVE,
    ),
    # the recipient's domain is not served here, or nowhere
    _say(
        _C.BAD_DOMAIN,
        r"(?:recipient|rcpt:|destination)(?:'s)? (?:address )?(?:\S+ )?(?:rejected: )?domain (?:is )?(?:not found"
        r"|unknown)",
        r"domain (?:name )?(?:not found|unknown|is not (?:hosted|local))|@\S* host unknown",
        r"\bdomain (?:\S+ )?(?:does not|doesn't|did not) exist|no such (?:\w+ )?domain|unknown (?:\w+ )?domain",
        r"(?<!your )(?<!sender )\bdomain (?:is )?(?:unknown|suspended|disabled|expired)",
        r"(?<!your )\bdomain (?:\S+ )?(?:is |has |was |been ){1,3}(?:expired|disabled|suspended|inactive"
        r"|deactivated|closed|locked)",
        r"no (?:mail )?(?:service|hosting) for (?:this |that )?domain",
        r"null ?mx|domain of recipient does not exist",
        r"\bdomain (?:\S+ )?does not accept (?:any )?(?:e?-?mail|messages)(?! from)",
    ),
    # no such mailbox, as everybody says it; Microsoft's directory check (5.4.1) says "access denied"
    _say(
        _C.BAD_MAILBOX,
        r"no such (?:\w+ )?(?:user|mailbox|recipient|address|person|account|e-?mail|local|customer|name|alias)",
        r"unknown (?:local|user|recipient|mail ?box|account|address|e-?mail|rcpt)|^rcpt (?:is )?unknown",
        rf"{_NOT_OURS}\b{_WHO}s?\b,?{_GAP} {_NOT_THERE}",
        rf"^e-?mail (?:is |was )?{_NOT_THERE}",
        r"(?:does not|doesn't|didn't) have an? (?:\S+ )?(?:account|mail ?box)",
        r"(?:invalid|bad|wrong|incorrect|unrout\w+|undeliverable|non-?existent|inexistent)"
        rf" (?:(?:destination|recipient|local|e-?mail|rcpt|user|mailbox) )?{_WHO}",
        r"rcpt: (?:access denied|user|undeliverable|unverified|address)",
        r"\bno (?:\w+ ){0,2}?(?:user|mail ?box|recipient|account|person|customer|inbox)s?(?: \S+){0,3}?"
        r" (?:found|here|by|with|of|at|under|named|called|exists?)\b",
        r"\bno (?:local|valid|matching|known) (?:user|mail ?box|recipient|account)",
        rf"(?:not|n't) know (?:of )?(?:this|that|the|such|any|an?) (?:\w+ )?{_WHO}",
        rf"(?:cannot|can't|not|couldn't|unable to) (?:find|locate|identify) (?:\S+ ){{0,2}}?{_WHO}",
        rf"\bno {_WHO}$|\bthere(?: i|')s no (?:\w+ )?{_WHO}\b|no longer (?:works|employed|with us)",
        r"\bthere(?: i|')s no @|^@:? (?:is )?(?:unknown|not found|does not exist)",
        r"not (?:a|an|our|any|one of our) (?:\w+ )?(?:user|customer|mail ?box|recipient|account)",
        rf"{_NOT_OURS}\b{_WHO}(?: @)? (?:is not|isn't) (?:one of )?ours\b",
        r"user(?: is)? (?:not local|doesn't)",
        r"rcpt \S+ (?:\S+ )?(?:dosn't|doesn't|does not) exist",
        r"addresses? failed",
        r"recipientnotfound|recipnotfound",
        *NO_SUCH_MAILBOX,
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
        r"\bbanned\b",
        r"\bs31[45]0\b|\[bl\d\d\]|\bbl0000\d\d\b",
        r"ask your postmaster for help or to contact",
        r"access denied, please try",
        r"service refus",
        r"user complaints|complaints concerning mail|namespace mining",
        r"\bdt:spm\b|\brp:orq\b|\bhl:itc\b|\[(?:cs|hm)\d\d\]",
        signal="rate",
    ),
    _say(
        _C.SPAM_CONTENT,
        r"\bspam|unsolicited|\bjunk\b|\buce\b|\bube\b|phishing|\[hcm1\]|\[bs02\]|content presents",
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
        r"\brcpt: ",
        *REFUSED,
    ),
)
