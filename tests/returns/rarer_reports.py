"""Further reports, and replies of programs: what differs in kind from the layouts in `vendors` and `further_vendors`.

Each is a message, the kind, and of each recipient the address, the category and the weight.
"""

from __future__ import annotations

from bulkmail.mail import Category
from bulkmail.returns import Kind, Weight
from tests.returns.further_vendors import Case, _daemon, _html, _outlook, _plain, _postfix, _report
from tests.returns.samples import HEADER, PATH, octets

_WHO = "nobody@d.example"
_C = Category
_FAILED = Kind.FAILED
_COPY = f"\n--- Below this line is a copy of the message.\n\n{HEADER}"


def _hard(category: Category = _C.BAD_MAILBOX) -> list[tuple[str, Category | None, Weight | None]]:
    return [(_WHO, category, Weight.HARD)]


def _blocked(category: Category) -> list[tuple[str, Category | None, Weight | None]]:
    return [(_WHO, category, Weight.BLOCKED)]


def _soft(category: Category) -> list[tuple[str, Category | None, Weight | None]]:
    return [(_WHO, category, Weight.SOFT)]


_NOTHING = [(_WHO, None, None)]

# Exchange Online: its own codes, its own sentence around the reply of the next server, its own deadline
_ONLINE = {
    "5.1.8 Access denied, bad outbound sender AS(42004)": _blocked(_C.INVALID_SENDER),
    "5.4.310 DNS domain d.example does not exist [Message=InfoDomainNonexistent]": _hard(_C.BAD_DOMAIN),
    "5.4.316 Message expired, connection refused(Socket error code 10061)": _soft(_C.EXPIRED),
    "5.4.317 Message expired, cannot connect to remote server(SubjectMismatch)": _soft(_C.EXPIRED),
    "5.4.300 Message expired -> 451 4.7.0 Temporary server error. Please try again later": _soft(_C.EXPIRED),
    "5.7.129 RESOLVER.RST.RestrictedToRecipientsPermission; not authorized to send": _blocked(_C.POLICY),
    "5.7.520 Access denied, Your organization does not allow external forwarding. AS(7555)": _blocked(_C.POLICY),
    "5.7.708 Service unavailable. Access denied, traffic not accepted from this IP. AS(7230)": _blocked(_C.POLICY),
    "5.4.14 Hop count exceeded - possible mail loop ATTR34 [x.example]": _blocked(_C.ROUTING),
    "5.0.350 Remote server returned an error -> 550 5.1.1 <nobody@d.example>: Recipient address rejected: User"
    " unknown in virtual mailbox table": _hard(),
    "5.0.350 Remote server returned an error -> 554 5.7.1 Message rejected as spam by Content Filtering.": _blocked(
        _C.SPAM_CONTENT
    ),
    "5.7.367 Remote server returned not permitted to relay -> 554 5.7.1 <nobody@d.example>: Relay access"
    " denied": _blocked(_C.ROUTING),
    "5.1.351 Remote server returned unknown recipient or mailbox unavailable -> 550 No such user": _hard(),
    "5.2.1 STOREDRV.Deliver; mailbox is disabled": _hard(_C.INACTIVE_MAILBOX),
}

# Cisco's appliance: a status of its own for each class of replies, and the reply in quotation marks
_ESA = {
    "5.1.0 - Unknown address error 550-'5.7.1 Message refused by policy'": _blocked(_C.POLICY),
    "5.1.0 - Unknown address error 550-'Blocked by the administrator'": _blocked(_C.POLICY),
    "5.1.0 - Unknown address error 550-'5.1.1 <nobody@d.example>: User unknown'": _hard(),
    "5.1.0 - Unknown address error 554-'delivery error: dd This user doesn't have a d.example account"
    " (nobody@d.example) [0] - mta.d.example'": _hard(),
    "5.3.0 - Other mail system problem 554-'5.7.1 Blocked - see https://spamcop.example/bl?192.0.2.10'": _blocked(
        _C.SPAM_REPUTATION
    ),
    "5.1.2 - Bad destination host 'DNS Hard Error looking up d.example (MX):  NXDomain'": _hard(_C.BAD_DOMAIN),
    "5.4.7 - Delivery expired (message too old) 'timeout'": _soft(_C.CONNECTION),
    "5.4.7 - Delivery expired (message too old) 451-'4.7.1 Greylisted'": _soft(_C.GREYLISTED),
    "5.3.4 - Message too big for system 552-'5.3.4 Message size exceeds fixed limit'": _blocked(_C.TOO_LARGE),
}

