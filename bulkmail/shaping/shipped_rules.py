"""The rules that are shipped: what large providers say when slowing down is not enough.

Words about the rate and about too many connections are heard without rules (`limiter`). These here stand for what that
does not bring about: a receiver that has judged us and takes nothing for a while, or one whose own limit is known.
Resting then costs no recipient an attempt, and ends the complaints which such receivers count. The words and the times
for which receivers keep to them are what senders report, as KumoMTA's community collects them (`assets/community`
and `assets/policy-extras` of its repository), and what the providers' own pages say:

- Gmail: https://support.google.com/a/answer/3726730 (SMTP error reference), 4.7.28
- Yahoo: https://senders.yahooinc.com/smtp-error-codes/
- Outlook.com: https://sendersupport.olc.protection.outlook.com/pm/troubleshooting
- Comcast: https://postmaster.comcast.net/smtp-error-codes.php
- GMX and WEB.DE: https://postmaster.gmx.net/en/error-messages
- QQ: https://service.mail.qq.com, NetEase: https://mail.163.com (their pages of returned messages)
"""

from __future__ import annotations

from bulkmail.mail import Rate, Scope, parse_pattern
from bulkmail.shaping.rules import Rule, RuleAction

_M, _H = 60.0, 3600.0
_A_MINUTE = Rate(1, 60.0, 1)
_TEN_A_MINUTE = Rate(10, 60.0, 1)


def _rest(seconds: float) -> RuleAction:
    return RuleAction(lasts=seconds, rest=seconds)


_CRAWL = RuleAction(lasts=90 * _M, rate=_A_MINUTE, connections=1)
_MICROSOFT = "outlook office365"

# words about the rate that a receiver which takes a part of our rate says too: their rules act only where nothing was
# accepted between them (`Rule.in_a_row`), for then slowing down does not help
_IN_A_ROW = frozenset(
    {
        "our system has detected an unusual rate",
        r"/\[(?:ts|tss|ipts)04\]/",
        "has been temporarily rate limited",
        "server busy. please try again later",
        "/RL0000[0-9]{2}/",
    }
)

# providers, the words, how often within an hour, what is done
_SHIPPED: tuple[tuple[str, str, int, RuleAction], ...] = (
    ("google", "our system has detected an unusual rate", 5, _rest(1 * _H)),
    ("google", "our system has detected that this message", 5, _rest(1 * _H)),
    ("yahoo yahoo-jp", r"/\[(?:ts|tss|ipts)04\]/", 10, _rest(2 * _H)),
    ("yahoo yahoo-jp", r"/\[(?:ts|tss|ipts)05\]/", 2, _rest(4 * _H)),
    ("yahoo", "[TS02]", 3, RuleAction(lasts=30 * _M, rate=_A_MINUTE)),
    ("yahoo", "[TS03]", 3, RuleAction(lasts=30 * _M, rate=_TEN_A_MINUTE)),
    ("yahoo", "553 5.7.1 [BL", 5, _rest(2 * _H)),
    ("yahoo", "max message per connection reached", 3, RuleAction(lasts=1 * _H, messages=10)),
    ("yahoo-jp", "VS98-IP0 deferred", 2, _rest(1 * _H)),
    (_MICROSOFT, "part of their network is on our block list", 5, _rest(2 * _H)),
    (_MICROSOFT, "access denied, please try again later", 5, _rest(1 * _H)),
    (_MICROSOFT, "has been temporarily rate limited", 3, _rest(30 * _M)),
    (_MICROSOFT, "server busy. please try again later", 3, RuleAction(lasts=15 * _M, slower=0.25)),
    (_MICROSOFT, "server busy. please try again later", 10, _rest(30 * _M)),
    (_MICROSOFT, "maximum number of messages per connection", 2, RuleAction(lasts=1 * _H, messages=2)),
    ("outlook", "temporary server error. please try again later", 5, _rest(1 * _H)),
    ("apple", "[HCM1]", 3, _rest(15 * _M)),
    ("apple", "[BS02]", 5, _rest(15 * _M)),
    ("apple", "service unavailable - try again later", 5, _rest(15 * _M)),
    ("apple", "spamhaus dbl", 3, _rest(4 * _H)),
    ("orange", "/trop de connexions/", 3, RuleAction(lasts=1 * _H, connections=1)),
    ("orange", "service refuse", 3, _rest(1 * _H)),
    ("orange", "client host blocked for spamming issues", 5, _rest(2 * _H)),
    ("comcast", "RL000010", 1, _rest(5 * _M)),
    ("comcast", "/RL0000[0-9]{2}/", 5, RuleAction(lasts=2 * _H, slower=0.5)),
    ("gmx", "reject due to policy violations", 5, _rest(1 * _H)),
    ("gmx", "reject due to policy restrictions", 5, RuleAction(lasts=1 * _H, rate=_A_MINUTE)),
    ("gmx", "reject due to policy restrictions", 10, _rest(2 * _H)),
    ("mimecast", "internal resource temporarily unavailable", 3, _rest(30 * _M)),
    ("qq", "/550 (?:sender|ip|connection|domain) frequency limited/", 5, _rest(1 * _H)),
    ("qq", "550 mail content denied", 5, _rest(1 * _H)),
    ("netease", "451 DT:SPM", 5, _rest(15 * _M)),
    ("netease", "554 DT:SPM", 2, RuleAction(lasts=1 * _H, connections=1)),
    ("netease", "550 RP:ORQ", 2, _rest(1 * _H)),  # the day's limit is reached
    ("netease", "554 HL:ITC", 2, _rest(1 * _H)),
    # filters of many receivers, behind which the same few products stand
    ("", "/messages from .{1,60} temporarily deferred/", 1, _CRAWL),
    ("", "/all messages from .{1,60} will be permanently deferred/", 1, _CRAWL),
    ("", "temporarily rate limited due to ip reputation", 1, _CRAWL),
    ("", "/messages from .{1,60} weren't sent/", 1, _CRAWL),
)

SHIPPED_RULES = tuple(
    Rule(
        f"shipped rule {number} ({words})",
        Scope(frozenset(providers.split())),
        parse_pattern(words),
        action,
        times,
        in_a_row=words in _IN_A_ROW,
    )
    for number, (providers, words, times, action) in enumerate(_SHIPPED, 1)
)
