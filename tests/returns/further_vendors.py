"""More reports in the public layouts of mail servers and providers: other languages, gateways, older programs.

Each is a message, the kind, and of each recipient the address, the category and the weight.
"""

from __future__ import annotations

import base64

from bulkmail.mail import Category
from bulkmail.returns import Kind, Weight
from tests.returns.samples import HEADER, PATH, octets

_WHO = "nobody@d.example"
_C = Category
_HARD, _SOFT, _BLOCKED = Weight.HARD, Weight.SOFT, Weight.BLOCKED
_BAD = [(_WHO, _C.BAD_MAILBOX, _HARD)]
_OUTLOOK = 'From: "Microsoft Outlook" <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@corp.example>\n'
_FAILED = Kind.FAILED
Case = tuple[bytes, Kind, list[tuple[str, Category | None, Weight | None]]]


def _plain(top: str, text: str) -> bytes:
    return octets(f"To: {PATH}\n{top}MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n{text}")


def _html(top: str, html: str, charset: str = "utf-8") -> bytes:
    coded = base64.encodebytes(html.encode(charset)).decode("ascii")
    return octets(
        f"To: {PATH}\n{top}MIME-Version: 1.0\nContent-Type: text/html; charset={charset}\n"
        f"Content-Transfer-Encoding: base64\n\n{coded}"
    )


def _report(
    top: str,
    text: str,
    status: str,
    diagnostic: str = "",
    *,
    action: str = "failed",
    more: str = "",
    final: str = f"rfc822;{_WHO}",
) -> bytes:
    said = f"Diagnostic-Code: {diagnostic}\n" if diagnostic else ""
    return octets(
        f"To: {PATH}\n{top}MIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status;\n\tboundary="v1"\n\n'
        f"--v1\nContent-Type: text/plain; charset=utf-8\n\n{text}\n"
        "--v1\nContent-Type: message/delivery-status\n\nReporting-MTA: dns;mta.example\n\n"
        f"Final-Recipient: {final}\n{more}Action: {action}\nStatus: {status}\n{said}\n"
        f"--v1\nContent-Type: message/rfc822\n\n{HEADER}--v1--\n"
    )


def _outlook(subject: str, text: str, status: str, diagnostic: str, **more: str) -> bytes:
    return _report(f"{_OUTLOOK}Subject: {subject}\n", text, status, diagnostic, **more)


def _daemon(subject: str, sender: str = "MAILER-DAEMON@mta.example") -> str:
    return f"From: Mail Delivery System <{sender}>\nSubject: {subject}\nAuto-Submitted: auto-replied\n"


def _postfix(text: str, status: str, diagnostic: str, **more: str) -> bytes:
    original = f"Original-Recipient: rfc822;{_WHO}\n"
    top = _daemon("Undelivered Mail Returned to Sender")
    return _report(top, text, status, diagnostic, more=original, final=f"rfc822; {_WHO}", **more)


_QMAIL = (
    "Hi. This is the qmail-send program at mta.example.\n"
    "I'm afraid I wasn't able to deliver your message to the following addresses.\n"
    "This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
)
_EXIM = (
    "This message was created automatically by mail delivery software.\n\n"
    "A message that you sent could not be delivered to one or more of its\n"
    "recipients. This is a permanent error. The following address(es) failed:\n\n"
)
_BELOW = f"\n--- Below this line is a copy of the message.\n\n{HEADER}"

