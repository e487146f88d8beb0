"""The personas, and what single addresses can ask for.

The providers' figures are those that the shipped shaping table rests on. Whatever a persona refuses for the time
being, it takes within its first tries, except where its line says otherwise.
"""

from __future__ import annotations

from dataclasses import replace

from bulkmail.rehearsal.behaviour import Behaviour, DnsKind, Layout, Persona, Step, Then, Tls

_UNKNOWN = b"550 5.1.1 The email account that you tried to reach does not exist\r\n"
_LATER = b"451 4.3.0 Temporary lookup failure, try again later\r\n"
_FULL = b"552 5.2.2 The mailbox is over quota\r\n"
_SPAM = b"550 5.7.1 This message looks like spam and was rejected\r\n"
_ENOUGH = b"421 4.7.0 Too many messages in this connection, please reconnect\r\n"

_REFUSES = (
    Behaviour(Step.RCPT, _UNKNOWN, local=("unknown", "bounce")),
    Behaviour(Step.RCPT, _UNKNOWN, share=0.3),
)


def _mx(*hosts: str, first: int = 10, step: int = 10) -> Layout:
    return Layout(hosts=tuple((first + step * rank, host) for rank, host in enumerate(hosts)))


def _equal_mx(preference: int, *hosts: str) -> Layout:
    return Layout(hosts=tuple((preference, host) for host in hosts))


_GOOGLE = Persona(
    "google",
    "Gmail: five MX hosts, 50 messages a connection, at times 421 4.7.28",
    Layout(
        hosts=(
            (5, "gmail-smtp-in.l.google.com"),
            (10, "alt1.gmail-smtp-in.l.google.com"),
            (20, "alt2.gmail-smtp-in.l.google.com"),
            (30, "alt3.gmail-smtp-in.l.google.com"),
            (40, "alt4.gmail-smtp-in.l.google.com"),
        )
    ),
    (
        Behaviour(Step.RCPT, b"550-5.1.1 The email account that you tried to reach does not exist. Please try\r\n"
                  b"550 5.1.1 double-checking the recipient's email address for typos - gsmtp\r\n", share=0.01),
        Behaviour(Step.DOT, b"421-4.7.28 Our system has detected an unusual rate of mail from your address.\r\n"
                  b"421 4.7.28 To protect our users it has been temporarily rate limited. - gsmtp\r\n",
                  Then.CLOSE, share=0.003, tries=1),
    ),
    chunking=True,
    connections=20,
    messages=50,
    messages_reply=_ENOUGH,
    pooled=True,
)  # fmt: skip

