"""What a refusal means: its category, whether it is permanent, and its signal for the limiter.

The order of precedence: a category set by our own code; plain words; the enhanced code; vague words; the bare code; the
stage. Words come before codes, because many servers send 550 for everything. Two rules stand above the words: a 4xx is
never permanent, and 5.7.x is never a bad address (a list cleaned by such replies loses good recipients).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from bulkmail.mail import Category, Fate, Outcome, Reply, Stage, Status
from bulkmail.shaping.codes import ADDRESS_CODES, BASIC, ENHANCED, SUBJECTS
from bulkmail.shaping.phrase import Phrase, plain_words
from bulkmail.shaping.phrases import NO_SERVER, PLAIN, VAGUE

_ADDRESS = frozenset({Category.BAD_MAILBOX, Category.INACTIVE_MAILBOX, Category.BAD_DOMAIN})
_STAGES = {Stage.DNS: Category.DNS, Stage.STARTTLS: Category.TLS, Stage.AUTH: Category.AUTHENTICATION}
_CAP = 300  # characters of a reply that are judged: a hostile server must not cost CPU time with long ones
_REMEMBERED = 1000  # verdicts, of the last different replies

# "try again later", "temporarily": a 5xx that says so is not meant for ever
_LATER = re.compile(
    r"(?:try|retry|resend|send|attempt|wait|deliver)(?:ing|y)?\b(?: \S+){0,5}?"
    r" (?:later|in (?:a|some|\d+) ?(?:few )?(?:s|min|hour))"
    r"|try(?:ing)? again\b(?! with)|temporarily"
    r"|temporary (?:failure|error|problem|reject|block|defer|condition|issue|local)",
    re.ASCII,
)
# the words greylisting servers use beside 450 and 451 when they do not say "greylisted"
_COME_BACK = re.compile(
    r"(?:try|retry|come back|resend|wait)\b.{0,40}?(?:again|later|minute|second|\d)|deferred|delayed", re.ASCII
)
# what a reply about the recipient does not mention: where it does, and no code says otherwise, no address is blamed
_OURS = re.compile(
    r"\b(?:senders?|originator|envelope|bounce address|return[- ]path|mail from|helo|ehlo|ptr|spf|dkim|dmarc|rcpthosts"
    r"|relay(?:ing|ed)?(?! recipient)|client host|(?:server|host) (?:of|for)|spam|policy|policies|reputation"
    r"|white ?list"
    r"|sending (?:account|user|address|mailbox|server|host|ip|domain|system)"
    r"|your (?:\w+ )?(?:ip|server|host|domain|network|address|client|mta|isp|account|mailbox|user|region|country"
    r"|provider|system))\b",
    re.ASCII,
)
# An enhanced code that stands not at the start, as qmail "(#5.1.1)", IronPort "#5.1.0" and a relayed reply say it
_ENHANCED_INSIDE = re.compile(r"(?:[(\[]#?|#|\b[45]\d\d[ -])([45])\.(\d{1,3}\.\d{1,3})(?![\d.]*\d)")
_TIME = re.compile(r"\b(\d{1,5}) ?(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)\b", re.ASCII)
_CLOCK = re.compile(r"\b(\d{1,2}):(\d{2}):(\d{2})\b", re.ASCII)
_UNIT = {"s": 1.0, "m": 60.0, "h": 3600.0}
_WAIT_MIN, LONGEST_NAMED = 1.0, 4 * 3600.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an outcome means.

    ``category`` is None only where there is nothing to explain (accepted). ``signal`` is for the lane: ``rate``,
    ``connections``, ``greylist`` or ``""``. ``wait``: seconds that a greylisting reply asked for, 1 s to 4 h.
    """

    category: Category | None
    permanent: bool
    signal: str = ""
    wait: float | None = None


_NOTHING_WRONG = Verdict(None, permanent=False)


def status_of(verdict: Verdict) -> Status:
    """Return the status of a verdict: ``bounced`` only for the address's own permanent faults, else ``blocked``."""
    if not verdict.permanent:
        return Status.DEFERRED
    return Status.BOUNCED if verdict.category in _ADDRESS else Status.BLOCKED


def named_wait(text: str) -> float | None:
    """Return the seconds that a reply (in lower case) names: "in 300 seconds", "5 min", "00:05:00"; from 1 s to 4 h."""
    found = _CLOCK.search(text)
    if found is not None:
        hours, minutes, seconds = (int(part) for part in found.groups())
        named = hours * 3600.0 + minutes * 60.0 + seconds
    else:
        found = _TIME.search(text)
        if found is None:
            return None
        named = int(found[1]) * _UNIT[found[2][0]]
    return min(LONGEST_NAMED, max(_WAIT_MIN, named))


def _first(phrases: tuple[Phrase, ...], text: str, *, address: bool) -> Phrase | None:
    for phrase in phrases:
        if (address or phrase.category not in _ADDRESS) and phrase.pattern.search(text):
            return phrase
    return None


def _by_enhanced(detail: str) -> Category | None:
    return ENHANCED.get(detail) or SUBJECTS.get(detail.partition(".")[0])


def _by_code(code: int, stage: Stage) -> Category | None:
    return BASIC.get((code, stage)) or BASIC.get((code, None))


