"""Reports in the public layouts of large providers and older programs, each with what it says.

Each is a message, the kind, and of each recipient the address, the category and the weight.
"""

from __future__ import annotations

from bulkmail.mail import Category
from bulkmail.returns import Kind, Weight
from tests.returns.samples import HEADER, PATH, octets

_MULTIPART = 'MIME-Version: 1.0\nContent-Type: multipart/{}; boundary="v1"\n\n'
_REPORT = _MULTIPART.format("report; report-type=delivery-status")


def _message(top: str, *parts: str) -> bytes:
    body = "".join(f"--v1\n{part}\n" for part in parts)
    return octets(f"To: {PATH}\n{top}{body}--v1--\n")


def _status(*fields: str) -> str:
    return "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mta.example\n\n" + "".join(
        f"{field}\n" for field in fields
    )


_COPY = f"Content-Type: message/rfc822\n\n{HEADER}"
_WHO = "nobody@d.example"
_FINAL = f"Final-Recipient: rfc822; {_WHO}"
_BAD = (_WHO, Category.BAD_MAILBOX, Weight.HARD)

_GMAIL = "From: Mail Delivery Subsystem <mailer-daemon@googlemail.example>\nAuto-Submitted: auto-replied\n"
_OFFICE = 'From: "Microsoft Outlook"\n <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@corp.example>\n'