_PROVIDERS = (
    _GOOGLE,
    replace(
        _GOOGLE,
        name="google-workspace",
        about="a company at Google",
        dns=Layout(
            hosts=(
                (1, "aspmx.l.google.com"),
                (5, "alt1.aspmx.l.google.com"),
                (5, "alt2.aspmx.l.google.com"),
                (10, "alt3.aspmx.l.google.com"),
                (10, "alt4.aspmx.l.google.com"),
            )
        ),
    ),
    Persona(
        "yahoo",
        "Yahoo: closes without a word after 20 messages",
        _equal_mx(1, "mta5.am0.yahoodns.net", "mta6.am0.yahoodns.net", "mta7.am0.yahoodns.net"),
        (
            Behaviour(Step.RCPT, b"554 30 Sorry, your message cannot be delivered. This mailbox is disabled "
                      b"(554.30).\r\n", share=0.02),
        ),
        connections=20,
        messages=20,
        pooled=True,
    ),
    Persona(
        "yahoo-jp",
        "Yahoo! JAPAN: 3 connections, 20 messages each",
        _equal_mx(10, "mx1.mail.yahoo.co.jp", "mx2.mail.yahoo.co.jp", "mx3.mail.yahoo.co.jp"),
        connections=3,
        messages=20,
        pooled=True,
    ),
    Persona(
        "outlook",
        "Outlook.com and Hotmail",
        _equal_mx(2, "{dashed}.olc.protection.outlook.com"),
        (
            Behaviour(Step.RCPT, b"550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).\r\n",
                      share=0.015),
        ),
        chunking=True,
        connections=10,
        connections_reply=b"421 4.3.2 The maximum number of concurrent connections has exceeded a limit, closing "
        b"transmission channel\r\n",
        messages=50,
        messages_reply=_ENOUGH,
        pooled=True,
    ),
    Persona(
        "office365",
        "a company at Microsoft 365",
        _equal_mx(0, "{dashed}.mail.protection.outlook.com"),
        (
            Behaviour(Step.RCPT, b"550 5.4.1 Recipient address rejected: Access denied.\r\n", share=0.02),
            Behaviour(Step.MAIL, b"451 4.7.500 Server busy. Please try again later from [127.0.0.1].\r\n",
                      share=0.005),
        ),
        chunking=True,
        connections=20,
        messages=50,
        messages_reply=_ENOUGH,
        pooled=True,
    ),
    Persona(
        "apple",
        "iCloud: 5 messages a connection",
        _equal_mx(10, "mx01.mail.icloud.com", "mx02.mail.icloud.com"),
        connections=12,
        messages=5,
        pooled=True,
    ),
    Persona(
        "gmx",
        "GMX and WEB.DE: 5 connections",
        _equal_mx(10, "mx00.emig.gmx.net", "mx01.emig.gmx.net"),
        connections=5,
        connections_reply=b"421 gmx.net Service not available: too many connections from your IP address\r\n",
        messages=20,
        messages_reply=_ENOUGH,
        pooled=True,
    ),
    Persona(
        "orange",
        "Orange and Wanadoo: 3 connections",
        _mx("smtp-in.orange.fr"),
        connections=3,
        connections_reply=b"421 opmta1 Service refuse. Trop de connexions, veuillez verifier votre configuration. "
        b"OFR_104\r\n",
        pooled=True,
    ),
    Persona(
        "qq",
        "QQ: 8 messages a connection",
        _mx("mx3.qq.com", "mx2.qq.com", "mx1.qq.com"),
        connections=6,
        messages=8,
        pooled=True,
    ),
    Persona(
        "netease",
        "163 and 126: 7 messages a connection",
        _mx("163mx01.mxmail.netease.com", "163mx02.mxmail.netease.com", "163mx03.mxmail.netease.com", step=0),
        connections=6,
        messages=7,
        pooled=True,
    ),
    Persona(
        "comcast",
        "Comcast",
        _mx("mx2c1.comcast.net", "mx1a1.comcast.net", first=5, step=0),
        connections=25,
        messages=1000,
        pooled=True,
    ),
    Persona(
        "mimecast",
        "a company behind Mimecast",
        _equal_mx(10, "eu-smtp-inbound-1.mimecast.com", "eu-smtp-inbound-2.mimecast.com"),
        connections=10,
        messages=100,
        pooled=True,
    ),
    Persona(
        "barracuda",
        "a company behind Barracuda: 15 messages a connection",
        _mx("d{pool}a.ess.barracudanetworks.com", "d{pool}b.ess.barracudanetworks.com"),
        connections=10,
        messages=15,
        pooled=True,
    ),
)  # fmt: skip

_ORDINARY = (
    Persona("accept", "takes everything"),
    Persona("relay", "takes everything, for any domain", relays=True),
    Persona("two-mx", "takes everything, at two MX hosts", _mx("mx1.{domain}", "mx2.{domain}")),
    Persona("hosting", "shares its MX hosts with many other domains",
            _mx("mx1.pool{pool}.hosting.example", "mx2.pool{pool}.hosting.example"), connections=50),
    Persona("implicit", "has an address and no MX (RFC 5321 5.1)", Layout(DnsKind.IMPLICIT, ((0, "{domain}"),))),
    Persona("chunking", "offers CHUNKING (RFC 3030)", chunking=True),
    Persona("one-by-one", "offers no PIPELINING", pipelining=False),
    Persona("no-tls", "offers no STARTTLS", tls=Tls.NONE),
    Persona("tls-only", "insists on STARTTLS", tls=Tls.REQUIRED),
    Persona("broken-tls", "offers STARTTLS, and the handshake fails", tls=Tls.BROKEN),
    Persona("one-segment", "never answers a TLS hello of more than one segment", tls=Tls.ONE_SEGMENT),
    Persona("ascii", "offers no SMTPUTF8", smtputf8=False),
    Persona("small", "takes messages up to 4,000 bytes", size=4000),
)  # fmt: skip