def _start_of(lines: tuple[str, ...]) -> str:
    """Return the first characters of a reply, as many as are judged."""
    text = ""
    for line in lines:
        text += line[:_CAP] + " "
        if len(text) >= _CAP:
            break
    return text[:_CAP]


def _detail(reply: Reply, text: str) -> str:
    """Return the enhanced code without its class, "1.1": the one that the reply starts with, else one inside it."""
    if reply.enhanced:
        return reply.enhanced.partition(".")[2]
    found = _ENHANCED_INSIDE.search(text)
    return found[2] if found is not None and int(found[1]) == reply.code // 100 else ""


def _read(reply: Reply, stage: Stage, unnamed: Category, *, lasting: bool) -> Verdict:
    """Return the meaning of a 4xx or 5xx; ``unnamed`` where nothing in it says why. ``lasting``: whether a 5xx is."""
    text = plain_words(_start_of(reply.lines))
    return _judge(reply.code, _detail(reply, text), text, stage, unnamed, lasting)


@lru_cache(_REMEMBERED)
def _judge(code: int, detail: str, text: str, stage: Stage, unnamed: Category, lasting: bool) -> Verdict:
    transient = not lasting or code < 500 or detail == "5.3" or _LATER.search(text) is not None
    # 555 to MAIL is about a parameter that the server had offered to take (RFC 5321 4.1.1.11): another host may mean it
    transient = transient or (code == 555 and stage is Stage.MAIL)
    # 552 to RCPT is RFC 821's "too many recipients" (RFC 5321 4.5.3.1.10), where no enhanced code names another reason
    transient = transient or (code == 552 and stage is Stage.RCPT and detail in ("", "0.0"))
    # 5.7.x is never about the address, whatever the words
    about_address = not detail.startswith("7.") or detail in ADDRESS_CODES
    about_address = about_address and (detail[:2] in ("1.", "2.") or _OURS.search(text) is None)
    signal = ""
    phrase = _first(PLAIN, text, address=about_address)
    if phrase is None:
        category = _by_enhanced(detail)
        if category in (None, Category.POLICY) and _greylisting(code, detail, text):
            category, signal = Category.GREYLISTED, "greylist"
        if category is None:
            # 521 in place of a greeting has one meaning, however it is worded: this host takes no mail (RFC 7504 3)
            takes_no_mail = code == 521 and not lasting
            vague = None if takes_no_mail else _first(VAGUE, text, address=about_address)
            # where no conversation came about, the stage says more than a bare 554
            by_code = _by_code(code, stage) if lasting else None
            category = vague.category if vague is not None else by_code or unnamed
    else:
        # in place of a greeting it says that the host takes no mail: nothing of us, and nothing of a recipient
        category = unnamed if phrase is NO_SERVER and not lasting else phrase.category
        signal = phrase.signal
        transient = transient or phrase.transient
    if stage is Stage.MAIL and category in _ADDRESS:
        category = Category.INVALID_SENDER  # at MAIL the server has not heard of the recipient yet
    wait = named_wait(text) if signal == "greylist" else None
    return Verdict(category, not transient, signal if transient else "", wait)


def _greylisting(code: int, detail: str, text: str) -> bool:
    """Return whether it is 450 or 451 with 4.7.1, or no detail, and the usual words (RFC 6647)."""
    return code in (450, 451) and detail in ("7.1", "7.0", "") and _COME_BACK.search(text) is not None


def _lost(outcome: Outcome) -> Verdict:
    """Judge a connection that broke or was never made. Never permanent: another host or a later try may work."""
    unnamed = _STAGES.get(outcome.stage, Category.CONNECTION)
    if outcome.reply is not None and 400 <= outcome.reply.code <= 599:
        verdict = _read(outcome.reply, outcome.stage, unnamed, lasting=False)
        # 454 4.7.0 and 501 5.5.4 to STARTTLS name no policy and no fault of ours: it is TLS that cannot be had
        if outcome.stage is Stage.STARTTLS and verdict.category in (Category.POLICY, Category.PROTOCOL):
            return replace(verdict, category=Category.TLS)
        return verdict
    if outcome.reply is not None:
        return Verdict(Category.PROTOCOL, permanent=False)
    if "timed out" in outcome.note and unnamed is Category.CONNECTION:
        return Verdict(Category.NO_ANSWER, permanent=False)
    return Verdict(unnamed, permanent=False)


def classify(outcome: Outcome) -> Verdict:
    """Judge an outcome. It may be one that is no attempt: its reply may carry a signal all the same."""
    if outcome.category is not None:
        return Verdict(outcome.category, outcome.permanent)
    if outcome.fate is Fate.ACCEPTED:
        return _NOTHING_WRONG
    if outcome.fate is Fate.UNKNOWN:
        return Verdict(Category.NO_ANSWER, permanent=False)
    if outcome.reply is None or outcome.fate is Fate.LOST:
        return _lost(outcome)
    code = outcome.reply.code
    if not 400 <= code <= 599:
        return Verdict(Category.PROTOCOL, permanent=False)  # 850, or 299 to MAIL: no answer that means anything
    return _read(outcome.reply, outcome.stage, Category.OTHER, lasting=True)
