"""From a recipient's domain to the hosts that take its mail.

Room: DNS answers, and what they mean for mail.
Takes: domains; a way to ask the resolver worker; a clock.
Gives: a site (MX hosts in order, provider), a failure with its category, or OwnFault when no nameserver is of use.
Never: connects to an MX host, judges a reply, takes silence for "no such domain".

How a domain becomes a destination: ``Router`` asks the resolver worker, which runs in a process of its own because
reading DNS messages in the event loop starves it. There ``Lookup`` puts one question to the nameservers,
``ResolverCheck`` decides whether a negative answer may be believed, and ``Resolver`` follows RFC 5321 5.1 from the
domain to its MX hosts to their addresses. The answer becomes a ``Site``; all domains with the same ranked set of MX
hosts share one, and with it one lane. ``plan`` gives the order in which an attempt tries the site's addresses.
``forbidden_address`` is asked twice: here, and by net right before it connects.
With a relay every domain has the same site (``RelayRouter``), and the DNS is asked for the relay's address only.
A receiver may publish a policy that its mail is sent by (``Policies``, MTA-STS): it leaves fewer hosts, and asks for
their certificates.
``Routes`` says for which receivers something is different; ``router_of`` puts all of it together, by the settings.

What each failure means: permanent bad-domain: the domain does not exist, takes no mail, or names only MX hosts that do
not exist. Permanent routing: all its addresses are forbidden (loopback, private networks). Temporary dns: the DNS did
not answer for this domain, or its answer proves nothing. Temporary routing: it has MX hosts, none of which can be used
at present. Temporary tls: its own policy forbids all of its MX hosts. OwnFault: our nameservers are dead, or deny or
refuse every name; no recipient is charged for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkmail.lazily import later
from bulkmail.routing.forbidden import forbidden_address, networks
from bulkmail.routing.plan import WALK, Stop, plan

if TYPE_CHECKING:
    from bulkmail.routing.lookup import Found, Lookup, parse_nameserver, system_nameservers
    from bulkmail.routing.mta_sts import parse_policy
    from bulkmail.routing.policies import KnownPolicy, Policies, Unfetched
    from bulkmail.routing.relay import RELAY, LostRelay, RelayRouter
    from bulkmail.routing.routed import Routing, relay_router, relays_of, router_of
    from bulkmail.routing.router import Router
    from bulkmail.routing.routes import Routes, provider_names, providers_of
    from bulkmail.routing.site import (
        ENFORCED,
        PLAIN,
        TESTED,
        Manner,
        MxHost,
        RouteFailure,
        Site,
        first_host,
        policy_in,
        site_of,
        tls_policy,
    )
    from bulkmail.routing.unroutable import unroutable_outcome, unroutable_site
else:
    __getattr__ = later(
        __name__,
        {
            "lookup": "Found Lookup parse_nameserver system_nameservers",
            "mta_sts": "parse_policy",
            "policies": "KnownPolicy Policies Unfetched",
            "relay": "RELAY LostRelay RelayRouter",
            "routed": "Routing relay_router relays_of router_of",
            "router": "Router",
            "routes": "Routes provider_names providers_of",
            "site": "ENFORCED PLAIN TESTED Manner MxHost RouteFailure Site first_host policy_in site_of tls_policy",
            "unroutable": "unroutable_outcome unroutable_site",
        },
    )

RESOLVER = "bulkmail.routing.resolver:Resolver"

__all__ = [
    "ENFORCED",
    "PLAIN",
    "RELAY",
    "RESOLVER",
    "TESTED",
    "WALK",
    "Found",
    "KnownPolicy",
    "Lookup",
    "LostRelay",
    "Manner",
    "MxHost",
    "Policies",
    "RelayRouter",
    "RouteFailure",
    "Router",
    "Routes",
    "Routing",
    "Site",
    "Stop",
    "Unfetched",
    "first_host",
    "forbidden_address",
    "networks",
    "parse_nameserver",
    "parse_policy",
    "plan",
    "policy_in",
    "provider_names",
    "providers_of",
    "relay_router",
    "relays_of",
    "router_of",
    "site_of",
    "system_nameservers",
    "tls_policy",
    "unroutable_outcome",
    "unroutable_site",
]
