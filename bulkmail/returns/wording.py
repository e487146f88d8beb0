"""What a report's words and codes mean: the receiver's reply found in them, and judged as in a live dialogue.

The reply in Diagnostic-Code beats the Status field, which Exim, Courier and OpenSMTPD fill with 5.0.0 whatever the
receiver said, and which becomes 4.4.7 or 5.4.7 when a server gives up. Where a server failed by itself there is no
reply: then its own words say why ("Unrouteable address", "Envelope expired"), a short list in `_LOCAL`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bulkmail.mail import Category, Fate, Outcome, Reply, Stage, Status
from bulkmail.returns.returned import Weight
from bulkmail.returns.values import one_line
from bulkmail.shaping import classify, status_of

_C = Category
_READ = 2000  # characters of words that are looked at
_LINES = 20  # lines of one reply

# a reply: the code, then an enhanced code, as "550 5.1.1", "550-5.1.1", "#550 5.1.1", "550: 5.1.1", ":550 - 5.1.1"
_REPLY = re.compile(
    r"(?:(?<=\s)|(?<=[#(>;\"'])|(?<=:)|^)([245]\d\d)"
    r"(?:[ :-]{1,4}#?([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)|[ -]{1,2}(?=[^\s\d]))",
    re.ASCII | re.MULTILINE,
)
_CODE_AFTER = re.compile(r"(?:code|reply|error|said|was|status)[ :=]{1,3}([45]\d\d)\b", re.ASCII | re.IGNORECASE)
_ENHANCED = re.compile(r"(?<![\w.])#?([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)", re.ASCII)
_STATUS = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?!\d)", re.ASCII)
_SEPARATED = re.compile(r"\A[ :-]{1,4}")
# Cisco's appliance: its own summary, then the receiver's reply, "5.1.0 - Unknown address error 550-'no' (delivery ..."
_QUOTED_REPLY = re.compile(
    r"\A[45]\.\d\.\d - [A-Z][^'\d]{0,60} ([45]\d\d)-'([^\n]{0,1000})' \(delivery attempts: \d+\)", re.ASCII
)
# Exchange Online gives up with a reply of its own: "550 5.4.316 Message expired, connection refused"
_GAVE_UP = re.compile(r"(?:5\.4\.\d{1,3} )?message expired\b", re.IGNORECASE)
_AFTERWORDS = re.compile(
    r" \(in reply to .{0,60}\)\Z|: retry timeout exceeded\Z| Giving up on \S+(?: .*)?\Z", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Said:
    """A receiver's reply: its code (0: there is none), its own enhanced code, its lines; without a reply the words."""

    code: int
    enhanced: str
    lines: tuple[str, ...]
    stage: Stage

    @property
    def text(self) -> str:
        """The words in one line of at most 512 characters, as the report's ``reply`` column has them."""
        return one_line(" ".join(self.lines))


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a final failure means."""

    category: Category
    weight: Weight
    enhanced: str


def without_addresses(text: str) -> str:
    """Return ``text`` with an at sign for each address and for what is left of one: the words in it say nothing."""
    if "@" not in text and "<" not in text:
        return text
    return " ".join("@" if "@" in word or word.startswith("<") else word for word in text.split())


def status_in(value: str) -> str:
    """Return the enhanced code of a Status field, without its comment, ``""`` where it is none."""
    found = _STATUS.match(value.strip())
    return found[0] if found is not None else ""


def stage_in(text: str) -> Stage:
    """Return the step of the dialogue that a report's words name; RCPT where they name none."""
    low = text.lower()
    if "mail from" in low and "rcpt to" not in low:
        return Stage.MAIL
    if (
        "end of data" in low
        or "after i sent the message" in low
        or "after end of message" in low
        or "final data" in low
    ):
        return Stage.DOT
    if "data command" in low:
        return Stage.DATA
    return Stage.RCPT


