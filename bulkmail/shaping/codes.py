"""What codes mean where the words say nothing: enhanced status codes first, bare three-digit ones last."""

from __future__ import annotations

from bulkmail.mail import Category, Stage

_C = Category

# Enhanced codes (RFC 3463, the IANA registry "SMTP Enhanced Status Codes"), without their first digit.
ENHANCED: dict[str, Category] = {
    "1.0": _C.BAD_MAILBOX,
    "1.1": _C.BAD_MAILBOX,
    "1.2": _C.BAD_DOMAIN,  # the part after the @ does not exist or takes no mail
    "1.3": _C.BAD_MAILBOX,
    "1.4": _C.BAD_MAILBOX,
    "1.6": _C.INACTIVE_MAILBOX,  # moved, no forwarding address
    "1.7": _C.INVALID_SENDER,
    "1.8": _C.INVALID_SENDER,
    "1.10": _C.BAD_DOMAIN,  # null MX, RFC 7505
    "2.1": _C.INACTIVE_MAILBOX,
    "2.2": _C.QUOTA,
    "2.3": _C.TOO_LARGE,
    "2.4": _C.BAD_MAILBOX,  # a mailing list that cannot be expanded
    "3.1": _C.QUOTA,  # the mail system is full
    "3.2": _C.CONNECTION,  # the system takes no messages now
    "3.3": _C.PROTOCOL,
    "3.4": _C.TOO_LARGE,
    "3.5": _C.ROUTING,  # the system is configured wrongly
    "4.0": _C.CONNECTION,
    "4.1": _C.NO_ANSWER,
    "4.2": _C.CONNECTION,
    "4.3": _C.DNS,
    "4.4": _C.ROUTING,
    "4.5": _C.RATE_LIMITED,  # congestion
    "4.6": _C.ROUTING,  # a loop
    "4.7": _C.EXPIRED,
    "5.3": _C.RATE_LIMITED,  # too many recipients
    "7.8": _C.AUTHENTICATION,
    "7.9": _C.AUTHENTICATION,
    "7.10": _C.TLS,
    "7.11": _C.TLS,
    "7.12": _C.AUTHENTICATION,
    "7.13": _C.INACTIVE_MAILBOX,  # RFC 5248: the account is disabled
    "7.16": _C.TOO_LARGE,
    "7.17": _C.BAD_MAILBOX,  # RFC 7293: the mailbox has another owner now
    "7.18": _C.BAD_DOMAIN,  # RFC 7293: the domain has another owner now
    "7.20": _C.AUTHENTICATION,  # RFC 7372, DKIM: 20 to 22
    "7.21": _C.AUTHENTICATION,
    "7.22": _C.AUTHENTICATION,
    "7.23": _C.AUTHENTICATION,  # RFC 7372, SPF: 23 and 24
    "7.24": _C.AUTHENTICATION,
    "7.25": _C.AUTHENTICATION,  # RFC 7372, reverse DNS
    "7.26": _C.AUTHENTICATION,  # RFC 7372, several checks at once
    "7.27": _C.INVALID_SENDER,  # RFC 7505: the sender's domain takes no mail
    "7.28": _C.RATE_LIMITED,  # a flood of mail
    "7.29": _C.AUTHENTICATION,  # RFC 8617, ARC
    "7.30": _C.TLS,  # RFC 8689, REQUIRETLS
    "7.508": _C.RATE_LIMITED,  # Microsoft, 7.5xx: too much from this address
    "7.509": _C.AUTHENTICATION,  # DMARC
    "7.511": _C.SPAM_REPUTATION,
    "7.515": _C.AUTHENTICATION,  # the rules for bulk senders
}
# 5.7.x speaks of policy, authentication or reputation and never of a bad address: but for the three that say so.
ADDRESS_CODES = frozenset({"7.13", "7.17", "7.18"})
SUBJECTS: dict[str, Category] = {"5": _C.PROTOCOL, "6": _C.PROTOCOL, "7": _C.POLICY}

# Bare three-digit codes, last of all (RFC 5321 4.2.3, 7504, 4954); a stage in place of None where it matters.
BASIC: dict[tuple[int, Stage | None], Category] = {
    (421, None): _C.CONNECTION,
    (432, None): _C.AUTHENTICATION,
    (452, Stage.RCPT): _C.RATE_LIMITED,  # recipients over your limit (RFC 5321 4.5.3.1.10)
    (452, None): _C.QUOTA,
    (454, Stage.STARTTLS): _C.TLS,
    (454, None): _C.AUTHENTICATION,
    (500, None): _C.PROTOCOL,
    (501, None): _C.PROTOCOL,
    (502, None): _C.PROTOCOL,
    (503, None): _C.PROTOCOL,
    (504, None): _C.PROTOCOL,
    (521, Stage.RCPT): _C.BAD_DOMAIN,
    (523, None): _C.TLS,
    (530, None): _C.AUTHENTICATION,
    (534, None): _C.AUTHENTICATION,
    (535, None): _C.AUTHENTICATION,
    (538, None): _C.TLS,
    # at RCPT half of the field says 550 and 553 for a fault of the sender's, too: alone they are no bad mailbox
    (551, Stage.RCPT): _C.ROUTING,
    (552, Stage.RCPT): _C.RATE_LIMITED,  # RFC 821's code for too many recipients (RFC 5321 4.5.3.1.10)
    (552, None): _C.TOO_LARGE,
    (553, Stage.RCPT): _C.POLICY,
    (553, None): _C.INVALID_SENDER,
    (554, None): _C.POLICY,
    (550, None): _C.POLICY,
    (555, None): _C.PROTOCOL,
    (556, None): _C.BAD_DOMAIN,
}
