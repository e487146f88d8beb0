"""The hostile personas: each does one thing wrong that real servers, broken ones or attackers have done.

Ask for one by its name under ``.test``, as for any persona; `tests/behaviour/hostile` has one test for each kind of
fault. Waits are in real seconds, as everywhere: one byte in two seconds is a crawl at any speed.
"""

from __future__ import annotations

from typing import Any

from bulkmail.rehearsal.behaviour import Behaviour, Certificate, Layout, Persona, Step, Then, Tls

_DRIP = 2.0
_IDLE = 4.0
_OK = b"250 2.0.0 Ok\r\n"
_ODD_OFFERS = (
    b"250-mx is glad to meet you\r\n250-pipelining\r\n250-PIPELINING\r\n250-SIZE abc\r\n"
    b"250-size 99999999999999999999999999\r\n250-AUTH=LOGIN\r\n250-\r\n250-8BITMIME maybe\r\n"
    b"250-X-\x01\xff\r\n250 HELP\r\n"
)
_UGLY = b'550 =HYPERLINK("http://evil.example") \x00\x1b[31m<script>alert(1)</script>\x07 \xff\xfe \xe2\x80\xae,";\r\n'


def _at(step: Step, reply: bytes | None = None, then: Then = Then.GO_ON, **more: Any) -> Behaviour:
    return Behaviour(step, reply, then, **more)


def _says(step: Step, words: bytes, **more: Any) -> Behaviour:
    """Return the behaviour that takes the step and replies in these words."""
    return Behaviour(step, words, does=True, **more)


def _next_to(*hosts: str) -> Layout:
    """Return a layout with MX hosts of other personas before its own."""
    return Layout(hosts=(*((10 * n, host) for n, host in enumerate(hosts, 1)), (90, "mx.{domain}")))


def _persona(name: str, about: str, *behaviours: Behaviour, **options: Any) -> Persona:
    return Persona(name, about, behaviours=behaviours, **options)


_CONNECTING = (
    _persona("hole", "connecting is never answered", dns=Layout(holes=("mx.{domain}",))),
    _persona("half-hole", "connecting to its first MX host is never answered",
             dns=Layout(hosts=((10, "mx1.{domain}"), (20, "mx2.{domain}")), holes=("mx1.{domain}",))),
    _persona("rst", "resets the connection instead of greeting", _at(Step.CONNECT, b"", Then.ABORT)),
    _persona("second-mx", "its first four MX hosts close, reset, refuse the greeting, and refuse EHLO and HELO",
             dns=_next_to("mx.slam.test", "mx.rst.test", "mx.closed.test", "mx.no-hello.test")),
    _persona("greets-421", "greets with 421, at the first connection", _at(Step.CONNECT, b"421 4.3.2 Not now\r\n",
             Then.CLOSE, tries=1)),
    _persona("greets-450", "greets with 450, at the first connection", _at(Step.CONNECT, b"450 4.3.2 Busy\r\n",
             tries=1)),
    _persona("greets-521", "takes no mail, and greets with 521 (RFC 7504)",
             _at(Step.CONNECT, b"521 5.3.2 No mail here\r\n")),
    _persona("two-greetings", "greets twice", _at(Step.CONNECT, more=b"220 and again\r\n")),
    _persona("half-close", "greets, and closes its direction", _at(Step.CONNECT, None, Then.HALF_CLOSE)),
)  # fmt: skip

