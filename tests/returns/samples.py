"""Reports in the layouts of real mail servers, on documentation addresses, written for these tests."""

from __future__ import annotations

TOKEN = "k5x2w7q3m4n6b2v5c7z3lahj4h"
OTHER_TOKEN = "zzzzzzzzzzzzzzzzzzzzzzzzzz"
CAMPAIGN = "q2w3e4r5"
PATH = f"bounces+{TOKEN}@in.example.com"
ADDRESS = "Ann.Lee+News@d.example"
UNKNOWN = "550 5.1.1 <{}>: Recipient address rejected: User unknown in virtual mailbox table"

LETTER = f"""\
Return-Path: <{PATH}>
Received: from mta1.example.com (mta1.example.com [192.0.2.10])
\tby mta.host.example with ESMTP id 4Xyz; Tue, 1 Dec 2026 11:07:31 +0000
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=s1;
 h=from:to:subject; bh=CpC3i7XiJXr6C0dSTaY2dRn27DOqSbLgP9koemqqNxM=; b=abc
From: "Example Shop" <news@example.com>
To: {ADDRESS}
Subject: =?utf-8?q?Fr=C3=BChling?=
Date: Mon, 30 Nov 2026 10:00:00 +0000
Message-ID: <{CAMPAIGN}.{TOKEN}@example.com>
List-Unsubscribe: <https://mail.example.com/u/{TOKEN}>,
 <mailto:unsubscribe+{TOKEN}@in.example.com?subject=unsubscribe>
List-Unsubscribe-Post: List-Unsubscribe=One-Click
Feedback-ID: spring:{TOKEN}:news:example
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="=-1"

--=-1
Content-Type: text/plain; charset=utf-8

Hello Ann,
spring is here. From now on: 550 flowers.
--=-1--
"""
HEADER = LETTER.split("\n\n", maxsplit=1)[0] + "\n"


def octets(text: str) -> bytes:
    """A message's lines with CRLF, in UTF-8."""
    return text.replace("\n", "\r\n").encode()


def report(
    status: str,
    *,
    text: str = "Your message could not be delivered.\n",
    top: str = "",
    container: str = "multipart/report; report-type=delivery-status",
    kind: str = "message/delivery-status",
    copy: str = HEADER,
    copy_kind: str = "text/rfc822-headers",
) -> bytes:
    """Build a report of three parts; ``top``: more fields of its header."""
    return octets(
        f"""\
From: Mail Delivery System <MAILER-DAEMON@mta.host.example>
To: {PATH}
Subject: Undelivered Mail Returned to Sender
Message-ID: <20261201.1@mta.host.example>
{top}MIME-Version: 1.0
Content-Type: {container};
\tboundary="A1.2/mta.host.example"

This is a MIME-encapsulated message.

--A1.2/mta.host.example
Content-Type: text/plain; charset=utf-8

{text}
--A1.2/mta.host.example
Content-Type: {kind}

{status}
--A1.2/mta.host.example
Content-Type: {copy_kind}

{copy}
--A1.2/mta.host.example--
"""
    )


def block(
    final: str = ADDRESS, action: str = "failed", status: str = "5.1.1", diagnostic: str = "", more: str = ""
) -> str:
    """Build the fields of one recipient."""
    said = f"Diagnostic-Code: {diagnostic}\n" if diagnostic else ""
    return f"Final-Recipient: rfc822; {final}\n{more}Action: {action}\nStatus: {status}\n{said}"


def blocks(*some: str) -> str:
    """Build a status part: the per-message fields, then these blocks."""
    return "Reporting-MTA: dns; mta.host.example\nArrival-Date: Tue, 1 Dec 2026 11:07:31 +0000\n\n" + "\n".join(some)


def plain(text: str, *, subject: str = "failure notice", sender: str = "MAILER-DAEMON@mta.host.example") -> bytes:
    """Build a message without MIME."""
    return octets(f"From: {sender}\nTo: {PATH}\nSubject: {subject}\n\n{text}")


