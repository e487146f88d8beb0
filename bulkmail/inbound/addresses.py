"""Which recipients are ours, by the settings."""

from __future__ import annotations

from collections.abc import Iterable

from bulkmail.inbound.received import Accepted, Mailbox, Purpose, Refusal
from bulkmail.mail import AddressError, domain_key

_WITH_TOKEN = {
    "bounces": Purpose.BOUNCE,
    "unsubscribe": Purpose.UNSUBSCRIBE,
    "complaints": Purpose.COMPLAINT,
}
_BARE = {"complaints": Purpose.COMPLAINT, "unsubscribe": Purpose.UNSUBSCRIBE}  # the token stands in the message
_ALWAYS = ("postmaster", "abuse")  # RFC 2142
_DETOURS = "%!@:"  # in a local part they are a way to another host (RFC 5321 appendix C and F)
_NO_RELAY = Refusal(550, "5.7.1", "Relaying denied")
_UNKNOWN = Refusal(550, "5.1.1", "No such mailbox here")


class OwnAddresses:
    """Takes mail to the ``domains`` alone: reports, unsubscribes, postmaster and abuse; with ``rest`` all others too.

    A domain is compared with its whole name: neither its sub-domains nor the name with a dot behind it are ours.
    """

    def __init__(self, domains: Iterable[str], *, rest: bool) -> None:
        self._domains = tuple(map(domain_key, domains))
        self._rest = rest

    def __call__(self, mailbox: Mailbox) -> Accepted | Refusal:
        """Return what the address is for, or the refusal."""
        domain = self._own(mailbox.domain)
        if domain is None or any(sign in mailbox.local for sign in _DETOURS):
            return _NO_RELAY
        word, plus, token = mailbox.local.partition("+")
        word = word.lower()
        purpose = _WITH_TOKEN.get(word)
        address = f"{mailbox.local}@{domain}"
        if purpose is not None and token:
            return Accepted(address, purpose, token)
        if word in _BARE and not plus:
            return Accepted(address, _BARE[word])
        if self._rest or mailbox.local.lower() in _ALWAYS:
            return Accepted(address, Purpose.FORWARD)
        return _UNKNOWN

    def _own(self, domain: str) -> str | None:
        if not domain:
            return self._domains[0]
        if domain.endswith("."):
            return None
        try:
            key = domain_key(domain)
        except AddressError:
            return None
        return key if key in self._domains else None