_LENGTH = (
    _persona("drip", "greets one byte in two seconds", _at(Step.CONNECT, drip=_DRIP)),
    _persona("drip-dot", "answers the dot one byte in two seconds", _at(Step.DOT, drip=_DRIP)),
    _persona("endless-lines", "its greeting has no last line", _at(Step.CONNECT, b"220-and\r\n", Then.REPEAT)),
    _persona("endless-ehlo", "offers extensions for ever", _at(Step.EHLO, b"250-X-MORE and more\r\n", Then.REPEAT)),
    _persona("endless-dot", "answers the dot with a reply that has no last line",
             _at(Step.DOT, b"250-2.0.0 taken\r\n", Then.REPEAT)),
    _persona("endless-line", "its greeting has no line end", _at(Step.CONNECT, b"220 and so on ", Then.REPEAT)),
    _persona("endless-line-dot", "answers the dot with a line that has no end",
             _at(Step.DOT, b"250 and so on ", Then.REPEAT)),
    _persona("many-lines", "greets with 301 lines",
             _says(Step.CONNECT, b"220-Welcome, and please read all of this\r\n" * 300 + b"220 mx\r\n")),
    _persona("crumbs", "answers with bare codes, byte by byte", *(
        _says(step, words, drip=0.1) for step, words in (
            (Step.CONNECT, b"220\r\n"), (Step.MAIL, b"250\r\n"), (Step.RCPT, b"250 \r\n"), (Step.DOT, b"250\r\n")))),
)  # fmt: skip

_HELLO = (
    _persona("mute-at-ehlo", "never answers EHLO", _at(Step.EHLO, b"", Then.SILENCE)),
    _persona("close-at-ehlo", "closes at EHLO", _at(Step.EHLO, b"", Then.CLOSE)),
    _persona("helo-only", "answers EHLO with 502", _at(Step.EHLO, b"502 5.5.1 Not implemented\r\n"), tls=Tls.NONE),
    _persona("no-hello", "refuses EHLO and HELO", _at(Step.EHLO, b"502 5.5.1 No\r\n"),
             _at(Step.HELO, b"502 5.5.1 No\r\n")),
    _persona("odd-offers", "offers extensions in odd ways", _says(Step.EHLO, _ODD_OFFERS)),
    _persona("mirror", "calls itself what the client does", _says(Step.EHLO, b"250-{you} hello\r\n250 PIPELINING\r\n")),
    _persona("no-8bit", "offers no 8BITMIME", eight_bit=False),
    _persona("early", "answers MAIL before it came", _at(Step.EHLO, more=b"250 2.1.0 Sender ok\r\n")),
)  # fmt: skip