_DIFFICULT = (
    Persona("greylist", "greylists for 5 minutes (RFC 6647)", greylist=300.0),
    Persona("defer", "35 % of the mailboxes answer 451 at the first two tries",
            behaviours=(Behaviour(Step.RCPT, _LATER, share=0.35, tries=2),)),
    Persona("defer-dot", "35 % of the messages get 451 after the dot, at the first try",
            behaviours=(Behaviour(Step.DOT, _LATER, share=0.35, tries=1),)),
    Persona("refuse", "30 % of the mailboxes do not exist, nor any that starts with `unknown` or `bounce`",
            behaviours=_REFUSES),
    Persona("full", "40 % of the mailboxes are full", behaviours=(Behaviour(Step.RCPT, _FULL, share=0.4),)),
    Persona("spam", "refuses every message as spam after the dot", behaviours=(Behaviour(Step.DOT, _SPAM),)),
    Persona("blocklist", "refuses our address at MAIL", behaviours=(
        Behaviour(Step.MAIL, b"550 5.7.1 Service unavailable; client host [127.0.0.1] is on our block list\r\n"),)),
    Persona("slow", "takes 3 seconds to greet, 1 for each recipient and 5 for each message", behaviours=(
        Behaviour(Step.CONNECT, wait=3.0), Behaviour(Step.RCPT, wait=1.0), Behaviour(Step.DOT, wait=5.0))),
    Persona("busy", "takes 2 connections at once, the others get 421", connections=2),
    Persona("short", "takes 5 messages a connection, then says 421", messages=5, messages_reply=_ENOUGH),
    Persona("hang-up", "closes without a word after 5 messages", messages=5),
    Persona("rate", "takes 20 messages a second, the others get 450", rate=20.0),
    Persona("secret", "takes 37 messages a second, after 3 minutes twice that, and 4 connections; the others get 421",
            connections=4, rate=37.0, rate_doubles=180.0, rate_step=Step.RCPT,
            rate_reply=b"421 4.7.28 Too much mail from your address, slow down\r\n"),
    Persona("half-dead", "its first MX host refuses connections",
            Layout(hosts=((10, "mx1.{domain}"), (20, "mx2.{domain}")), down=("mx1.{domain}",))),
    Persona("drop-after-dot", "takes half of the messages and closes without a reply, at the first try", behaviours=(
        Behaviour(Step.DOT, b"", Then.CLOSE, stores=True, share=0.5, tries=1),)),
    Persona("keep-silent", "takes each message and never answers, at the first try", behaviours=(
        Behaviour(Step.DOT, b"", Then.SILENCE, stores=True, tries=1),)),
    Persona("goodbye", "says 421 in place of about every fourth reply to MAIL", behaviours=(
        Behaviour(Step.MAIL, b"421 4.3.2 System going down, try again later\r\n", Then.CLOSE, share=0.25),)),
)  # fmt: skip