POSTFIX = report(
    blocks(
        f"Final-Recipient: rfc822; {ADDRESS}\nOriginal-Recipient: rfc822;{ADDRESS}\nAction: failed\nStatus: 5.1.1\n"
        f"Remote-MTA: dns; mx.d.example\nDiagnostic-Code: smtp; 550 5.1.1 <{ADDRESS}>: Recipient address\n"
        "    rejected: User unknown in virtual mailbox table\n"
    ),
    text=f"<{ADDRESS}>: host mx.d.example[192.0.2.25] said: 550 5.1.1\n    <{ADDRESS}>: Recipient address rejected:"
    " User unknown in virtual\n    mailbox table (in reply to RCPT TO command)\n",
    top="Auto-Submitted: auto-replied\n",
)

EXIM = octets(
    f"""\
X-Failed-Recipients: {ADDRESS}
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@mta.host.example>
To: {PATH}
References: <{CAMPAIGN}.{TOKEN}@example.com>
Content-Type: multipart/report; report-type=delivery-status; boundary=1796123400-eximdsn-1745732439
MIME-Version: 1.0
Subject: Mail delivery failed: returning message to sender

--1796123400-eximdsn-1745732439
Content-type: text/plain; charset=us-ascii

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  {ADDRESS}
    host mx.d.example [192.0.2.25]
    SMTP error from remote mail server after RCPT TO:<{ADDRESS}>:
    550-5.1.1 The account that you tried to reach
    550 5.1.1 does not exist

--1796123400-eximdsn-1745732439
Content-type: message/delivery-status

Reporting-MTA: dns; mta.host.example
Original-Envelope-ID: Q{TOKEN}+2B1

Action: failed
Original-Recipient: rfc822;Ann.Lee+2BNews@d.example
Final-Recipient: rfc822;{ADDRESS}
Status: 5.0.0
Remote-MTA: dns; mx.d.example
Diagnostic-Code: smtp; 550-5.1.1 The account that you tried to reach
 550 5.1.1 does not exist

--1796123400-eximdsn-1745732439
Content-type: message/rfc822

{LETTER}
--1796123400-eximdsn-1745732439--
"""
)

OPENSMTPD = octets(
    f"""\
Subject: Delivery status notification: failed
From: Mailer Daemon <MAILER-DAEMON@mta.host.example>
To: {PATH}
MIME-Version: 1.0
Content-Type: multipart/mixed;boundary="10715457812275027266/mta.host.example"

This is a MIME-encapsulated message.

--10715457812275027266/mta.host.example
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

    Hi!

    This is the MAILER-DAEMON, please DO NOT REPLY to this email.

    An error has occurred while attempting to deliver a message for
    the following list of recipients:

{ADDRESS}: {UNKNOWN.format(ADDRESS)}

    Below is a copy of the original message:

--10715457812275027266/mta.host.example
Content-Description: Delivery Report
Content-Type: message/delivery-status

Reporting-MTA: dns; mta.host.example

Final-Recipient: rfc822; {ADDRESS}
Action: failed
Status: 5.0.0

--10715457812275027266/mta.host.example
Content-Description: Message headers
Content-Type: text/rfc822-headers

{LETTER}
--10715457812275027266/mta.host.example--
"""
)

SENDMAIL = report(
    blocks(
        "Final-Recipient: RFC822; nobody1@d.example\nX-Actual-Recipient: rfc822; nobody1@d.example\nAction: failed\n"
        "Status: 5.1.1\nRemote-MTA: DNS; mx.d.example\nDiagnostic-Code: SMTP; 550-5.1.1 The email account\n",
        f"Final-Recipient: RFC822; {ADDRESS}\nX-Actual-Recipient: rfc822; {ADDRESS}\nAction: failed\nStatus: 5.7.1\n"
        "Remote-MTA: DNS; mx.d.example\nDiagnostic-Code: SMTP; 550 5.7.1 Message blocked by policy\n",
    ),
    text=f"""\
   ----- The following addresses had permanent fatal errors -----
<nobody1@d.example>
    (reason: 550-5.1.1 The email account)
<{ADDRESS}>
    (reason: 550 5.7.1 Message blocked by policy)

   ----- Transcript of session follows -----
... while talking to mx.d.example.:
>>> DATA
<<< 550 5.7.1 Message blocked by policy
550 5.1.1 <{ADDRESS}>... User unknown
""",
)