_REPLIES = (
    _persona("mixed-codes", "answers the dot with two codes in one reply",
             _at(Step.DOT, b"250-2.0.0 Ok\r\n550 5.7.1 No\r\n")),
    _persona("mixed-codes-rcpt", "answers RCPT with two codes in one reply",
             _at(Step.RCPT, b"550-5.1.1 Ok\r\n250 2.1.5 Ok\r\n")),
    _persona("forwards", "answers RCPT with 251", _says(Step.RCPT, b"251 2.1.5 Not local; will forward\r\n")),
    _persona("cannot-verify", "answers RCPT with 252", _says(Step.RCPT, b"252 2.1.5 Cannot verify; will try\r\n")),
    _persona("no-parameters", "answers MAIL with 555", _at(Step.MAIL, b"555 5.5.4 Unsupported option: SIZE\r\n")),
    _persona("early-354", "answers MAIL with 354", _at(Step.MAIL, b"354 Go ahead\r\n")),
    _persona("354-at-the-dot", "answers the dot with 354", _at(Step.DOT, b"354 Go on\r\n")),
    _persona("354-at-rcpt", "answers RCPT with 354", _at(Step.RCPT, b"354 Go on\r\n")),
    *(_persona(f"code-{code}", f"answers RCPT with {code}", _at(Step.RCPT, b"%s 5.1.1 What?\r\n" % code.encode()))
      for code in ("000", "199", "600", "850", "5500", "55")),
    _persona("code-850-at-the-dot", "answers the dot with 850", _at(Step.DOT, b"850 5.7.1 What?\r\n")),
    _persona("empty-lines", "says empty lines before its answers to RCPT",
             _at(Step.RCPT, b"\r\n\r\n250 2.1.5 Ok\r\n")),
    _persona("noise-at-the-dot", "says something else before its answer to the dot, and keeps the message",
             _at(Step.DOT, b"please hold the line\r\n250 2.0.0 Ok\r\n", stores=True, tries=1)),
    _persona("ugly-words", "refuses with control characters, HTML and a formula", _at(Step.RCPT, _UGLY)),
    _persona("bare-cr", "has a bare CR in its answers", _says(Step.DOT, b"250 2.0.0 Ok\rindeed\r\n")),
    _persona("bare-lf", "ends its lines with a bare LF", *(_says(step, words) for step, words in (
        (Step.CONNECT, b"220 mx\n"), (Step.EHLO, b"250-mx\n250 PIPELINING\n"), (Step.MAIL, b"250 Ok\n"),
        (Step.RCPT, b"250 Ok\n"), (Step.DATA, b"354 Go\n"), (Step.DOT, b"250 2.0.0 Ok\n")))),
    _persona("lying-codes", "its enhanced codes contradict the codes",
             _at(Step.RCPT, b"550 2.1.5 Recipient ok\r\n", local=("refused",)),
             _says(Step.DOT, b"250 5.7.1 Refused\r\n")),
    _persona("surplus", "answers the dot twice", _says(Step.DOT, _OK + _OK)),
    _persona("surplus-refusal", "says 550 after its 250 to the dot", _says(Step.DOT, _OK + b"550 5.7.1 No\r\n")),
    _persona("too-few", "never answers RCPT, and goes on", _says(Step.RCPT, b"")),
    _persona("refuses-us", "answers MAIL with 550 5.7.1", _at(Step.MAIL, b"550 5.7.1 We do not want your mail\r\n")),
)  # fmt: skip

_GROUPS = (
    _persona("drops-groups", "offers PIPELINING, and forgets what came behind MAIL", _at(Step.MAIL, None, Then.FORGET)),
    _persona("refuses-groups", "offers PIPELINING, and refuses what comes in a group",
             _at(Step.RCPT, b"503 5.5.1 Bad sequence of commands\r\n", behind=True)),
    _persona("nested-mail", "takes MAIL behind a message for a nested one",
             _at(Step.MAIL, b"503 5.5.1 Error: nested MAIL command\r\n", behind=True)),
    _persona("some-refused", "refuses who starts with `unknown` and puts off who starts with `later`",
             _at(Step.RCPT, b"550 5.1.1 No such user\r\n", local=("unknown",)),
             _at(Step.RCPT, b"452 4.2.2 Mailbox full\r\n", local=("later",))),
    _persona("open-data", "refuses every recipient, and yet asks for the message",
             _at(Step.RCPT, b"550 5.1.1 No such user\r\n"), open_data=True),
    _persona("two-recipients", "takes two recipients a message, the others get 452 4.5.3", recipients=2),
    _persona("bdat-refused", "offers CHUNKING, and refuses BDAT",
             _at(Step.CHUNK, b"502 5.5.1 BDAT is not implemented\r\n"), chunking=True),
    _persona("bdat-twice", "offers CHUNKING, and answers a message twice", _says(Step.DOT, _OK + _OK), chunking=True),
    _persona("bdat-nested", "offers CHUNKING, and takes MAIL behind a message for a nested one",
             _at(Step.MAIL, b"503 5.5.1 Error: nested MAIL command\r\n", behind=True), chunking=True),
    _persona("bdat-lost", "offers CHUNKING, and answers the first RCPT of `user1` with 503",
             _at(Step.RCPT, b"503 5.5.1 Bad sequence of commands\r\n", local=("user1",), tries=1), chunking=True),
    _persona("bdat-close", "offers CHUNKING, and closes at BDAT, at the first try",
             _at(Step.CHUNK, b"", Then.CLOSE, tries=1), chunking=True),
)  # fmt: skip