def said(text: str, context: str = "") -> Said:
    """Find the reply in a report's words: the first code with an enhanced one behind it, else the first code.

    ``context``: more words, in which only the stage is looked for.
    """
    text = text[:_READ]
    stage = stage_in(f"{text} {context[:_READ]}")
    quoted = _QUOTED_REPLY.match(text)
    if quoted is not None:
        text = f"{quoted[1]} {quoted[2]}"
    first = None
    for match in _REPLY.finditer(text):
        if match[1][0] == "2" and match.start(1):
            continue  # a reply to something else: only a report of success starts with one
        if match[2] is not None and match[2] == match[1][0]:
            first = match
            break
        first = first or match
    if first is None:
        bare = _CODE_AFTER.search(text)
        own = _ENHANCED.search(text)
        return Said(int(bare[1]) if bare is not None else 0, own[1] if own is not None else "", (text.strip(),), stage)
    code = first[1]
    enhanced = f"{first[2]}.{int(first[3])}.{int(first[4])}" if first[2] is not None else ""
    rest = _SEPARATED.sub("", text[first.end(1) :].partition("\n\n")[0])
    rest = _AFTERWORDS.sub("", " ".join(rest.split()))
    lines = re.split(rf" (?={code}[ -])", rest, maxsplit=_LINES)
    cleaned = (line.removeprefix(code).lstrip(" -") if index else line.lstrip("#") for index, line in enumerate(lines))
    return Said(int(code), enhanced, tuple(line.strip() for line in cleaned), stage)


# What a reporting server says where no server replied to it, in lower case. The first that matches counts.
_LOCAL: tuple[tuple[re.Pattern[str], Category, Weight], ...] = tuple(
    (re.compile("|".join(patterns)), category, weight)
    for category, weight, patterns in (
        (
            _C.DNS,
            Weight.SOFT,
            (
                r"host not found, try again",
                r"servfail",
                r"temporary (?:\w+ )?(?:dns|(?:mx )?lookup|resol)",
                r"dns lookup failure|lookup failed temporarily|host lookup did not complete",
            ),
        ),
        (
            _C.BAD_DOMAIN,
            Weight.HARD,
            (
                r"unrout(?:e)?able (?:mail )?(?:address|domain)",
                r"host or domain name not found",
                r"(?:domain|host)(?: name)? (?:not found|unknown|does(?: not|n't) exist|non-?existent)",
                r"(?:no such|unknown) (?:mail )?(?:domain|host)",
                r"nxdomain",
                r"nonexistentdomain",
                r"find (?:any host (?:named|by that name)|a mail exchanger)",
                r"null ?mx",
                r"all relevant mx records point to non-existent hosts",
                r"(?:mx|a) records? (?:\S+ ){0,4}(?:could not be found|not found)",
                r"recipient(?:'s)? domain (?:\S+ )?does not accept",
                r"domain (?:\S+ )?does not (?:accept|receive) (?:e-?)?mail",
                r"no (?:valid )?mx (?:or a )?(?:found|records?)|invalid domain|no mail hosts for domain",
                r"no mail servers? appears? to exist",
            ),
        ),
        (
            _C.QUOTA,
            Weight.BLOCKED,
            (
                r"quotaexceeded",
                r"quota exceeded",
                r"over (?:its |their )?quota",
                r"mail ?(?:box|folder)(?: \w+)? (?:is )?full",
                r"(?:not enough|insufficient) (?:disk )?space|space not enough",
                r"disk quota|quota violation",
                r"exceeded its quota",
            ),
        ),
        (
            _C.ROUTING,
            Weight.BLOCKED,
            (
                r"loops? back to (?:my|our|it)self",
                r"(?:mail|forwarding) loop",
                r"too many hops",
                r"loop ?detected",
                r"no route found",
                r"lowest numbered mx record points to local host",
            ),
        ),
        (_C.TLS, Weight.SOFT, (r"server certificate not (?:trusted|verified)", r"cannot start tls", r"tls handshake")),
        (
            _C.CONNECTION,
            Weight.SOFT,
            (
                r"connection (?:refused|timed out|reset|lost|failed|error|closed|could not)",
                r"lost connection",
                r"\bconnect to ",
                r"no route to host|network is unreachable|host is unreachable",
                r"establish an? (?:smtp )?connection",
                r"(?:unable|not able|could not|couldn't|cannot|failed) (?:to )?connect",
                r"did not (?:accept|respond|answer)",
                r"network error|server (?:\w+ )?unavailable",
                r"timed out",
            ),
        ),
        (
            _C.EXPIRED,
            Weight.SOFT,
            (
                r"envelope expired",
                r"queue\.expired",
                r"message expired",
                r"retry timeout exceeded|retry time not reached|failing for a long time",
                r"(?:delivery|queue|retry) (?:time|timeout|period) (?:\w+ )?(?:expired|exceeded|out)",
                r"(?:been|was) in the queue too long",
                r"could not (?:be delivered|deliver) (?:for|within|after)",
                r"gave up after",
                r"not been able to deliver",
            ),
        ),
    )
)