COURIER = report(
    blocks(
        f"Final-Recipient: rfc822; nobody.fwd@e.example\nAction: failed\nOriginal-Recipient: rfc822; {ADDRESS}\n"
        "Status: 5.0.0\nRemote-MTA: dns; mx.e.example [192.0.2.25]\n"
        f"Diagnostic-Code: smtp; {UNKNOWN.format('nobody.fwd@e.example')}\n"
    ),
    copy=LETTER,
    copy_kind="message/rfc822",
)

QMAIL = plain(
    f"""\
Hi. This is the qmail-send program at mta.host.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<nobody1@d.example>:
192.0.2.25 does not like recipient.
Remote host said: {UNKNOWN.format("nobody1@d.example")}
Giving up on 192.0.2.25.

<{ADDRESS}>:
192.0.2.25 failed after I sent the message.
Remote host said: 554-5.7.1 Message blocked
554 5.7.1 by policy

<user@nx.example>:
Sorry, I couldn't find any host named nx.example. (#5.1.2)

<full@down.example>:
Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)
I'm not going to try again; this message has been in the queue too long.

--- Below this line is a copy of the message.

{LETTER}"""
)

DMA = octets(
    f"""\
Received: from MAILER-DAEMON
\tid a1
\tby mta.host.example (DragonFly Mail Agent v0.13);
\tTue, 01 Dec 2026 11:00:00 +0000
X-Original-To: <{ADDRESS}>
From: MAILER-DAEMON <>
To: {PATH}
Subject: Mail delivery failed
Message-Id: <a1.1@mta.host.example>

This is the DragonFly Mail Agent v0.13 at mta.host.example.

There was an error delivering your mail to <{ADDRESS}>.

mx.d.example [192.0.2.25] said:
{UNKNOWN.format(ADDRESS)}

Message headers follow.

{HEADER}
"""
)

NULLMAILER = report(
    "Reporting-MTA: x-local-hostname; mta.host.example\nArrival-Date: Tue, 1 Dec 2026 11:07:31 +0000\n\n"
    + "\n".join(
        block(one, diagnostic=f"SMTP; {UNKNOWN.format('nobody1@d.example')}")
        for one in ("nobody1@d.example", ADDRESS, "policy@d.example")
    ),
    text="This is the nullmailer delivery system.  The message attached below\n"
    "could not be delivered to one or more of the intended recipients:\n"
    f"\n\t<nobody1@d.example>\n\t<{ADDRESS}>\n\t<policy@d.example>\n",
)

DOVECOT_FULL = report(
    "Reporting-MTA: dns; mta.host.example\n" + block(status="5.2.2", more=f"Original-Recipient: rfc822; {ADDRESS}\n"),
    text=f"Your message to <{ADDRESS}> was automatically rejected:\nQuota exceeded (mailbox for user is full)\n",
)