_ENDINGS = (
    *(_persona(f"421-at-{step}", f"says 421 at {step.upper()}, the first time",
               _at(step, b"421 4.3.2 Closing down\r\n", Then.CLOSE, tries=1))
      for step in (Step.EHLO, Step.MAIL, Step.RCPT, Step.DATA, Step.DOT)),
    *(_persona(f"silent-at-{step}", f"falls silent at {step.upper()}, the first time",
               _at(step, b"", Then.SILENCE, tries=1))
      for step in (Step.STARTTLS, Step.MAIL, Step.RCPT, Step.DATA)),
    _persona("stops-reading", "reads nothing of a message", _at(Step.DATA, None, Then.STOP_READING), window=4096),
    _persona("stops-midway", "reads half a message", _at(Step.BODY, b"", Then.STOP_READING, after=200_000),
             window=4096),
    _persona("reads-slowly", "reads 2,000 bytes a second", window=4096, reads=2000),
    _persona("early-550", "refuses a message in its middle", _at(Step.BODY, b"550 5.7.1 Not this\r\n", Then.CLOSE,
             after=2000)),
    _persona("early-451", "puts off a message in its middle", _at(Step.BODY, b"451 4.3.0 Not now\r\n", Then.CLOSE,
             after=2000)),
    _persona("cut", "resets the connection in the middle of a message, at the first try",
             _at(Step.BODY, b"", Then.ABORT, after=500, tries=1)),
    *(_persona(f"dot-{name}", f"keeps the message, {about} in place of its answer, at the first try",
               _at(Step.DOT, words, then, stores=True, tries=1))
      for name, about, words, then in (
          ("close", "and closes", b"", Then.CLOSE), ("reset", "and resets the connection", b"", Then.ABORT),
          ("silence", "and falls silent", b"", Then.SILENCE), ("half", "and says `25` and closes", b"25", Then.CLOSE),
          ("451", "and says 451", b"451 4.3.0 Queue write error\r\n", Then.GO_ON))),
    _persona("451-at-the-dot", "puts off a message after the dot, at the first try",
             _at(Step.DOT, b"451 4.3.0 Try again\r\n", tries=1)),
    _persona("ok-close", "closes behind its 250 to the dot", _at(Step.DOT, None, Then.CLOSE)),
    _persona("ok-421", "says 421 behind its 250 to the dot",
             _at(Step.DOT, None, Then.CLOSE, more=b"421 4.3.2 Bye\r\n")),
    _persona("quit-silent", "never answers QUIT", _at(Step.QUIT, b"", Then.SILENCE)),
    _persona("no-rset", "refuses RSET, and who starts with `unknown`", _at(Step.RSET, b"502 5.5.1 No\r\n"),
             _at(Step.RCPT, b"550 5.1.1 No such user\r\n", local=("unknown",))),
    _persona("idle-close", "closes when nothing is said for four seconds after a message",
             _at(Step.DOT, None, Then.CLOSE, pause=_IDLE)),
    _persona("idle-421", "says 421 when nothing is said for four seconds after a message",
             _at(Step.DOT, None, Then.CLOSE, pause=_IDLE, more=b"421 4.4.2 Idle for too long\r\n")),
    _persona("idle-250", "says 250, unasked, when nothing is said for four seconds after a message",
             _at(Step.DOT, pause=_IDLE, more=b"250 2.0.0 Still here\r\n")),
    _persona("one-slow-mx", "has two equal MX hosts, of which one takes 5 seconds for each message",
             dns=Layout(hosts=((10, "mx.slow.test"), (10, "mx.{domain}")))),
    _persona("shared", "has one MX host for all its domains, and takes 5 connections", connections=5, pooled=True,
             dns=Layout(hosts=((10, "mx.all-of-them.shared.test"),))),
    _persona("chaos", "breaks at any step in any way, now and then", *(
        _at(step, words, then, share=0.03, tries=1, stores=stores)
        for step, words, then, stores in (
            (Step.RCPT, b"451 4.3.0 Later\r\n", Then.GO_ON, False), (Step.RCPT, b"", Then.CLOSE, False),
            (Step.RCPT, b"", Then.ABORT, False), (Step.RCPT, b"421 4.3.2 Bye\r\n", Then.CLOSE, False),
            (Step.RCPT, b"what?\r\n", Then.GO_ON, False), (Step.DATA, _OK, Then.GO_ON, False),
            (Step.DATA, b"451 4.3.0 Later\r\n", Then.GO_ON, False), (Step.DATA, b"", Then.CLOSE, False),
            (Step.DOT, b"451 4.3.0 Later\r\n", Then.GO_ON, False), (Step.DOT, b"", Then.CLOSE, True),
            (Step.DOT, b"", Then.ABORT, True), (Step.DOT, b"25", Then.CLOSE, True),
            (Step.DOT, b"?\r\n", Then.GO_ON, True),
            (Step.DOT, b"", Then.CLOSE, False), (Step.DOT, b"550 5.7.1 Spam\r\n", Then.GO_ON, False)))),
)  # fmt: skip