EXCHANGE: dict[str, Case] = {
    "exchange online, German": (
        _outlook(
            "Unzustellbar: =?utf-8?Q?Fr=C3=BChling?=",
            "Fehler bei der Nachrichtenzustellung an folgende Empfänger oder Gruppen:\n\n"
            f"{_WHO}<mailto:{_WHO}>\nDie eingegebene E-Mail-Adresse konnte nicht gefunden werden.\n\n"
            f"Diagnoseinformationen für Administratoren:\n\nGenerierender Server: X.corp.example\n\n{_WHO}\n"
            "Remote Server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found'\n",
            "5.1.10",
            "smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
        ),
        _FAILED,
        _BAD,
    ),
    "exchange 2016, French": (
        _outlook(
            "Non remis : printemps",
            f"Échec de la remise à ces destinataires ou groupes :\n\n{_WHO}<mailto:{_WHO}>\n",
            "5.1.1",
            "smtp;550 5.1.1 RESOLVER.ADR.ExRecipNotFound; not found",
        ),
        _FAILED,
        _BAD,
    ),
    "exchange 2010, Italian, no status part": (
        _plain(
            f"{_OUTLOOK}Subject: Non recapitabile: primavera\n",
            f"Recapito non riuscito per i seguenti destinatari o gruppi:\n\n{_WHO}<mailto:{_WHO}>\n"
            "L'indirizzo di posta elettronica immesso non è stato trovato.\n\n"
            "Informazioni di diagnostica per gli amministratori:\n\nServer di generazione: mail.corp.example\n\n"
            f"{_WHO}\n#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##\n\n"
            f"Intestazioni originali del messaggio:\n\n{HEADER}",
        ),
        _FAILED,
        _BAD,
    ),
    "exchange, Dutch, a full mailbox": (
        _outlook(
            "Onbestelbaar: lente",
            f"Het bericht kan niet worden bezorgd bij deze geadresseerden of groepen:\n\n{_WHO}\n",
            "5.2.2",
            "smtp;554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException."
            "MapiExceptionShutoffQuotaExceeded; Failed to process message due to a permanent exception",
        ),
        _FAILED,
        [(_WHO, _C.QUOTA, _BLOCKED)],
    ),
    "exchange, Polish, senders of its own only": (
        _outlook(
            "Niedostarczalne: wiosna",
            f"Nie można dostarczyć wiadomości do następujących adresatów lub grup:\n\n{_WHO}\n",
            "5.7.1",
            "smtp;550 5.7.1 RESOLVER.RST.AuthRequired; authentication required",
        ),
        _FAILED,
        [(_WHO, _C.AUTHENTICATION, _BLOCKED)],
    ),
    "exchange, Swedish, delayed": (
        _outlook(
            "=?utf-8?Q?Leveransen_=C3=A4r_f=C3=B6rsenad:_v=C3=A5r?=",
            f"Leveransen till följande mottagare är försenad:\n\n{_WHO}\n",
            "4.4.7",
            "smtp;400 4.4.7 Message delayed",
            action="delayed",
        ),
        Kind.DELAYED,
        [(_WHO, None, None)],
    ),
    "exchange, Japanese": (
        _outlook(
            "=?utf-8?B?6YWN5L+h5LiN6IO9OiDmmKU=?=",
            f"次の受信者またはグループへの配信に失敗しました:\n\n{_WHO}\n",
            "5.1.1",
            "smtp;550 5.1.1 RESOLVER.ADR.RecipNotFound; not found",
        ),
        _FAILED,
        _BAD,
    ),
    "exchange 2003, German, no status part": (
        _plain(
            "From: postmaster@corp.example\nSubject: Unzustellbar: spring\n",
            "Ihre Nachricht hat einige oder alle Empfänger nicht erreicht.\n\n"
            "      Betreff:\tspring\n      Gesendet am:\t01.12.2026 11:07\n\n"
            "Folgende(r) Empfänger konnte(n) nicht erreicht werden:\n\n"
            f"      '{_WHO}' am 01.12.2026 11:07\n            Die E-Mail-Adresse konnte nicht gefunden werden.\n"
            "            <mail.corp.example #5.1.1>\n",
        ),
        _FAILED,
        _BAD,
    ),
    "exchange 2003, French, no status part": (
        _plain(
            "From: postmaster@corp.example\nSubject: Non remis : printemps\n",
            "Votre message n'a pas atteint certains de ses destinataires ou tous ses destinataires.\n\n"
            "      Objet :\tprintemps\n      Date :\t01/12/2026 11:07\n\n"
            "Impossible de contacter le(s) destinataire(s) suivant(s) :\n\n"
            f"      {_WHO} le 01/12/2026 11:07\n            Ce compte n'existe pas dans l'organisation.\n"
            "            < mail.corp.example #5.1.1 smtp;550 5.1.1 User unknown>\n",
        ),
        _FAILED,
        _BAD,
    ),
    "exchange 2003, Portuguese, no status part": (
        _plain(
            "From: postmaster@corp.example\nSubject: =?utf-8?Q?N=C3=A3o_entregue=3A_primavera?=\n",
            "Sua mensagem não alcançou alguns ou todos os destinatários.\n\n"
            "      Assunto:\tprimavera\n      Enviada em:\t01/12/2026 11:07\n\n"
            "O(s) destinatário(s) a seguir não pôde(puderam) ser alcançado(s):\n\n"
            f"      {_WHO} em 01/12/2026 11:07\n            A conta de email não existe nesta organização.\n"
            "            <mail.corp.example #5.1.1>\n",
        ),
        _FAILED,
        _BAD,
    ),
    "outlook.com": (
        _report(
            "From: postmaster@mail.hotmail.example\nSubject: Delivery Status Notification (Failure)\n",
            "This is an automatically generated Delivery Status Notification.\n\n"
            f"Delivery to the following recipients failed.\n\n       {_WHO}\n",
            "5.5.0",
            "smtp;550 Requested action not taken: mailbox unavailable (-2019901852:4030:-2147467259)",
        ),
        _FAILED,
        _BAD,
    ),
}