EXCHANGE_GERMAN = octets(
    f"""\
From: "Microsoft Outlook" <postmaster@corp.example>
To: {PATH}
Subject: =?utf-8?B?VW56dXN0ZWxsYmFyOiBGcsO8aGxpbmc=?=
X-MS-Exchange-Message-Is-Ndr:
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
 boundary="_04ae7f3c-0d8a-4c1e_"

--_04ae7f3c-0d8a-4c1e_
Content-Type: multipart/alternative; differences=Content-Type;
 boundary="_24f5ac11-12d1_"

--_24f5ac11-12d1_
Content-Type: text/plain; charset="utf-8"
Content-Transfer-Encoding: quoted-printable

Fehler bei der Nachrichtenzustellung an folgende Empf=C3=A4nger oder Gruppen:

ann@corp.example<mailto:ann@corp.example>
Die eingegebene E-Mail-Adresse konnte nicht gefunden werden.

Diagnoseinformationen f=C3=BCr Administratoren:

Generierender Server: ex1.corp.example

ann@corp.example
Remote Server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found'

--_24f5ac11-12d1_
Content-Type: text/html; charset="utf-8"

<p>Fehler</p>
--_24f5ac11-12d1_--

--_04ae7f3c-0d8a-4c1e_
Content-Type: message/delivery-status

Reporting-MTA: dns;ex1.corp.example
Received-From-MTA: dns;mta1.example.com
Arrival-Date: Tue, 1 Dec 2026 11:00:00 +0000

Final-Recipient: rfc822;ann@corp.example
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup
X-Display-Name: ann@corp.example

--_04ae7f3c-0d8a-4c1e_
Content-Type: message/rfc822

{LETTER}
--_04ae7f3c-0d8a-4c1e_--
"""
)

EXCHANGE_OLD_FRENCH = octets(
    f"""\
From: System Administrator <postmaster@corp.example>
To: {PATH}
Subject: Non remis : Printemps

Votre message n'est pas parvenu à certains ou à tous les destinataires prévus.

      Objet :\tPrintemps
      Date :\t01/12/2026 11:00

Impossible d'atteindre le(s) destinataire(s) suivant(s) :

      'ann@corp.example' le 01/12/2026 11:00
            Le compte de messagerie n'existe pas dans l'organisation à laquelle ce message a été envoyé.
            <ex1.corp.example #5.1.1 smtp;550 5.1.1 RESOLVER.ADR.RecipNotFound; not found>
"""
)

ARF = octets(
    f"""\
From: <feedback@fbl.example>
To: {PATH}
Subject: FW: spring
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="f1"

--f1
Content-Type: text/plain

This is an email abuse report.
--f1
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <{PATH}>
Original-Rcpt-To: <redacted@d.example>
Source-IP: 192.0.2.10
Reported-Domain: example.com

--f1
Content-Type: message/rfc822

{LETTER}
--f1--
"""
)

MDN = octets(
    f"""\
From: Postmaster <postmaster@mta.host.example>
To: <{PATH}>
Subject: Rejected: spring
Auto-Submitted: auto-replied (rejected)
Content-Type: multipart/report; report-type=disposition-notification; boundary="m1"

--m1
Content-Type: text/plain

Your message to <{ADDRESS}> was automatically rejected.
--m1
Content-Type: message/disposition-notification

Reporting-UA: mta.host.example; Dovecot Mail Delivery Agent
Final-Recipient: rfc822; {ADDRESS}
Original-Message-ID: <{CAMPAIGN}.{TOKEN}@example.com>
Disposition: automatic-action/MDN-sent-automatically; deleted

--m1--
"""
)

VACATION = octets(f"To: {PATH}\nFrom: joe@d.example (Joe)\nSubject: Re: Neuigkeiten\n\nBack on Monday.\n")

FAILURES = {
    "postfix": POSTFIX,
    "exim": EXIM,
    "opensmtpd": OPENSMTPD,
    "sendmail": SENDMAIL,
    "courier": COURIER,
    "qmail": QMAIL,
    "dma": DMA,
    "nullmailer": NULLMAILER,
    "dovecot": DOVECOT_FULL,
    "exchange-german": EXCHANGE_GERMAN,
    "exchange-french": EXCHANGE_OLD_FRENCH,
}
OTHERS = {
    "delayed": report(blocks(block(action="delayed", status="4.2.2", diagnostic="smtp; 452 4.2.2 over quota"))),
    "relayed": report(blocks(block(action="relayed (to non-DSN-aware mailer)", status="2.1.5"))),
    "complaint": ARF,
    "disposition": MDN,
    "vacation": VACATION,
}
