"""The remote addresses behind sites: where several machines send, each address is leased beside the sites that need it.

One address may be the host of a thousand sites, and its limit counts all of them (`limiters`). So that no two machines
use it at once, a site without a provider is only sent to by a machine that holds the leases on all its addresses too;
and so that one machine holds them, whose a site ought to be is computed from the smallest of its addresses instead of
its name. Sites whose addresses overlap without being the same may have to wait until the other's machine is done with
it; none waits while it holds something, so they cannot wait for each other.
"""

from __future__ import annotations

from bulkmail.delivery.limits import address_key
from bulkmail.routing import Site


class Addresses:
    """What each site needs that this machine knows of, by what counts the site (see `limit_key`).

    A site *uses* its addresses from when they are asked for until it is not ours any more, also those that the DNS has
    taken from it meanwhile: connections to them may still be open.
    """

    def __init__(self) -> None:
        self._needed: dict[str, tuple[str, ...]] = {}
        self._used: dict[str, set[str]] = {}
        self._sites: dict[str, set[str]] = {}  # address -> the limit keys that use it
        self._unused: set[str] = set()

    def note(self, key: str, site: Site) -> None:
        """Note the addresses that the site's hosts have now; a provider's hosts count against the provider's limits."""
        if not site.provider and site.hosts:
            found = {address_key(ip) for host in site.hosts for ip in host.addresses}
            # IPv4 first: another machine may not use IPv6, and is to choose by the same address
            self._needed[key] = tuple(sorted(found, key=lambda address: (address.count(":"), address)))

    def needed(self, key: str) -> tuple[str, ...]:
        """Return the keys of the leases that the site needs beside its own."""
        return self._needed.get(key, ())

    def ranked_by(self, key: str) -> str:
        """Return the key that decides which machine ought to have the site."""
        return self._needed[key][0] if self._needed.get(key) else key

    def use(self, key: str) -> None:
        """Count the site as a user of its addresses: its lease is ours, or is asked for."""
        for address in self.needed(key):
            self._used.setdefault(key, set()).add(address)
            self._sites.setdefault(address, set()).add(key)

    def leave(self, key: str) -> None:
        """Count the site as no user of its addresses any more: its lease is not ours."""
        for address in self._used.pop(key, ()):
            self._sites[address].discard(key)
            if not self._sites[address]:
                del self._sites[address]
                self._unused.add(address)

    def forget(self, key: str) -> None:
        """Forget the site: no queue of this process has recipients for it."""
        self.leave(key)
        self._needed.pop(key, None)

    def take_unused(self) -> set[str]:
        """Return the addresses that no site uses any more, each once; the caller lets their leases go."""
        unused, self._unused = self._unused, set()
        return {address for address in unused if not self.is_used(address)}

    def is_used(self, address: str) -> bool:
        """Return whether a site uses it."""
        return address in self._sites