MTAS: dict[str, Case] = {
    "postfix, a German template": (
        _postfix(
            "Dies ist das Mailsystem auf Rechner mta.example.\n\nIhre Nachricht konnte nicht zugestellt werden.\n\n"
            f"<{_WHO}>: host mx.d.example[192.0.2.25] said: 550 5.1.1 <{_WHO}>: Recipient\n"
            "    address rejected: User unknown (in reply to RCPT TO command)\n",
            "5.1.1",
            f"smtp; 550 5.1.1 <{_WHO}>: Recipient address rejected: User unknown",
        ),
        _FAILED,
        _BAD,
    ),
    "postfix, a loop": (
        _postfix(
            f"<{_WHO}>: mail forwarding loop for {_WHO}\n",
            "5.4.6",
            f"X-Postfix; mail forwarding loop for\n    {_WHO}",
        ),
        _FAILED,
        [(_WHO, _C.ROUTING, _BLOCKED)],
    ),
    "postfix, no answer of the DNS until it gave up": (
        _postfix(
            f"<{_WHO}>: delivery temporarily suspended: Host or domain name not found.\n"
            "    Name service error for name=d.example type=MX: Host not found, try again\n",
            "4.4.3",
            "X-Postfix; delivery temporarily suspended: Host or\n    domain name not found. Name service error for"
            " name=d.example type=MX: Host\n    not found, try again",
        ),
        _FAILED,
        [(_WHO, _C.DNS, _SOFT)],
    ),
    "postfix, too large for the next": (
        _postfix(
            f"<{_WHO}>: message size 30724 exceeds size limit 10240 of\n    server mx.d.example[192.0.2.1]\n",
            "5.3.4",
            "X-Postfix; message size 30724 exceeds size limit 10240\n    of server mx.d.example[192.0.2.1]",
        ),
        _FAILED,
        [(_WHO, _C.TOO_LARGE, _BLOCKED)],
    ),
    "postfix, TLS asked for and not offered": (
        _postfix(
            f"<{_WHO}>: TLS is required, but was not offered by host\n    mx.d.example[192.0.2.1]\n",
            "5.7.4",
            "X-Postfix; TLS is required, but was not offered by host\n    mx.d.example[192.0.2.1]",
        ),
        _FAILED,
        [(_WHO, _C.TLS, _SOFT)],
    ),
    "exim 4.97": (
        octets(
            f"X-Failed-Recipients: {_WHO}\nAuto-Submitted: auto-replied\n"
            f"From: Mail Delivery System <Mailer-Daemon@mta.example>\nTo: {PATH}\n"
            "References: <1rABCD-000000001Ab-2xYz@example.com>\n"
            "Content-Type: multipart/report; report-type=delivery-status; boundary=1700000000-eximdsn-1234567890\n"
            "MIME-Version: 1.0\nSubject: Mail delivery failed: returning message to sender\n"
            "Message-Id: <E1rABCE-00000000Abc-1def@mta.example>\n\n"
            f"--1700000000-eximdsn-1234567890\nContent-type: text/plain; charset=us-ascii\n\n{_EXIM}"
            f"  {_WHO}\n    host mx.d.example [192.0.2.1]\n    SMTP error from remote mail server after RCPT TO:"
            f"<{_WHO}>:\n    550 5.1.1 No such user here\n\n"
            "--1700000000-eximdsn-1234567890\nContent-type: message/delivery-status\n\n"
            f"Reporting-MTA: dns; mta.example\n\nAction: failed\nFinal-Recipient: rfc822;{_WHO}\nStatus: 5.0.0\n"
            "Remote-MTA: dns; mx.d.example\nDiagnostic-Code: smtp; 550 5.1.1 No such user here\n\n"
            f"--1700000000-eximdsn-1234567890\nContent-type: message/rfc822\n\n{HEADER}"
            "--1700000000-eximdsn-1234567890--\n"
        ),
        _FAILED,
        _BAD,
    ),
    "exim, all hosts failing for long": (
        octets(
            f"X-Failed-Recipients: {_WHO}\nFrom: Mail Delivery System <Mailer-Daemon@mta.example>\nTo: {PATH}\n"
            "Subject: Mail delivery failed: returning message to sender\n\n"
            f"{_EXIM}  {_WHO}\n    all hosts for 'd.example' have been failing for a long time (and retry time not"
            f" reached)\n\n------ This is a copy of the message, including all the headers. ------\n\n{HEADER}"
        ),
        _FAILED,
        [(_WHO, _C.EXPIRED, _SOFT)],
    ),
    "qmail with chkuser": (
        _plain(
            "From: MAILER-DAEMON@mta.example\nSubject: failure notice\n",
            f"{_QMAIL}<{_WHO}>:\n192.0.2.1 does not like recipient.\nRemote host said: 511 sorry, no mailbox here by"
            f" that name (#5.1.1 - chkuser)\nGiving up on 192.0.2.1.\n{_BELOW}",
        ),
        _FAILED,
        _BAD,
    ),
    "qmail with TLS, given up": (
        _plain(
            "From: MAILER-DAEMON@mta.example\nSubject: failure notice\n",
            f"{_QMAIL}<{_WHO}>:\nTLS connect failed: timed out; connected to 192.0.2.1.\n"
            f"I'm not going to try again; this message has been in the queue too long.\n{_BELOW}",
        ),
        _FAILED,
        [(_WHO, _C.CONNECTION, _SOFT)],
    ),
    "qmail with vpopmail, a full mailbox": (
        _plain(
            "From: MAILER-DAEMON@mta.example\nSubject: failure notice\n",
            f"{_QMAIL}<{_WHO}>:\nRecipient's mailbox is full, message returned to sender. (#5.2.2)\n{_BELOW}",
        ),
        _FAILED,
        [(_WHO, _C.QUOTA, _BLOCKED)],
    ),
    "messagelabs": (
        _plain(
            "From: MAILER-DAEMON@messagelabs.example\nSubject: failure notice\n",
            "This is the mail delivery agent at messagelabs.example.\n"
            "I was unable to deliver your message to the following addresses:\n\n"
            f"{_WHO}\n\nReason: 550 5.1.1 unknown user\n\nThe message subject was: spring\n",
        ),
        _FAILED,
        _BAD,
    ),
    "mailenable": (
        _plain(
            "From: Postmaster@corp.example\nSubject: Message Delivery Failure\n",
            "MailEnable: Message Delivery Failure.\n\nThe following recipient(s) could not be reached:\n\n"
            f"    Recipient: [SMTP:{_WHO}]\n    Reason: Remote SMTP Server Returned: 550 5.1.1 User unknown\n\n\n"
            f"Message headers follow:\n\n{HEADER}",
        ),
        _FAILED,
        _BAD,
    ),
    "hmailserver": (
        _plain(
            "From: mailer-daemon@corp.example\nSubject: Message undeliverable: spring\n",
            "Your message did not reach some or all of the intended recipients.\n\n"
            "   Sent: Tue, 1 Dec 2026 11:07:31 +0000\n   Subject: spring\n\n"
            f"The following recipient(s) could not be reached:\n\n{_WHO}\n   Error Type: SMTP\n"
            f"   Remote server (192.0.2.1) issued an error.\n   hMailServer sent: RCPT TO:<{_WHO}>\n"
            "   Remote server replied: 550 5.1.1 User unknown\n\n\nhMailServer\n",
        ),
        _FAILED,
        _BAD,
    ),
    "mdaemon": (
        _plain(
            "From: MDaemon@corp.example\nSubject: Permanent Delivery Failure\nX-MDaemon-Deliver-To: x\n",
            "The attached message had PERMANENT fatal delivery errors!\n\n"
            "After one or more unsuccessful delivery attempts the attached message has\n"
            f"been removed from the mail queue on this server.\n\nFailed address: {_WHO}\n\n"
            "--- Session Transcript ---\n Tue 2026-12-01 11:07:31: <-- 220 mx.d.example ESMTP\n"
            f" Tue 2026-12-01 11:07:31: --> RCPT To:<{_WHO}>\n"
            f" Tue 2026-12-01 11:07:31: <-- 550 5.1.1 <{_WHO}>: User unknown\n--- End Transcript ---\n",
        ),
        _FAILED,
        _BAD,
    ),
    "communigate": (
        _report(
            "From: <MAILER-DAEMON@corp.example>\nSubject: Undeliverable mail: spring\n",
            f"Failed to deliver to '{_WHO}'\nSMTP module(domain d.example) reports:\n host mx.d.example says:\n"
            " 550 5.1.1 User unknown\n",
            "5.0.0",
            "",
            final=f"rfc822;<{_WHO}>",
            more=f"Original-Recipient: rfc822;<{_WHO}>\n",
        ),
        _FAILED,
        _BAD,
    ),
    "powermta": (
        _report(
            _daemon("Delivery report"),
            "Hello, this is the mail server on mta.example.\n\nI am sending you this message to inform you on the"
            f" delivery status of a\nmessage you previously sent.\n\n  <{_WHO}>\n    delivery failed; will not"
            " continue trying\n",
            "5.1.1 (bad destination mailbox address)",
            f"smtp;550 5.1.1 <{_WHO}>: user unknown",
            more="Remote-MTA: dns;mx.d.example (192.0.2.1)\nX-PowerMTA-BounceCategory: bad-mailbox\n",
        ),
        _FAILED,
        _BAD,
    ),
    "sun messaging server": (
        _report(
            "From: Internet Mail Delivery <postmaster@corp.example>\nSubject: Delivery Notification: Delivery has"
            " failed\n",
            "This report relates to a message you sent with the following header fields:\n\n  Subject: spring\n\n"
            "Your message cannot be delivered to the following recipients:\n\n"
            f"  Recipient address: {_WHO}\n  Reason: Remote SMTP server has rejected address\n"
            "  Diagnostic code: smtp;550 5.1.1 unknown user\n  Remote system: dns;mx.d.example (TCP|192.0.2.1|25)\n",
            "5.1.1 (Remote SMTP server has rejected address)",
            "smtp;550 5.1.1 unknown user",
            more=f"Original-recipient: rfc822;{_WHO}\n",
        ),
        _FAILED,
        _BAD,
    ),
    "smail, unknown host": (
        _plain(
            "From: <MAILER-DAEMON@mta.example>\nSubject: mail failed, returning to sender\n",
            "|------------------------- Message log follows: -------------------------|\n"
            " no valid recipients were found for this message\n"
            "|------------------------- Failed addresses follow: ---------------------|\n"
            f" <{_WHO}> ... unknown host\n"
            f"|------------------------- Message text follows: ------------------------|\n{HEADER}",
        ),
        _FAILED,
        [(_WHO, _C.BAD_DOMAIN, _HARD)],
    ),
    "domino, a disk quota": (
        _report(
            "From: Postmaster@corp.example\nSubject: DELIVERY FAILURE: Router: Database disk quota exceeded\n",
            f"Your message\n\n  Subject: spring\n\nwas not delivered to:\n\n  {_WHO}\n\nbecause:\n\n"
            "  Router: Database disk quota exceeded\n",
            "5.2.2",
            "X-Notes; Router: Database disk quota exceeded",
        ),
        _FAILED,
        [(_WHO, _C.QUOTA, _BLOCKED)],
    ),
    "domino, no route": (
        _report(
            "From: Postmaster@corp.example\nSubject: DELIVERY FAILURE: No route found to domain\n",
            f"Your message\n\n  Subject: spring\n\nwas not delivered to:\n\n  {_WHO}\n\nbecause:\n\n"
            "  No route found to domain D from server MAIL/CORP.\n",
            "5.0.0",
            "X-Notes; No route found to domain D from server MAIL/CORP.  Check Server, Connection and Domain"
            "\n  documents in Domino Directory.",
        ),
        _FAILED,
        [(_WHO, _C.ROUTING, _BLOCKED)],
    ),
    "zimbra, over quota until it gave up": (
        _postfix(
            f"<{_WHO}>: host zimbra.d.example[192.0.2.1] said: 452 4.2.2 Over quota\n"
            "    (in reply to end of DATA command)\n",
            "4.2.2",
            "smtp; 452 4.2.2 Over quota",
        ),
        _FAILED,
        [(_WHO, _C.QUOTA, _SOFT)],
    ),
}