_TLS = (
    _persona("tls-454", "answers STARTTLS with 454", _at(Step.STARTTLS, b"454 4.7.0 TLS not available\r\n")),
    _persona("tls-501", "answers STARTTLS with 501", _at(Step.STARTTLS, b"501 5.5.4 Syntax error\r\n")),
    _persona("tls-garbage", "answers the handshake with something else", tls=Tls.GARBAGE),
    _persona("tls-hangs", "never answers the handshake", tls=Tls.HANGS),
    _persona("tls-reset", "resets the connection in the handshake", tls=Tls.CUT),
    _persona("tls-injected", "says more in clear behind its 220 to STARTTLS",
             _says(Step.STARTTLS, b"220 2.0.0 Go\r\n250-forged\r\n250 SIZE 1\r\n")),
    _persona("tls-shrinks", "offers less under TLS, and STARTTLS again",
             _says(Step.EHLO, b"250-mx\r\n250-STARTTLS\r\n250 8BITMIME\r\n", secure=True),
             _at(Step.RCPT, b"554 5.5.0 Synchronization error\r\n", behind=True, secure=True)),
    _persona("tls-expired", "its certificate has expired", certificate=Certificate.EXPIRED),
    _persona("tls-self-signed", "signs its certificate itself", certificate=Certificate.SELF_SIGNED),
    _persona("tls-wrong-name", "its certificate is for another name", certificate=Certificate.WRONG_NAME),
    _persona("tls-weak", "its certificate has a key of 1,024 bits", certificate=Certificate.WEAK),
    _persona("tls-old", "speaks nothing newer than TLS 1.0", tls=Tls.OLD),
    _persona("tls-closes", "closes at EHLO under TLS", _at(Step.EHLO, b"", Then.CLOSE, secure=True)),
    _persona("tls-mute", "never answers EHLO under TLS", _at(Step.EHLO, b"", Then.SILENCE, secure=True)),
    _persona("tls-no-ehlo", "refuses EHLO under TLS", _at(Step.EHLO, b"502 5.5.1 No\r\n", secure=True)),
    _persona("tls-ok-cut", "cuts TLS without close_notify behind its 250 to the dot",
             _at(Step.DOT, None, Then.HALF_CLOSE, secure=True)),
    _persona("tls-cut", "keeps the message and cuts TLS without close_notify in place of its answer, at the first try",
             _at(Step.DOT, b"", Then.HALF_CLOSE, secure=True, stores=True, tries=1)),
)  # fmt: skip

HOSTILE: dict[str, Persona] = {
    persona.name: persona for persona in (*_CONNECTING, *_LENGTH, *_HELLO, *_REPLIES, *_GROUPS, *_ENDINGS, *_TLS)
}
