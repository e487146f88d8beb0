"""What `bulkmail doctor` finds out about what comes back: the inbound server, and the page for unsubscribing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from bulkmail.commands.checks import Check, of_findings
from bulkmail.commands.sender import with_lookup
from bulkmail.machine import own_name
from bulkmail.mail import BOUNCES, TOKEN_SIZE, OwnFault, count_of, own_address
from bulkmail.net import Intake, UnreachableError, WebPage, intake, web_page
from bulkmail.preflight import Finding, Severity, inbound_findings
from bulkmail.routing import Lookup
from bulkmail.settings import Settings
from bulkmail.spool import in_use

MX_PORT = 25
"""Where mail servers bring mail."""

_TOKEN = "test-" + "a" * TOKEN_SIZE  # what a test message has: it changes nothing
_ONE_CLICK = "List-Unsubscribe=One-Click"  # RFC 8058 3.1
_BUTTON = '<form method="post">'
_FOREIGN = "relay-test@example.com"  # a domain that belongs to no one (RFC 2606)
_WITHIN = 10.0  # seconds for one dialogue
_SOON = 14 * 86_400.0  # seconds: a certificate that ends within them is told
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what is listened to, and how it is reached


async def inbound_checks(settings: Settings, hostname: str, lookup: Lookup, *, connect: bool) -> list[Check]:
    """Make all checks of what comes back. ``hostname``: the EHLO name. ``connect``: whether to connect at all."""
    made: list[Check] = []
    inbound = settings.inbound
    if inbound is not None:
        name = inbound.hostname or hostname
        findings = await inbound_findings(inbound.domain, name, lookup.ask)
        made += of_findings("inbound", inbound.domain, findings, f"its mail comes to {name}")
        if connect:
            made += await _server(settings, name, hostname, lookup)
    if settings.public is not None and connect:
        made.append(await _page(settings.public.url, lookup))
    return made


async def _server(settings: Settings, name: str, hostname: str, lookup: Lookup) -> list[Check]:
    """Ask the inbound server as others would, and from within where it cannot be reached so."""
    assert settings.inbound is not None
    ours = own_address(BOUNCES, _TOKEN, settings.inbound.domain)

    async def ask(ip: str, port: int) -> tuple[str, Intake | UnreachableError]:
        try:
            return f"{name} ({ip} port {port})", await intake(
                ip, port, name, [ours, _FOREIGN], _WITHIN, hostname=hostname
            )
        except UnreachableError as error:
            return f"{name} ({ip} port {port})", error

    from_outside = [await ask(ip, MX_PORT) for ip in (await _addresses(name, lookup))[:1]]
    for where, found in from_outside:
        if isinstance(found, Intake):
            return _judged(where, found, ours, settings)
    from_within = await asyncio.gather(*(ask(ip, port) for ip, port in _listening(settings.inbound.listen)))
    failed = [f"{where}: {error}" for where, error in (*from_outside, *from_within) if not isinstance(error, Intake)]
    tried = "; ".join(failed)
    for where, found in from_within:
        if isinstance(found, Intake):
            words = f"it answers here alone; others cannot reach it, or this machine not as they do: {tried}"
            remedy = "have the firewall and the provider let port 25 in, and the record of its name lead here"
            unreachable = [Check("inbound", "warning", words, remedy)] if from_outside else []
            return [*_judged(where, found, ours, settings), *unreachable]
    tried = tried or f"{name} has no address"
    if not settings.inbound.listen:
        remedy = "see to the machine that takes it, or have this one do it (`inbound.listen`)"
        return [Check("inbound", "error", f"nothing answers: {tried}", remedy)]
    if not in_use(settings.place):
        words = f"nothing answers, and the service does not run: {tried}"
        return [Check("inbound", "unknown", words, "start it, and ask again")]
    return [Check("inbound", "error", f"nothing answers: {tried}", "see the log of the service")]


def _listening(listen: Sequence[str]) -> list[tuple[str, int]]:
    """Return where this machine reaches the server; nothing for sockets that systemd passes."""
    found = []
    for place in listen:
        ip, colon, port = place.rpartition(":")
        if colon and port.isdigit():
            ip = ip.strip("[]")
            found.append((_ANYWHERE.get(ip, ip), int(port)))
    return found


def _judged(where: str, found: Intake, ours: str, settings: Settings) -> list[Check]:
    assert settings.inbound is not None
    taken, relayed = found.replies
    made = []
    if not taken.startswith("25"):
        words = f"{where} does not take mail to {ours}: {taken[:120]}"
        made.append(Check("inbound", "error", words, "see whether another server listens there"))
    if relayed.startswith("25"):
        words = f"{where} takes mail to {_FOREIGN} too, so it is an open relay"
        made.append(Check("inbound", "error", words, "it is not bulkmail that answers there; correct that server"))
    if not made:
        made.append(Check("inbound", "ok", f"{where} takes reports, and relays nothing"))
    return [*made, *_certificate(where, found, time.time())]


def _certificate(where: str, found: Intake, now: float) -> list[Check]:
    if not found.tls:
        remedy = "give `inbound.tls` a certificate and its key"
        return [Check("inbound", "warning", f"{where} offers no TLS, and reports come in clear", remedy)]
    days = (found.expires - now) / 86_400
    if days <= 0:
        words = f"the certificate of {where} has expired {count_of(round(-days), 'day')} ago"
        return [Check("inbound", "error", words, "renew it; the service reads it again by itself")]
    if found.certificate:
        words = f"the certificate of {where} is not valid for its name ({found.certificate}); most servers do not mind"
        return [Check("inbound", "warning", words, "get one from an authority that is known")]
    if found.expires - now < _SOON:
        words = f"the certificate of {where} expires in {count_of(round(days), 'day')}"
        return [Check("inbound", "warning", words, "renew it; the service reads it again by itself")]
    return [Check("inbound", "ok", f"the certificate of {where} is valid for {count_of(round(days), 'day')}")]


def ways_back_findings(content: Mapping[str, Any], settings: Settings) -> list[Finding]:
    """Return what is wrong with the server and the page that messages lead back to, while the service runs.

    ``content``: the campaign's. Of the server only what keeps mail from coming back; `bulkmail doctor` tells the rest.
    """
    if not in_use(settings.place):
        return []
    public, inbound = settings.public, settings.inbound
    url = (content["unsubscribe"] or {}).get("url") or ""

    async def work(lookup: Lookup) -> list[Finding]:
        found = []
        if inbound is not None and content.get("inbound"):
            hostname = settings.hostname or own_name()
            for check in await _server(settings, inbound.hostname or hostname, hostname, lookup):
                if check.result == "error":
                    words = check.message, check.remedy
                    found.append(Finding(Severity.WARNING, "inbound-server-wrong", inbound.domain, *words))
        wrong = await _page_fault(public.url, lookup) if public and url.startswith(f"{public.url}/") else None
        if wrong is not None:
            found.append(Finding(Severity.WARNING, "unsubscribe-page-no-answer", "unsubscribe", *wrong))
        return found

    try:
        return with_lookup(settings, work)
    except OwnFault:
        return []  # told with the sender's records


async def _page(url: str, lookup: Lookup) -> Check:
    wrong = await _page_fault(url, lookup)
    if wrong is not None:
        return Check("public", "error", *wrong)
    return Check("public", "ok", f"{url} shows the page, and takes one click")


async def _page_fault(url: str, lookup: Lookup) -> tuple[str, str] | None:
    """Ask the page as a mail provider does, once as a person would, once by one click; what is wrong, and a remedy."""
    remedy = f"have {url} lead to `public.listen`, GET and POST, without login or redirection (RFC 8058 3.2)"
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    ips = await _addresses(host, lookup)
    if not ips:
        return f"{host} has no address, so nobody can unsubscribe", f"publish {host}. IN A and the address of the page"
    try:
        shown = await web_page(ips[0], port, host, f"/u/{_TOKEN}", _WITHIN)
        clicked = await web_page(ips[0], port, host, f"/u/{_TOKEN}", _WITHIN, _ONE_CLICK)
    except UnreachableError as error:
        return f"{url} ({ips[0]}) does not answer: {error}", remedy
    for what, found in (("the page", shown), ("one click", clicked)):
        if not _is_ours(found):
            return f"{url} ({ips[0]}) does not answer {what} as the service does: status {found.status}", remedy
    return None


async def _addresses(host: str, lookup: Lookup) -> list[str]:
    return [str(ip) for kind in ("A", "AAAA") for ip in (await lookup.ask(host, kind)).records]


def _is_ours(found: WebPage) -> bool:
    return found.status == 200 and _BUTTON in found.text