GATEWAYS: dict[str, Case] = {
    "mimecast, nobody": (
        _report(
            _daemon("[Postmaster] Email Delivery Failure", "postmaster@gateway.example"),
            "This is a delivery failure notification message.\n",
            "5.0.0",
            "smtp; 550 Invalid Recipient - https://gateway.example/docs/DOC-1369#550 [abC-1.uk12]",
        ),
        _FAILED,
        _BAD,
    ),
    "mimecast, held back": (
        _report(
            _daemon("[Postmaster] Email Delivery Delayed", "postmaster@gateway.example"),
            "This is a delivery delay notification message.\n",
            "4.0.0",
            "smtp; 451 Internal resources are temporarily unavailable - https://gateway.example/docs/DOC-1369#451",
            action="delayed",
        ),
        Kind.DELAYED,
        [(_WHO, None, None)],
    ),
    "proofpoint, spam": (
        _report(
            "From: Mail Delivery Subsystem <MAILER-DAEMON@gateway.example>\nSubject: Returned mail: see transcript for"
            " details\nAuto-Submitted: auto-generated (failure)\n",
            "   ----- The following addresses had permanent fatal errors -----\n"
            f"<{_WHO}>\n    (reason: 554 5.7.1 [P4] Message blocked due to spam content in the message.)\n\n"
            "   ----- Transcript of session follows -----\n"
            f"550 5.1.1 <{_WHO}>... User unknown\n",
            "5.7.1",
            "SMTP; 554 5.7.1 [P4] Message blocked due to spam content in the message.",
            final=f"RFC822; {_WHO}",
        ),
        _FAILED,
        [(_WHO, _C.SPAM_CONTENT, _BLOCKED)],
    ),
    "barracuda, nobody": (
        _postfix(
            f"<{_WHO}>: host mx.d.example[192.0.2.1] said: 550 permanent failure for one or\n    more recipients"
            f" ({_WHO}:550 5.1.1 User unknown) (in reply to end of DATA\n    command)\n",
            "5.0.0",
            f"smtp; 550 permanent failure for one or more recipients\n    ({_WHO}:550 5.1.1 User unknown)",
        ),
        _FAILED,
        _BAD,
    ),
    "barracuda, blocked": (
        _postfix(
            f"<{_WHO}>: host mx.d.example[192.0.2.1] said: 550 permanent failure for one or\n    more recipients"
            f" ({_WHO}:blocked) (in reply to end of DATA command)\n",
            "5.0.0",
            f"smtp; 550 permanent failure for one or more recipients\n    ({_WHO}:blocked)",
        ),
        _FAILED,
        [(_WHO, _C.POLICY, _BLOCKED)],
    ),
    "barracuda, its own report": (
        _report(
            "From: MAILER-DAEMON@gateway.example\nSubject: **Message you sent blocked by our bulk email filter**\n",
            f"Your message to: {_WHO}\nwas blocked by our Spam Firewall. The email you sent with the following"
            " subject has NOT BEEN DELIVERED:\n\nSubject: spring\n",
            "5.7.1",
            "smtp; 550 5.7.1 Message content rejected, UBE, id=12345-67-89",
            final=f"rfc822; {_WHO}",
        ),
        _FAILED,
        [(_WHO, _C.SPAM_CONTENT, _BLOCKED)],
    ),
    "ironport": (
        _report(
            _daemon("Delivery Status Notification (Failure)", "MAILER-DAEMON@gateway.example"),
            f"The following message to <{_WHO}> was undeliverable.\nThe reason for the problem:\n"
            f"5.1.0 - Unknown address error 550-'5.1.1 <{_WHO}>: Recipient address rejected: User unknown'\n",
            "5.0.0",
            f"smtp; 5.1.0 - Unknown address error 550-'5.1.1 <{_WHO}>:\n Recipient address rejected: User unknown'"
            " (delivery attempts: 0)",
        ),
        _FAILED,
        _BAD,
    ),
}