# what gateways and providers say, as Postfix repeats it; 5.0.0 where they give no code of their own
_SAID = {
    "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302). [x.example]": _hard(),
    "550 5.7.1 Unfortunately, messages from [192.0.2.10] weren't sent. Please contact your Internet service provider"
    " since part of their network is on our block list (S3140).": _blocked(_C.SPAM_REPUTATION),
    "552 5.2.2 Over quota SESSIONID=<cyrus-1-2-3>": _blocked(_C.QUOTA),
    "550 5.2.1 This mailbox has been blocked due to inactivity": _hard(_C.INACTIVE_MAILBOX),
    "554 IP=192.0.2.10 - A problem occurred. (Ask your postmaster for help or to contact tobr@rx.t-online.example to"
    " clarify.) (BL)": _blocked(_C.SPAM_REPUTATION),
    "552 5.1.1 <nobody@d.example> Boite du destinataire pleine. Mailbox full. LPN007_405": _blocked(_C.QUOTA),
    "550 5.1.1 <nobody@d.example>: Brak takiego konta": _hard(),
    "554 Nie ma takiego uzytkownika": _hard(),
    "550 5.7.1 Service unavailable; Client host [192.0.2.10] blocked using Trend Micro Email Reputation Service.": (
        _blocked(_C.SPAM_REPUTATION)
    ),
    "554 5.7.1 This message has been blocked because it contains FortiGuard - AntiSpam blocking URL(s).": _blocked(
        _C.POLICY
    ),
    "554 5.7.0 Reject, id=12345-01 - INFECTED: Eicar-Signature": _blocked(_C.VIRUS),
    "550 permanent failure for one or more recipients (nobody@d.example:550 5.1.1 User unknown)": _hard(),
    "550 permanent failure for one or more recipients (nobody@d.example:blocked)": _blocked(_C.POLICY),
    "550 Invalid Recipient - https://community.mimecast.example/docs/DOC-1369#550 [abcDEF-1.x]": _hard(),
    "550 csi.mimecast.example Poor Reputation Sender. - https://community.mimecast.example/docs#550": _blocked(
        _C.SPAM_REPUTATION
    ),
    "554 Blocked - see https://ipcheck.proofpoint.example/?ip=192.0.2.10": _blocked(_C.SPAM_REPUTATION),
    "550-5.7.1 We're writing to let you know that the group you tried to contact (g) may not exist, or you may not have"
    " permission to post messages to the group. 550 5.7.1 https://support.google.example/a": _blocked(_C.POLICY),
    "450-4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages from"
    " being delivered.": _soft(_C.RATE_LIMITED),
    "553 5.1.8 <bounces+x@in.example.com>: Sender address rejected: Domain not found": _blocked(_C.INVALID_SENDER),
    "550 5.1.7 <bounces+x@in.example.com>: Sender address rejected: User unknown": _blocked(_C.INVALID_SENDER),
    "550-Verification failed for <bounces+x@in.example.com> 550-Previous (cached) callout verification failure 550"
    " Sender verify failed": _blocked(_C.INVALID_SENDER),
    "450 4.1.1 <nobody@d.example>: Recipient address rejected: unverified address: Address lookup failed": _soft(
        _C.BAD_MAILBOX
    ),
}