VENDORS = {
    "gmail": (
        _message(
            f"{_GMAIL}X-Failed-Recipients: {_WHO}\nSubject: Delivery Status Notification (Failure)\n{_REPORT}",
            'Content-Type: multipart/related; boundary="r1"\n\n--r1\n'
            'Content-Type: multipart/alternative; boundary="a1"\n\n'
            "--a1\nContent-Type: text/plain; charset=UTF-8\n\n** Address not found **\n\n"
            f"Your message wasn't delivered to {_WHO} because the address couldn't be found, or is unable to"
            f" receive mail.\n"
            "\nThe response was:\n\n550 5.1.1 The email account that you tried to reach does not exist.\n"
            "--a1\nContent-Type: text/html\n\n<p>x</p>\n--a1--\n--r1\nContent-Type: image/png; name=icon.png\n"
            "Content-Transfer-Encoding: base64\n\niVBORw0KGgo=\n--r1--\n",
            _status(
                _FINAL,
                "Action: failed",
                "Status: 5.1.1",
                "Remote-MTA: dns; mx.d.example. (192.0.2.1, the server for the domain d.example.)",
                "Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist."
                " Please try\n"
                " 550-5.1.1 double-checking the recipient's email address for typos or\n"
                " 550 5.1.1 unnecessary spaces. 4fb4d7f45d1cf - gsmtp",
                "Last-Attempt-Date: Tue, 01 Dec 2026 03:00:00 -0800 (PST)",
            ),
            _COPY,
        ),
        Kind.FAILED,
        [_BAD],
    ),
    "gmail, delay": (
        _message(
            f"{_GMAIL}Subject: Delivery Status Notification (Delay)\n{_REPORT}",
            f"Content-Type: text/plain\n\n** Delivery incomplete **\n\nThere was a temporary problem for {_WHO}.\n",
            _status(
                _FINAL, "Action: delayed", "Status: 4.4.1", "Will-Retry-Until: Thu, 03 Dec 2026 03:00:00 -0800 (PST)"
            ),
            _COPY,
        ),
        Kind.DELAYED,
        [(_WHO, None, None)],
    ),
    "microsoft 365": (
        _message(
            f"{_OFFICE}Subject: Undeliverable: spring\nX-MS-Exchange-Message-Is-Ndr:\n{_REPORT}",
            "Content-Type: text/html; charset=utf-8\n\n<html><style>p {color: red}</style><p>Your message to "
            f"<b>{_WHO}</b> couldn't be delivered.</p></html>\n",
            _status(
                f"Final-Recipient: rfc822;{_WHO}",
                "Action: failed",
                "Status: 5.4.1",
                "Diagnostic-Code: smtp;550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [x.example]",
                "Remote-MTA: dns;mx.d.example",
            ),
            _COPY,
        ),
        Kind.FAILED,
        [_BAD],
    ),
    "microsoft 365, Spanish, a policy": (
        _message(
            f"{_OFFICE}Subject: =?utf-8?Q?No_se_puede_entregar=3A_primavera?=\n{_REPORT}",
            "Content-Type: text/plain; charset=utf-8\n\nNo se pudo entregar el mensaje.\n",
            _status(
                f"Final-Recipient: rfc822;{_WHO}",
                "Action: failed",
                "Status: 5.7.1",
                "Diagnostic-Code: smtp;550 5.7.1 TRANSPORT.RULES.RejectMessage; the message was rejected by"
                " organization"
                " policy",
            ),
            _COPY,
        ),
        Kind.FAILED,
        [(_WHO, Category.POLICY, Weight.BLOCKED)],
    ),
    "exchange, given up": (
        _message(
            f"From: postmaster@corp.example\nSubject: Unzustellbar: x\n{_REPORT}",
            "Content-Type: text/plain; charset=utf-8\n\nFehler.\n",
            _status(
                _FINAL,
                "Action: failed",
                "Status: 4.4.7",
                "Diagnostic-Code: smtp;550 4.4.7 QUEUE.Expired; message expired",
            ),
        ),
        Kind.FAILED,
        [(_WHO, Category.EXPIRED, Weight.SOFT)],
    ),
    "yahoo, no status part": (
        _message(
            f"From: MAILER-DAEMON@yahoo.example\nSubject: Failure Notice\n{_REPORT}",
            "Content-Type: text/plain; charset=UTF-8\n\nSorry, we were unable to deliver your message to the"
            " following"
            f" address.\n\n<{_WHO}>:\n550: 5.1.1 <{_WHO}>: Recipient address rejected: User unknown\n\n"
            "---------- Forwarded message ----------\n",
            _COPY,
        ),
        Kind.FAILED,
        [_BAD],
    ),
    "zoho": (
        _message(
            f"From: mailer-daemon@mail.zoho.example\nSubject: Undelivered Mail Returned to Sender\n"
            f"{_MULTIPART.format('mixed')}",
            "Content-Type: text/plain; charset=UTF-8\n\nThis message was created automatically by mail"
            " delivery software.\n"
            " A message that you sent could not be delivered to one or more of its recipients. This is a"
            " permanent error.\n\n"
            f"{_WHO}, ERROR CODE :550 - 5.1.1 User unknown in virtual mailbox table\n\n",
            _COPY,
        ),
        Kind.FAILED,
        [_BAD],
    ),
    "1&1": (
        octets(
            f"From: Mail Delivery System <mailer-daemon@kundenserver.example>\nTo: {PATH}\n"
            "Subject: Mail delivery failed: returning message to sender\n\n"
            "This message was created automatically by mail delivery software.\n\n"
            "A message that you sent could not be delivered to\n"
            "one or more of its recipients. This is a permanent error.\n\n"
            f'The following address failed:\n\n    "{_WHO}":\n        SMTP error from remote server for RCPT'
            f" TO command, host:"
            " mx.d.example (192.0.2.1) reason: 550 Requested action not taken: mailbox unavailable\n\n\n"
            f"--- The header of the original message is following. ---\n\n{HEADER}"
        ),
        Kind.FAILED,
        [_BAD],
    ),
    "domino": (
        _message(
            f"From: Postmaster@corp.example\nSubject: DELIVERY FAILURE: User joe not listed in Domino"
            f" Directory\n{_REPORT}",
            "Content-Type: text/plain; charset=US-ASCII\n\nYour message\n\n  Subject: spring\n\n"
            "was not delivered to:\n\n"
            f"  {_WHO}\n\nbecause:\n\n  User joe ({_WHO}) not listed in Domino Directory\n",
            _status(
                f"Final-Recipient: rfc822;{_WHO}",
                "Action: failed",
                "Status: 5.1.1",
                f"Diagnostic-Code: X-Notes; User joe ({_WHO}) not listed in Domino Directory",
            ),
            _COPY,
        ),
        Kind.FAILED,
        [_BAD],
    ),
    "amazon": (
        _message(
            f"From: MAILER-DAEMON@ses.example\nSubject: Delivery Status Notification (Failure)\n{_REPORT}",
            "Content-Type: text/plain; charset=us-ascii\n\nAn error occurred while trying to deliver the mail to the"
            f" following recipients:\n{_WHO}\n",
            _status(
                _FINAL,
                "Action: failed",
                "Diagnostic-Code: smtp; 552 5.2.2 The email account that you tried to reach is over quota.",
                "Status: 5.2.2",
            ),
            _COPY,
        ),
        Kind.FAILED,
        [(_WHO, Category.QUOTA, Weight.BLOCKED)],
    ),
    "mimecast": (
        _message(
            f"From: Postmaster@gateway.example\nSubject: [Postmaster] Email Delivery Failure\n{_REPORT}",
            "Content-Type: text/plain\n\nThis is a delivery failure notification message.\n",
            _status(
                _FINAL,
                "Action: failed",
                "Status: 5.0.0",
                "Diagnostic-Code: smtp; 550 Administrative prohibition - envelope blocked -"
                " https://gateway.example/DOC#550",
            ),
            _COPY,
        ),
        Kind.FAILED,
        [(_WHO, Category.POLICY, Weight.BLOCKED)],
    ),
    "exchange, away": (
        octets(
            f"From: Joe <joe@corp.example>\nTo: {PATH}\nSubject: =?iso-8859-1?Q?Automatische_Antwort:_Fr=FChling?=\n"
            "Auto-Submitted: auto-generated\nX-Auto-Response-Suppress: All\nIn-Reply-To: <1@example.com>\n\n"
            "Bin im Urlaub.\n"
        ),
        Kind.AUTO_REPLY,
        [],
    ),
    "gmail, away": (
        octets(
            f"From: Joe <joe@gmail.example>\nTo: {PATH}\nSubject: Gone until Monday Re: spring\nPrecedence: bulk\n"
            "X-Autoreply: yes\nAuto-Submitted: auto-replied\n\nContact ann@gmail.example, user unknown to me.\n"
        ),
        Kind.AUTO_REPLY,
        [],
    ),
    "comcast, a complaint with headers only": (
        _message(
            f"From: feedbackloop@fbl.example\nSubject: complaint\n"
            f"{_MULTIPART.format('report; report-type=feedback-report')}",
            "Content-Type: text/plain\n\nAn abuse report.\n",
            "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nVersion: 0.1\nUser-Agent: FBL/1\n",
            f"Content-Type: text/rfc822-headers\n\n{HEADER}",
        ),
        Kind.COMPLAINT,
        [],
    ),
    "tmda": (
        octets(
            f"From: joe@d.example\nTo: {PATH}\nSubject: Please confirm your message\nAuto-Submitted: auto-replied\n\n"
            "Please reply to this message to confirm that you are a person.\n"
        ),
        Kind.CHALLENGE,
        [],
    ),
}
