"""What stands for the site and the outcome of a domain that could not be routed."""

from __future__ import annotations

from bulkmail.mail import Category, Fate, Outcome, Stage
from bulkmail.routing.site import RouteFailure, Site


def unroutable_site(domain: str) -> Site:
    """Return a site without hosts for the domain alone."""
    return Site(f"domain {domain}", (), "", domain)


def unroutable_outcome(failure: RouteFailure) -> Outcome:
    """Return what an attempt at a recipient of the domain comes to."""
    category = Category(failure.category)
    return Outcome(Fate.LOST, Stage.DNS, note=failure.text, category=category, permanent=failure.permanent)