PROVIDERS: dict[str, Case] = {
    "gmail, no such domain": (
        _report(
            "From: Mail Delivery Subsystem <mailer-daemon@googlemail.example>\nAuto-Submitted: auto-replied\n"
            f"X-Failed-Recipients: {_WHO}\nSubject: Delivery Status Notification (Failure)\n",
            f"\n** Address not found **\n\nYour message wasn't delivered to {_WHO} because the domain d.example"
            " couldn't be found. Check for typos or unnecessary spaces and try again.\n\n\n\nThe response was:\n\n"
            "DNS Error: DNS type 'mx' lookup of d.example responded with code NXDOMAIN Domain name not found:"
            " d.example\n",
            "5.1.2",
            "smtp; DNS Error: DNS type 'mx' lookup of d.example responded with code NXDOMAIN\n"
            " Domain name not found: d.example",
            final=f"rfc822; {_WHO}",
        ),
        _FAILED,
        [(_WHO, _C.BAD_DOMAIN, _HARD)],
    ),
    "gmail, German": (
        _report(
            "From: Mail Delivery Subsystem <mailer-daemon@googlemail.example>\nAuto-Submitted: auto-replied\n"
            f"X-Failed-Recipients: {_WHO}\nSubject: Delivery Status Notification (Failure)\n",
            f"\n** Nachricht nicht zugestellt **\n\nDie Nachricht an {_WHO} konnte nicht zugestellt werden, weil der"
            " Posteingang des Empfängers voll ist.\n\n\n\nDie Antwort war:\n\n552 5.2.2 The recipient's inbox is out of"
            " storage space and inactive. Please direct the recipient to their settings.\n",
            "5.2.2",
            "smtp; 552-5.2.2 The recipient's inbox is out of storage space and inactive.\n 552 5.2.2 Please direct the"
            " recipient to their settings. 4fb4d7f45d1cf - gsmtp",
            final=f"rfc822; {_WHO}",
        ),
        _FAILED,
        [(_WHO, _C.INACTIVE_MAILBOX, _HARD)],
    ),
    "gmail, reputation": (
        _report(
            "From: Mail Delivery Subsystem <mailer-daemon@googlemail.example>\nAuto-Submitted: auto-replied\n"
            f"X-Failed-Recipients: {_WHO}\nSubject: Delivery Status Notification (Failure)\n",
            f"\n** Message blocked **\n\nYour message to {_WHO} has been blocked.\n",
            "5.7.1",
            "smtp; 550-5.7.1 [192.0.2.1      12] Our system has detected that this message is\n 550-5.7.1 likely"
            " unsolicited mail. To reduce the amount of spam sent to Gmail,\n 550 5.7.1 this message has been blocked."
            " 4fb4d7f45d1cf - gsmtp",
            final=f"rfc822; {_WHO}",
        ),
        _FAILED,
        [(_WHO, _C.SPAM_CONTENT, _BLOCKED)],
    ),
    "yahoo, disabled": (
        _plain(
            "From: MAILER-DAEMON@yahoo.example\nSubject: Failure Notice\n",
            "Sorry, we were unable to deliver your message to the following address.\n\n"
            f"<{_WHO}>:\n554: 30 Sorry, your message to {_WHO} cannot be delivered. This mailbox is disabled"
            f" (554.30).\n\n--- Below this line is a copy of the message.\n\n{HEADER}",
        ),
        _FAILED,
        [(_WHO, _C.INACTIVE_MAILBOX, _HARD)],
    ),
    "yahoo, no account": (
        _plain(
            "From: MAILER-DAEMON@yahoo.example\nSubject: Failure Notice\n",
            "Sorry, we were unable to deliver your message to the following address.\n\n"
            f"<{_WHO}>:\n554: delivery error: dd This user doesn't have a yahoo.example account ({_WHO}) [0] -"
            f" mta1.yahoo.example\n\n--- Below this line is a copy of the message.\n\n{HEADER}",
        ),
        _FAILED,
        _BAD,
    ),
    "icloud, over quota": (
        _postfix(
            f"<{_WHO}>: host mx.icloud.example[192.0.2.1] said: 552 5.2.2 <{_WHO}>: user is\n    over quota (in reply"
            " to RCPT TO command)\n",
            "5.2.2",
            f"smtp; 552 5.2.2 <{_WHO}>: user is over quota",
        ),
        _FAILED,
        [(_WHO, _C.QUOTA, _BLOCKED)],
    ),
    "gmx, a full mailbox": (
        _plain(
            _daemon("Mail delivery failed: returning message to sender", "mailer-daemon@gmx.example"),
            "This message was created automatically by mail delivery software.\n\n"
            "A message that you sent could not be delivered to\none or more of its recipients. This is a permanent"
            " error.\n\nThe following address failed:\n\n"
            f"    {_WHO}:\n        SMTP error from remote server for RCPT TO command, host: mx.d.example (192.0.2.1)"
            " reason: 552-Requested mail action aborted: exceeded storage allocation\n"
            "552-Quota exceeded. The recipient's mailbox is full.\n552 For explanation visit"
            f" https://postmaster.example/error\n\n\n--- The header of the original message is following. ---\n\n"
            f"{HEADER}",
        ),
        _FAILED,
        [(_WHO, _C.QUOTA, _SOFT)],
    ),
    "orange, nobody": (
        _postfix(
            f"<{_WHO}>: host smtp-in.orange.example[192.0.2.1] said: 550 5.1.1 Adresse d au\n    moins un destinataire"
            " invalide. Invalid recipient. OFR204_418 [418] (in reply to\n    RCPT TO command)\n",
            "5.1.1",
            "smtp; 550 5.1.1 Adresse d au moins un destinataire invalide.\n    Invalid recipient. OFR204_418 [418]",
        ),
        _FAILED,
        _BAD,
    ),
    "orange, a full mailbox": (
        _postfix(
            f"<{_WHO}>: host smtp-in.orange.example[192.0.2.1] said: 552 5.1.1 Boite du\n    destinataire pleine."
            " Recipient overquota. OFR_417 [417] (in reply to RCPT TO\n    command)\n",
            "5.1.1",
            "smtp; 552 5.1.1 Boite du destinataire pleine. Recipient\n    overquota. OFR_417 [417]",
        ),
        _FAILED,
        [(_WHO, _C.QUOTA, _BLOCKED)],
    ),
    "yandex, nobody": (
        _postfix(
            f"<{_WHO}>: host mx.yandex.example[192.0.2.1] said: 550 5.7.1 No such user! (in\n    reply to RCPT TO"
            " command)\n",
            "5.7.1",
            "smtp; 550 5.7.1 No such user!",
        ),
        _FAILED,
        [(_WHO, _C.POLICY, _BLOCKED)],  # 5.7.x is never believed to be about the address
    ),
    "yandex, spam": (
        _postfix(
            f"<{_WHO}>: host mx.yandex.example[192.0.2.1] said: 554 5.7.1 [2] Message rejected\n    under suspicion of"
            " SPAM; https://ya.example/1IPtL 1700000000-aB (in reply to end\n    of DATA command)\n",
            "5.7.1",
            "smtp; 554 5.7.1 [2] Message rejected under suspicion of\n    SPAM; https://ya.example/1IPtL 1700000000-aB",
        ),
        _FAILED,
        [(_WHO, _C.SPAM_CONTENT, _BLOCKED)],
    ),
    "mail.ru, nobody": (
        _postfix(
            f"<{_WHO}>: host mxs.mail.example[192.0.2.1] said: 550 Message was not accepted --\n    invalid mailbox. "
            f" Local mailbox {_WHO} is unavailable: user not found (in reply\n    to end of DATA command)\n",
            "5.0.0",
            f"smtp; 550 Message was not accepted -- invalid mailbox.\n    Local mailbox {_WHO} is unavailable: user"
            " not found",
        ),
        _FAILED,
        _BAD,
    ),
    "mail.ru, disabled": (
        _plain(
            "From: mailer-daemon@corp.mail.example\nSubject: Mail failure.\n",
            f"{_EXIM}  {_WHO}\n    SMTP error from remote mail server after end of data:\n    550 Message was not"
            f" accepted -- invalid mailbox. Local mailbox {_WHO} is unavailable: account is disabled\n\n"
            f"------ This is a copy of the message's headers. ------\n\n{HEADER}",
        ),
        _FAILED,
        [(_WHO, _C.INACTIVE_MAILBOX, _HARD)],
    ),
    "qq": (
        _html(
            "From: PostMaster@qq.example\nSubject: =?utf-8?B?57O757uf6YCA5L+hL1N5c3RlbXMgYm91bmNl?=\n",
            "<div><p>抱歉，您的邮件被退回来了……</p><table><tr><td>收件人</td><td>nobody@d.example</td></tr>"
            "<tr><td>退信原因</td><td>收件人邮件地址"
            "(nobody@d.example)不存在，邮件无法送达。"
            "<br>host mx.d.example[192.0.2.1] said: 550 5.1.1 User unknown (in reply to RCPT TO"
            " command)</td></tr></table></div>",
            "gb18030",
        ),
        _FAILED,
        _BAD,
    ),
    "163": (
        _html(
            "From: Postmaster@163.example\nSubject: =?utf-8?B?57O757uf6YCA5L+h?=\n",
            "<div><h1>抱歉，您的邮件被退回来了……</h1><p>原邮件信息：</p><table>"
            "<tr><td>时 间：</td><td>2026-12-01</td></tr>"
            "<tr><td>收件人：</td><td>nobody@d.example</td></tr><tr><td>退信原因：</td>"
            "<td>收件人邮件地址"
            "(nobody@d.example)不存在，邮件无法送达。<br>SMTP error, RCPT TO: 550 User not found: nobody@d.example"
            "</td></tr></table></div>",
            "gbk",
        ),
        _FAILED,
        _BAD,
    ),
    "naver, a full mailbox": (
        _html(
            "From: Naver <mailer-daemon@naver.example>\nSubject: =?utf-8?B?67CY7Iah65CcIOuplOydvCDslYjrgrQ=?=\n",
            "<div>메일 전송 실패 안내<br>받는사람 : nobody@d.example"
            "<br>실패 이유 : 받는 사람의 메일함 용량이 부족합니다.<br>"
            "Remote host said: 552 5.2.2 Mailbox full [RCPT_TO]</div>",
        ),
        _FAILED,
        [(_WHO, _C.QUOTA, _BLOCKED)],
    ),
}

FURTHER_VENDORS: dict[str, Case] = {**EXCHANGE, **MTAS, **GATEWAYS, **PROVIDERS}