# the address or the domain that is not known is the sender's
_OF_SENDER = re.compile(r"\bsender(?:'s)? (?:address|domain|was)\b|domain of (?:the )?sender")


def _detail_of(reply: Said, status: str) -> str:
    """Return the enhanced code to judge by: the receiver's own, else the Status field where it says more than "failed".

    x.4.7 in Status says that time ran out, not why, and x.1.0 with a reply that something was wrong with an address; a
    class that contradicts the reply's was made up by the reporter.
    """
    if reply.enhanced:
        return reply.enhanced
    unsure = reply.code and (status.endswith(".1.0") or status[:1] != str(reply.code)[0])
    return "" if unsure or status.endswith((".0.0", ".4.7")) else status


def judge(reply: Said, status: str) -> Judgement:
    """Judge a final failure by the reply that a report repeats and by its Status field (either may be missing)."""
    detail = _detail_of(reply, status)
    shown = detail or status
    soft = reply.code // 100 == 4 or (reply.enhanced or "5")[0] == "4" or status[:1] == "4" or status == "5.4.7"
    if not reply.code:
        low = one_line(without_addresses(" ".join(reply.lines).lower()), _READ)
        for pattern, category, weight in _LOCAL:
            if pattern.search(low) and not (category is _C.BAD_DOMAIN and _OF_SENDER.search(low)):
                return Judgement(category, Weight.SOFT if soft else weight, shown)
        if not low and not detail:
            # a report that says nothing but "failed", or that time ran out; Exim says no more of a host that it never
            # reached, so 5.0.0 without a word is no refusal
            category = _C.EXPIRED if status.endswith(".4.7") else _C.OTHER
            return Judgement(category, Weight.SOFT if soft or status == "5.0.0" else Weight.BLOCKED, shown)
    # a code that no server uses: what is judged are the words and the enhanced code, never the meaning of a bare 550
    code = reply.code or (499 if soft else 599)
    if detail[:1] == "4" and code >= 500:
        code = 499  # Exchange: 550 4.4.7, where it gave up after 4.4.7
    lines = reply.lines if reply.code else (without_addresses(" ".join(reply.lines)),)
    if detail and not (lines and lines[0].startswith(detail)):
        lines = (f"{detail} {' '.join(lines)}".strip(),)
    verdict = classify(Outcome(Fate.REFUSED, reply.stage, Reply(code, lines)))
    category = verdict.category or _C.OTHER
    gave_up = _GAVE_UP.match(reply.text) if reply.code else soft and status.endswith(".4.7")
    if gave_up and category in (_C.OTHER, _C.POLICY):
        category, soft = _C.EXPIRED, True
    if soft or not verdict.permanent:
        return Judgement(category, Weight.SOFT, shown)
    return Judgement(category, Weight.HARD if status_of(verdict) is Status.BOUNCED else Weight.BLOCKED, shown)
