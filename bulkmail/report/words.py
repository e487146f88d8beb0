"""What each status and each category means to a reader who does not know SMTP, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from bulkmail.mail import Category, Status


class Words(NamedTuple):
    """A short title, what happened in a sentence, and what would help (``""`` where there is nothing to do)."""

    title: str
    sentence: str
    remedy: str


STATUS_WORDS: dict[Status, Words] = {
    Status.DELIVERED: Words(
        "Delivered",
        "The recipient's mail server confirmed that it has taken the message.",
        "",
    ),
    Status.BOUNCED: Words(
        "Bounced",
        "The address is no good: no such mailbox, a closed account, or a domain that takes no mail.",
        "Take these addresses off your list; writing to them again harms your reputation.",
    ),
    Status.BLOCKED: Words(
        "Blocked",
        "The mail server refused the message for a reason that lies not with the address: its rules, our sender, or "
        "the content.",
        "Keep these people on your list; see the reasons below for what to put right.",
    ),
    Status.EXPIRED: Words(
        "Gave up",
        "The mail server put us off again and again until the time for trying ran out.",
        "Keep these people on your list and write to them again later.",
    ),
    Status.SUPPRESSED: Words(
        "Left out on purpose",
        "The address or its domain is on a list of people not to be mailed, so nothing was sent.",
        "",
    ),
    Status.DUPLICATE: Words(
        "Repeated in the list",
        "The same address stands further up in the list, and each person is written to once.",
        "",
    ),
    Status.INVALID: Words(
        "Could not be used",
        "The row has no usable address, or the message could not be made from its values, so nothing was sent.",
        "Correct these rows in the list; the report says for each one what is wrong.",
    ),
    Status.CANCELLED: Words(
        "Cancelled",
        "The campaign was cancelled before this message was sent.",
        "",
    ),
    Status.UNKNOWN: Words(
        "Not known",
        "The message was handed over, but the line went dead before the mail server confirmed it. These people may or "
        "may not have it; we do not count them as delivered.",
        "If it matters, ask them; sending again could reach some of them twice.",
    ),
    Status.PENDING: Words(
        "Waiting their turn",
        "Not tried yet.",
        "",
    ),
    Status.DEFERRED: Words(
        "Trying again soon",
        "The mail server asked us to come back later, or could not be reached. We keep trying.",
        "",
    ),
}

TAKEN_BY_RELAY = Words(
    "Taken by the relay",
    "The relay confirmed that it has taken the message and will pass it on. Whether it reached the mailbox, the relay "
    "knows.",
    "Look into the relay's own records for what became of these.",
)

CATEGORY_WORDS: dict[Category, Words] = {
    Category.BAD_MAILBOX: Words(
        "The mailbox does not exist",
        "The mail server knows no such person. Most often a typing mistake, or a person who has left.",
        "Take these addresses off your list, or correct the spelling.",
    ),
    Category.INACTIVE_MAILBOX: Words(
        "The mailbox is closed",
        "The account was disabled, or abandoned for a long time.",
        "Take these addresses off your list.",
    ),
    Category.BAD_DOMAIN: Words(
        "The domain takes no mail",
        "What stands after the @ does not exist, or its owner says that it receives no mail.",
        "Check for typing mistakes such as gmial.com; take the rest off your list.",
    ),
    Category.QUOTA: Words(
        "The mailbox is full",
        "There is no room left in the recipient's mailbox.",
        "Try again in some weeks; a mailbox that stays full is no longer used.",
    ),
    Category.RATE_LIMITED: Words(
        "We were asked to slow down",
        "The receiver takes only so much mail from us at a time. We slow down by ourselves and try again.",
        "Nothing, while we keep trying. If it lasts, spread large campaigns over more hours or days.",
    ),
    Category.GREYLISTED: Words(
        "Asked to knock twice",
        "Some receivers turn every stranger away once and take the mail some minutes later. That is routine.",
        "Nothing: it is tried again on its own. If it never gets through, show the reply to your mail operator.",
    ),
    Category.SPAM_CONTENT: Words(
        "It looked like spam",
        "The receiver's filter did not like what the message says or links to.",
        "Look at the subject, links and pictures: no link shorteners, no shouting, a text version, links to your own "
        "domain.",
    ),
    Category.SPAM_REPUTATION: Words(
        "Our address has a bad name there",
        "The receiver distrusts the sending server or domain: too many complaints or bad addresses before, or an entry "
        "on a block list.",
        "Stop sending there for now, write only to people who asked for it, and let your mail operator look up the "
        "block list named in the reply.",
    ),
    Category.POLICY: Words(
        "Against the receiver's rules",
        "The receiver's own rules do not let this message in.",
        "Read the reply: it usually names the rule or has a link to it. Your mail operator can ask the receiver for an "
        "exception.",
    ),
    Category.AUTHENTICATION: Words(
        "Could not prove who sent it",
        "SPF, DKIM or DMARC of the sending domain are missing or do not match the From address.",
        "Let your mail operator put the domain's SPF, DKIM and DMARC records right before the next campaign.",
    ),
    Category.INVALID_SENDER: Words(
        "The sender's address was refused",
        "The receiver does not accept the address that the message comes from.",
        "Check that the sender's address exists and that its domain can receive mail.",
    ),
    Category.TOO_LARGE: Words(
        "The message is too large",
        "The receiver takes no message of this size.",
        "Make pictures and attachments smaller, or link to them.",
    ),
    Category.PROTOCOL: Words(
        "The mail server did not follow the rules",
        "The two servers did not understand each other.",
        "If it concerns many people, show the reply to your mail operator.",
    ),
    Category.ROUTING: Words(
        "The receiver's mail system is set up wrongly",
        "Its servers send the mail in circles, or say that they are not responsible for the domain.",
        "Nothing on our side: only the receiver's own operator can put that right.",
    ),
    Category.DNS: Words(
        "The domain could not be looked up",
        "The domain's name servers gave no answer, so we could not find its mail server.",
        "Nothing, while we keep trying. If it stays so, check the domain's spelling.",
    ),
    Category.CONNECTION: Words(
        "The mail server could not be reached",
        "None of the domain's mail servers took our call.",
        "Nothing, while we keep trying. If it stays so, the domain may have been given up.",
    ),
    Category.NO_ANSWER: Words(
        "The line went dead",
        "The mail server stopped answering in the middle of the conversation.",
        "Nothing, while we keep trying. Where only the confirmation was lost, see “Not known” above.",
    ),
    Category.TLS: Words(
        "No safe connection",
        "An encrypted connection is required here and could not be made.",
        "If it concerns many people, show the reply to your mail operator.",
    ),
    Category.VIRUS: Words(
        "Taken for a virus",
        "The receiver's scanner found something dangerous in the message or behind its links.",
        "Stop and check the attachments and the pages that you link to before sending any more.",
    ),
    Category.EXPIRED: Words(
        "Out of time",
        "It could not be delivered before the time for trying ran out.",
        "Write to these people again later.",
    ),
    Category.SCHEDULE: Words(
        "Not sent in time",
        "The campaign's schedule was over before its turn came; nothing is wrong with the address.",
        "Send to these people in another campaign, with more time or a higher rate.",
    ),
    Category.TEMPLATE: Words(
        "The message could not be made",
        "The template did not work with the values of this row.",
        "Correct the row, or give the template a default for what may be missing.",
    ),
    Category.INVALID_ADDRESS: Words(
        "Not a mail address",
        "What stands in the email column is not an address that mail can be sent to.",
        "Correct these rows in the list.",
    ),
    Category.BAD_ROW: Words(
        "The row of the list is broken",
        "It could not be read: too many cells, a quote out of place, characters that do not belong there.",
        "Correct the row as its reason says: it names the line and the fault.",
    ),
    Category.NO_CONSENT: Words(
        "May not be mailed",
        "The list itself says in a column that this person may not be mailed; nothing was sent.",
        "Nothing is to be done. The reply names the column; `consent` in campaign.yaml says which one counts.",
    ),
    Category.HOLD_OUT: Words(
        "Held out",
        "This person belongs to a group that gets no message, so that the others can be compared with it.",
        "Nothing is to be done; `variants` in campaign.yaml says how large the group is.",
    ),
    Category.UNSUBSCRIBED: Words(
        "Has unsubscribed",
        "This person has asked not to get this list's mail any more; nothing was sent.",
        "Nothing is to be done; take these people off your list.",
    ),
    Category.COMPLAINED: Words(
        "Has complained",
        "This person has called an earlier message spam; nothing was sent.",
        "Take these people off your list, and look at how they came to be on it.",
    ),
    Category.BOUNCED_BEFORE: Words(
        "An earlier message came back",
        "Mail to this address could not be delivered before; nothing was sent.",
        "Take these addresses off your list, or correct the spelling.",
    ),
    Category.LISTED: Words(
        "Listed as not to be mailed",
        "Your mail operator has listed the address or its domain as not to be mailed; nothing was sent.",
        "Nothing is to be done; the reply tells where it was listed.",
    ),
    Category.OTHER: Words(
        "Another reason",
        "The receiver gave a reason that fits none of the usual ones.",
        "Read the reply below; it is in the receiver's own words.",
    ),
}

_PROVIDERS = {
    "google": "Google (Gmail and Workspace)",
    "yahoo": "Yahoo and AOL",
    "outlook": "Microsoft (Outlook.com, Hotmail)",
    "office365": "Microsoft 365 (companies)",
    "apple": "Apple (iCloud)",
    "comcast": "Comcast",
    "mimecast": "Mimecast",
    "orange": "Orange",
    "gmx": "GMX and WEB.DE",
    "yahoo-jp": "Yahoo Japan",
    "qq": "Tencent (QQ)",
    "netease": "NetEase (163.com, 126.com)",
    "barracuda": "Barracuda",
    "relay": "The relay",
}

_STATES = {
    "new": "Getting ready",
    "importing": "Reading the list",
    "running": "Sending now",
    "sending": "Sending now",
    "waiting": "Waiting to try again",
    "faulty": "Cannot send now",
    "paused": "Paused",
    "waiting for approval": "Waiting for approval",
    "scheduled": "Scheduled",
    "stopped": "Stopped before the end",
    "done": "Finished",
    "finished": "Finished",
    "cancelling": "Being cancelled",
    "cancelled": "Cancelled",
    "refused": "Refused",
}


def status_words(status: str, *, via_relay: bool = False) -> Words:
    """Return the words for a status; one that is not ours is shown as it is."""
    if via_relay and status == Status.DELIVERED:
        return TAKEN_BY_RELAY
    try:
        return STATUS_WORDS[Status(status)]
    except ValueError:
        return Words(status, "", "")


def category_words(category: str) -> Words:
    """Return the words for a category; one that is not ours is shown as it is, with the words for "other"."""
    try:
        return CATEGORY_WORDS[Category(category)]
    except ValueError:
        other = CATEGORY_WORDS[Category.OTHER]
        return Words(category, other.sentence, other.remedy)


def provider_name(provider: str) -> str:
    """Return a provider's name as people know it; ``""`` stands for all the domains that belong to none."""
    return _PROVIDERS.get(provider, provider) or "All other domains"


def state_words(state: str) -> str:
    """Return a campaign's state in two words; one that is not known here is shown as it is."""
    return _STATES.get(state, state)


def late_words(late: Mapping[str, int]) -> str:
    """Return what came back after the messages were taken, as ``12 came back later, 3 complained``; "" for nothing."""
    words = {"returned": "came back later", "complained": "complained", "unsubscribed": "unsubscribed"}
    return ", ".join(f"{late[name]:,} {what}" for name, what in words.items() if late.get(name))