_HOPELESS = (
    Persona("dead", "its MX host refuses connections", Layout(down=("mx.{domain}",))),
    Persona("null-mx", "says that it takes no mail (RFC 7505)", Layout(DnsKind.NULL, ())),
    Persona("empty", "has neither MX nor address", Layout(DnsKind.EMPTY, ())),
    Persona("nxdomain", "does not exist", Layout(DnsKind.NXDOMAIN, ())),
    Persona("servfail", "its nameservers fail", Layout(DnsKind.SERVFAIL, ())),
    Persona("dns-silent", "its nameservers do not answer", Layout(DnsKind.SILENT, ())),
    Persona("lost-mx", "its MX host does not exist", Layout(lost=("mx.{domain}",))),
    Persona("many-mx", "has 60 MX hosts: the answer needs TCP",
            Layout(hosts=tuple((10 + rank, f"mx{rank}.{{domain}}") for rank in range(60)))),
    Persona("tempfail", "answers 451 to every recipient, for ever", behaviours=(Behaviour(Step.RCPT, _LATER),)),
    Persona("mute", "never greets", behaviours=(Behaviour(Step.CONNECT, b"", Then.SILENCE),)),
    Persona("slam", "closes instead of greeting", behaviours=(Behaviour(Step.CONNECT, b"", Then.CLOSE),)),
    Persona("reset", "resets the connection after MAIL", behaviours=(Behaviour(Step.MAIL, b"", Then.ABORT),)),
    Persona("closed", "greets with 554", behaviours=(
        Behaviour(Step.CONNECT, b"554 5.3.2 No SMTP service here\r\n", Then.CLOSE),)),
    Persona("garbage", "speaks another language than SMTP", behaviours=(
        Behaviour(Step.CONNECT, b"\x00\x01\xfe\xffHTTP/1.1 400 Bad Request\r\n\r\n", Then.CLOSE),)),
    Persona("garbage-dot", "answers the dot with nonsense, and keeps the message", behaviours=(
        Behaviour(Step.DOT, b"250ok\r\n\x1b[31m999 \xff\r\n", Then.CLOSE, stores=True),)),
    Persona("wrong-class", "answers DATA with 250", behaviours=(Behaviour(Step.DATA, b"250 2.0.0 Ok\r\n"),)),
    Persona("two-replies", "answers RCPT twice", behaviours=(
        Behaviour(Step.RCPT, b"250 2.1.5 Ok\r\n250 2.1.5 Ok\r\n"),)),
)  # fmt: skip

PERSONAS: dict[str, Persona] = {persona.name: persona for persona in (*_PROVIDERS, *_ORDINARY, *_DIFFICULT, *_HOPELESS)}

# What an address asks for, at any domain: `full@`; with a code, `bounce+550@`; at its first tries, `tempfail+2@`.
_BY_WORD: dict[str, Behaviour] = {
    "bounce": Behaviour(Step.RCPT, _UNKNOWN),
    "tempfail": Behaviour(Step.RCPT, _LATER),
    "greylist": Behaviour(Step.RCPT, b"451 4.7.1 Greylisted, try again in 300 seconds\r\n", tries=1),
    "full": Behaviour(Step.RCPT, _FULL),
    "spam": Behaviour(Step.DOT, _SPAM),
    "slow": Behaviour(Step.RCPT, wait=10.0),
    "slow-dot": Behaviour(Step.DOT, wait=30.0),
    "close": Behaviour(Step.RCPT, b"", Then.CLOSE),
    "reset": Behaviour(Step.RCPT, b"", Then.ABORT),
    "silence": Behaviour(Step.RCPT, b"", Then.SILENCE),
    "goodbye": Behaviour(Step.RCPT, b"421 4.3.2 Closing down\r\n", Then.CLOSE),
    "drop-after-dot": Behaviour(Step.DOT, b"", Then.CLOSE, stores=True, tries=1),
    "keep-silent": Behaviour(Step.DOT, b"", Then.SILENCE, stores=True, tries=1),
    "garbage": Behaviour(Step.RCPT, b"\xff\xfe what?\r\n", Then.CLOSE),
}
_CODES = {4: b"%d 4.0.0 As the address asked for, try again later\r\n", 5: b"%d 5.0.0 As the address asked for\r\n"}


def asked_for(local: str) -> Behaviour | None:
    """Return the misbehaviour that a local part asks for; None for nearly all of them."""
    word, plus, rest = local.lower().partition("+")
    behaviour = _BY_WORD.get(word)
    if behaviour is None or not plus or not (rest.isascii() and rest.isdigit()) or len(rest) > 3:
        return behaviour
    number = int(rest)
    if 400 <= number <= 599:
        return replace(behaviour, reply=_CODES[number // 100] % number)
    return replace(behaviour, tries=number)
