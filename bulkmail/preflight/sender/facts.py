"""What the check of the sender's DNS needs to know of a campaign and of the machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bulkmail.campaign import BUILT_IN, Campaign, ways_out
from bulkmail.content import asks_for_complaints, parse_mailbox, signing_keys
from bulkmail.mail import BOUNCES, own_address
from bulkmail.settings import Settings


class SenderKey(NamedTuple):
    """A DKIM key: for mail from ``domain`` or below, published under ``selector``, the private key as PEM."""

    domain: str
    selector: str
    pem: bytes


@dataclass(frozen=True)
class Sender:
    """Who sends, by which names and from which addresses.

    ``from_domain``: A-labels. ``envelope``: the whole MAIL FROM address; where each recipient has its own, the word
    ``token`` stands for its token. ``hostname``: the EHLO name. ``addresses``: the IP addresses that receivers see;
    none where they are not known; ``second``: those of them that are used only for hosts that do not answer over the
    preferred IP version. ``keys``: those that sign. ``relay``: its host, "" without one: what receivers see is
    then the relay's. ``unsubscribe``: whether the letter has a List-Unsubscribe field; ``one_click``: whether one by
    RFC 8058; ``marketing``: whether it needs one; ``unlisted``: whether the next campaign mails who has left by it.
    ``inbound``: the domain at which we take what comes back, "" where we do not; ``inbound_hostname``: the name of the
    server for it; ``complaints``: whether receivers may send complaints there. ``names``: addresses with an EHLO
    name of their own, and that name.
    """

    from_domain: str
    envelope: str
    hostname: str
    addresses: tuple[str, ...] = ()
    keys: tuple[SenderKey, ...] = ()
    relay: str = ""
    tls: str = "opportunistic"
    unsubscribe: bool = True
    one_click: bool = True
    marketing: bool = True
    unlisted: bool = False
    inbound: str = ""
    inbound_hostname: str = ""
    complaints: bool = False
    second: tuple[str, ...] = ()
    names: tuple[tuple[str, str], ...] = ()

    @property
    def envelope_domain(self) -> str:
        """The domain of MAIL FROM, lower case."""
        return self.envelope.rpartition("@")[2].lower()


def sender_of(campaign: Campaign, settings: Settings, hostname: str, addresses: Sequence[str]) -> Sender:
    """Return the facts of a campaign that has passed its check. ``addresses``: as receivers see them."""
    _, author = parse_mailbox(campaign.sender)
    entries = [key._asdict() for key in keys_of(settings)]
    inbound = "" if settings.inbound is None else settings.inbound.domain
    signing = signing_keys(author.domain, inbound, entries)
    names = {(key.domain, key.selector) for key in signing}
    ways = ways_out(campaign.unsubscribe, settings.inbound, settings.public)
    own = own_address(BOUNCES, "token", inbound) if inbound else str(author)
    return Sender(
        from_domain=author.domain,
        envelope=campaign.envelope_from or own,
        hostname=hostname,
        addresses=tuple(addresses),
        keys=tuple(key for key in keys_of(settings) if (key.domain, key.selector) in names),
        relay="" if settings.relay is None else settings.relay.host,
        tls=settings.tls.mode,
        unsubscribe=ways is not None,
        one_click=ways is not None and ways["url"] is not None,
        marketing=campaign.kind == "marketing",
        unlisted=campaign.unsubscribe is BUILT_IN
        and campaign.list_name is None
        and campaign.kind == "marketing"
        and settings.suppression.auto.unsubscribed == "list",
        inbound=inbound,
        inbound_hostname="" if settings.inbound is None else settings.inbound.hostname or hostname,
        second=() if settings.sources else _second(settings.routing.ip, addresses),
        names=names_of(settings),
        complaints=asks_for_complaints(author.domain, inbound, signing),
    )


def names_of(settings: Settings) -> tuple[tuple[str, str], ...]:
    """Return the sources' addresses that have an EHLO name of their own, and that name."""
    return tuple((source.address, source.hostname) for source in settings.sources if source.hostname)


def by_name(hostname: str, addresses: Sequence[str], names: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Return the addresses by the name that mail from them says in EHLO; ``hostname`` is that of all others."""
    own, found = dict(names), dict[str, tuple[str, ...]]()
    for ip in addresses:
        name = own.get(ip, hostname)
        found[name] = (*found.get(name, ()), ip)
    return found or {hostname: ()}


def _second(mode: str, addresses: Sequence[str]) -> tuple[str, ...]:
    second = tuple(ip for ip in addresses if (":" in ip) == (mode == "prefer-v4"))
    return second if len(second) < len(addresses) and mode.startswith("prefer") else ()


def keys_of(settings: Settings) -> list[SenderKey]:
    """Return all DKIM keys of the settings."""
    return [SenderKey(key.domain, key.selector, key.pem) for key in settings.dkim]