# what Postfix says of its own: the status, then the words
_LOCAL = {
    ("5.1.1", 'unknown user: "nobody"'): _hard(),
    ("5.1.1", "user unknown. Command output: Invalid user specified."): _hard(),
    ("5.2.0", "can't create user output file. Command output: procmail: Quota exceeded while writing"): _blocked(
        _C.QUOTA
    ),
    ("5.2.2", "maildir delivery failed: error writing message: Disk quota exceeded"): _blocked(_C.QUOTA),
    ("5.4.6", "mail forwarding loop for nobody@d.example"): _blocked(_C.ROUTING),
    ("5.3.0", 'Command died with status 1: "/usr/bin/procmail"'): _blocked(_C.OTHER),
    ("5.6.7", "SMTPUTF8 is required, but was not offered by host mx.d.example[192.0.2.1]"): _blocked(_C.PROTOCOL),
    ("4.7.5", "Server certificate not verified"): _soft(_C.TLS),
    ("5.1.0", "Domain d.example does not accept mail (nullMX)"): _hard(_C.BAD_DOMAIN),
}


def _groupwise(why: str) -> bytes:
    return _plain(
        "From: Mailer-Daemon@d.example\nSubject: Message status - undeliverable\n",
        f"The message that you sent was undeliverable to the following:\n\t{_WHO} ({why})\n\n"
        f"Possibly truncated original message follows:\n\n{HEADER}",
    )


def _qmail(why: str) -> bytes:
    return _plain(
        "From: MAILER-DAEMON@mx.example\nSubject: failure notice\n",
        f"Hi. This is the qmail-send program at mx.example.\n\n<{_WHO}>:\n{why}\n{_COPY}",
    )


def _exim(why: str, diagnostic: str = "") -> bytes:
    return _report(
        _daemon("Mail delivery failed: returning message to sender"),
        "This message was created automatically by mail delivery software.\n\nThe following address(es) failed:\n\n"
        f"  {_WHO}\n    {why}\n",
        "5.0.0",
        diagnostic,
    )


def _powermta(status: str, diagnostic: str = "") -> bytes:
    text = f"Hello, this is the mail server on mta.example.\n\nThis report is about:\n\n<{_WHO}>\n"
    return _report(_daemon("Delivery report"), text, status, diagnostic, more="X-PowerMTA-BounceCategory: other\n")


_SERVERS: dict[str, Case] = {
    "smartermail": (
        _plain(
            "From: System Administrator <postmaster@d.example>\nSubject: Delivery Failure\n",
            f"Could not deliver message to the following recipient(s):\n\nFailed Recipient: {_WHO}\n"
            "Reason: Remote host said: 550 No such user here\n\n\n"
            f"   -- The header and top 20 lines of the message follows --\n\n{HEADER}",
        ),
        _FAILED,
        _hard(),
    ),
    "groupwise": (_groupwise("user not found"), _FAILED, _hard()),
    "groupwise, full": (_groupwise("mailbox full"), _FAILED, _blocked(_C.QUOTA)),
    "groupwise, content": (_groupwise("550 5.7.1 Message content rejected"), _FAILED, _blocked(_C.SPAM_CONTENT)),
    "domino, German": (
        _report(
            "From: postmaster@d.example\nSubject: ZUSTELLUNGSFEHLER: x\n",
            f"Ihr Dokument:\n\n  x\n\nkonnte nicht zugestellt werden an:\n\n  {_WHO}\n\nwegen:\n",
            "5.1.1",
            f"X-Notes; Benutzer nobody ({_WHO}) ist nicht im Domino-Verzeichnis aufgelistet",
        ),
        _FAILED,
        _hard(),
    ),
    "icewarp": (
        _plain(
            "From: MAILER-DAEMON@d.example\nSubject: Delivery Failure\n",
            f"The message was not delivered to the following recipient(s):\n\n<{_WHO}>\nRemote server: mx.d.example\n"
            f"Error: 550 5.1.1 <{_WHO}> User unknown; rejecting\n\n{HEADER}",
        ),
        _FAILED,
        _hard(),
    ),
    "stalwart": (
        _report(
            'From: "Mail Delivery Subsystem" <MAILER-DAEMON@mx.example>\nSubject: Failed to deliver message\n',
            f"There was a problem delivering your message to the following recipients:\n\n<{_WHO}> (host 'mx.d.example'"
            f" rejected command 'RCPT TO:<{_WHO}>' with code 550 (5.1.1) 'User unknown')\n",
            "5.1.1",
            "smtp;550 5.1.1 User unknown",
        ),
        _FAILED,
        _hard(),
    ),
    "stalwart, delayed": (
        _report(
            'From: "Mail Delivery Subsystem" <MAILER-DAEMON@mx.example>\nSubject: Warning: Delay in message delivery\n',
            f"There was a temporary problem delivering your message to the following recipients:\n\n<{_WHO}> (link"
            " to 'mx.d.example' failed: Connection refused)\n",
            "4.0.0",
            action="delayed",
        ),
        Kind.DELAYED,
        _NOTHING,
    ),
    "maddy": (
        _report(
            "From: Mail Delivery System <MAILER-DAEMON@mx.example>\nSubject: Undelivered Mail Returned to Sender\n",
            "Unfortunately, your message could not be delivered to one or more\nrecipients. The usual cause of this"
            f" problem is invalid\nrecipient address.\n\nDelivery to {_WHO} failed: Mailbox does not exist\n",
            "5.1.1",
            "smtp; 550 5.1.1 Mailbox does not exist",
        ),
        _FAILED,
        _hard(),
    ),
    "haraka, no status part": (
        _plain(
            "From: MAILER-DAEMON@mx.example\nSubject: failed to deliver: spring\n",
            "Hi. This is the Haraka Mailer program at mx.example.\n\nI wasn't able to deliver your message.\n"
            f"\nIntended Recipients: <{_WHO}>\nFailure Reason: 550 5.1.1 <{_WHO}>: user unknown\n{_COPY}",
        ),
        _FAILED,
        _hard(),
    ),
    "james": (
        _report(
            "From: MAILER-DAEMON@mx.example\nSubject: [BOUNCE] spring\n",
            f"Hi. This is the James mail server at mx.example.\n\nFailed recipient(s):\n{_WHO}\n\nError message:\n"
            "550 5.1.1 no such user\n",
            "unknown",
            "X-James; 550 5.1.1 no such user",
        ),
        _FAILED,
        _hard(),
    ),
    "powermta, no hosts": (
        _powermta("5.4.4 (unable to route: no mail hosts for domain)"),
        _FAILED,
        _hard(_C.BAD_DOMAIN),
    ),
    "powermta, no DNS": (_powermta("5.4.4 (unable to route: dns lookup failure)"), _FAILED, _soft(_C.DNS)),
    "powermta, disabled": (
        _powermta("5.2.1 (mailbox disabled, not accepting messages)", "smtp;550 account is disabled"),
        _FAILED,
        _hard(_C.INACTIVE_MAILBOX),
    ),
    "ezmlm": (
        _qmail("ezmlm-reject: fatal: Sorry, I don't accept messages from non-subscribers (#5.7.2)"),
        _FAILED,
        _blocked(_C.POLICY),
    ),
    "qmail, the sender": (
        _qmail(
            "Connected to 192.0.2.1 but sender was rejected.\n"
            "Remote host said: 553 sorry, your envelope sender domain must exist (#5.7.1)"
        ),
        _FAILED,
        _blocked(_C.INVALID_SENDER),
    ),
    "qmail, not its domain": (
        _qmail(
            "Sorry. Although I'm listed as a best-preference MX or A for that host,\n"
            "it isn't in my control/locals file, so I don't treat it as local. (#5.4.6)"
        ),
        _FAILED,
        _blocked(_C.ROUTING),
    ),
    "qmail, looping": (
        _qmail("This message is looping: it already has my Delivered-To line. (#5.4.6)"),
        _FAILED,
        _blocked(_C.ROUTING),
    ),
    "exim, LMTP": (
        _exim("LMTP error", f"smtp; 552 5.2.2 <{_WHO}> Mailbox is full / Blocks limit exceeded / Inode limit exceeded"),
        _FAILED,
        _blocked(_C.QUOTA),
    ),
    "exim, full": (_exim("mailbox is full:\n    retry timeout exceeded"), _FAILED, _blocked(_C.QUOTA)),
    "exim, :fail:": (_exim("No Such User Here"), _FAILED, _hard()),
    "exim, no hosts": (_exim("all relevant MX records point to non-existent hosts"), _FAILED, _hard(_C.BAD_DOMAIN)),
    "a mobile provider": (
        _plain(
            "From: Mail Delivery Subsystem <MAILER-DAEMON@mx.example>\nSubject: Mail System Error - Returned Mail\n",
            "Each of the following recipients was rejected by a remote mail server.\nThe server's reasons are"
            f" included.\n\n    Recipient: <{_WHO}>\n    >>> RCPT TO:<{_WHO}>\n    <<< 550 <{_WHO}>: User unknown\n",
        ),
        _FAILED,
        _hard(),
    ),
    "interscan": (
        _plain(
            'From: "InterScan MSS" <postmaster@d.example>\nSubject: Mail could not be delivered\n',
            f"Sent <<<  RCPT TO:<{_WHO}>\nReceived >>> 550 5.1.1 <{_WHO}>... User unknown\n"
            f"Unable to deliver message to <{_WHO}>.\n",
        ),
        _FAILED,
        _hard(),
    ),
    "mailmarshal, the reason first": (
        _plain(
            "From: MailMarshal <postmaster@d.example>\nSubject: Delivery Failure: spring\n",
            "Your message:\n   From:    news@example.com\n   Subject: spring\n\nCould not be delivered because of\n\n"
            f"550 5.1.1 User unknown\n\nThe following recipients were affected: \n    {_WHO}\n\nInformation\n",
        ),
        _FAILED,
        _hard(),
    ),
    "mcafee": (
        _plain(
            "From: MAILER-DAEMON@d.example\nSubject: Delivery Status\n",
            f"--- The following addresses had delivery problems ---\n\n<{_WHO}>   (User unknown {_WHO})\n\n{HEADER}",
        ),
        _FAILED,
        _hard(),
    ),
    "aliyun": (
        _html(
            "From: <postmaster@d.example>\nSubject: =?utf-8?b?57O757uf6YCA5L+h?=\n",
            f"<p>抱歉，您的邮件被退回来了……</p><table><tr><td>收件人</td><td>{_WHO}</td></tr>"
            "<tr><td>退信原因</td><td>550 5.1.1 User not found / 用户不存在</td></tr></table>",
        ),
        _FAILED,
        _hard(),
    ),
    "exchange, Russian": (
        _outlook("x", "Не удалось доставить сообщение\n", "5.1.1", "smtp;550 5.1.1 RESOLVER.ADR.RecipNotFound; x"),
        _FAILED,
        _hard(),
    ),
    "exchange, Hebrew, a policy": (
        _outlook(
            "x",
            "לא ניתן היה למסור את ההודעה\n",
            "5.7.1",
            "smtp;550 5.7.1 RESOLVER.RST.AuthRequired; authentication required",
        ),
        _FAILED,
        _blocked(_C.AUTHENTICATION),
    ),
    "exchange, expanded": (
        _outlook("Expanded: x", "The group was expanded\n", "2.0.0", "", action="expanded"),
        Kind.EXPANDED,
        _NOTHING,
    ),
    "exchange, relayed": (
        _outlook("Relayed: x", "Delivery is complete, but no notification\n", "2.0.0", "", action="relayed"),
        Kind.RELAYED,
        _NOTHING,
    ),
    "google groups": (
        _plain(
            f"From: Mail Delivery Subsystem <mailer-daemon@googlemail.example>\nX-Failed-Recipients: {_WHO}\n"
            "Subject: Delivery Status Notification (Failure)\n",
            f"Delivery to the following recipient failed permanently:\n\n     {_WHO}\n\nTechnical details of permanent"
            f" failure: \nMessage rejected by Google Groups. Please visit https://x.example\n\n{HEADER}",
        ),
        _FAILED,
        _blocked(_C.POLICY),
    ),
    "a code before the status": (
        _report(_daemon("Undelivered Mail"), f"{_WHO}: user unknown\n", "550 5.1.1", "smtp; 550 5.1.1 user unknown"),
        _FAILED,
        _hard(),
    ),
    "sendmail 8.8, a transcript alone": (
        _plain(
            "From: Mail Delivery Subsystem <MAILER-DAEMON@mx.example>\nSubject: Returned mail: User unknown\n",
            f"   ----- The following addresses had permanent fatal errors -----\n<{_WHO}>\n\n"
            "   ----- Transcript of session follows -----\n... while talking to mx.d.example.:\n"
            f">>> RCPT To:<{_WHO}>\n<<< 550 <{_WHO}>... User unknown\n550 5.1.1 <{_WHO}>... User unknown\n",
        ),
        _FAILED,
        _hard(),
    ),
    # nothing follows from these
    "an X.400 name": (
        _report(_daemon("Undeliverable"), "Report\n", "5.1.1", "X400; 1", final="x400; /S=nobody/C=de/"),
        Kind.UNREADABLE,
        [],
    ),
    "mailscanner": (
        _plain(
            'From: "MailScanner" <postmaster@d.example>\nSubject: Warning: E-mail viruses detected\n',
            f"Our virus detector has just been triggered by a message you sent:-\n  To: {_WHO}\n",
        ),
        Kind.AUTO_REPLY,
        [],
    ),
    "mailman": (
        _plain(
            "From: list-bounces@d.example\nSubject: Request to mailing list list rejected\nPrecedence: bulk\n",
            "Your request to the list@d.example mailing list has been rejected by the list moderator.\n",
        ),
        Kind.AUTO_REPLY,
        [],
    ),
    "listserv": (
        _plain(
            'From: "LISTSERV Server" <LISTSERV@d.example>\nSubject: Rejected posting to LIST@d.example\n',
            f"You are not authorized to send mail to the LIST list from your {PATH} account.\n\n{HEADER}",
        ),
        Kind.AUTO_REPLY,
        [],
    ),
    "deleted unread, German": (
        octets(
            f"From: Ann <{_WHO}>\nTo: {PATH}\nSubject: Nicht gelesen: x\nMIME-Version: 1.0\n"
            'Content-Type: multipart/report; report-type=disposition-notification; boundary="v1"\n\n'
            "--v1\nContent-Type: text/plain\n\nIhre Nachricht wurde ungelesen entfernt.\n"
            "--v1\nContent-Type: message/disposition-notification\n\n"
            f"Final-Recipient: rfc822;{_WHO}\nDisposition: automatic-action/MDN-sent-automatically; deleted\n\n--v1--\n"
        ),
        Kind.DISPOSITION,
        [],
    ),
    "a report that a person asks about": (
        octets(
            f"From: Bob <bob@d.example>\nTo: {PATH}\nSubject: Fwd: Undelivered Mail Returned to Sender\n"
            'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="v0"\n\n'
            "--v0\nContent-Type: text/plain\n\nWhat is this?\n"
            "--v0\nContent-Type: message/rfc822\n\nFrom: MAILER-DAEMON@mx.example\n"
            'Content-Type: multipart/report; report-type=delivery-status; boundary="v1"\n\n'
            "--v1\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\n"
            f"Final-Recipient: rfc822; {_WHO}\nAction: failed\nStatus: 5.1.1\n\n--v1--\n\n--v0--\n"
        ),
        Kind.LOOP,
        [],
    ),
}


def _status_of(reply: str) -> str:
    return next((word for word in reply.replace("-", " ").split()[:2] if word.count(".") == 2), "5.0.0")


RARER_REPORTS: dict[str, Case] = {
    **{
        f"exchange online: {said}": (
            _outlook("Undeliverable: x", "It couldn't be delivered.\n", said.split()[0], f"smtp;550 {said}"),
            _FAILED,
            wanted,
        )
        for said, wanted in _ONLINE.items()
    },
    **{
        f"cisco: {said}": (
            _report(_daemon("x"), f"{said}\n", said[:5], f"smtp; {said} (delivery attempts: 0)"),
            _FAILED,
            wanted,
        )
        for said, wanted in _ESA.items()
    },
    **{
        f"said: {said}": (
            _postfix(f"<{_WHO}>: host mx said: {said}\n", _status_of(said), f"smtp; {said}"),
            _FAILED,
            wanted,
        )
        for said, wanted in _SAID.items()
    },
    **{
        f"postfix: {said}": (_postfix(f"<{_WHO}>: {said}\n", status, f"X-Postfix; {said}"), _FAILED, wanted)
        for (status, said), wanted in _LOCAL.items()
    },
    **_SERVERS,
}
