from __future__ import annotations

import pytest

from bulkmail.mail import Category, Fate, Stage
from bulkmail.routing import RouteFailure, unroutable_outcome, unroutable_site


@pytest.mark.parametrize("permanent", [True, False])
def test_a_failure_is_the_outcome_of_each_recipient(permanent):
    outcome = unroutable_outcome(RouteFailure(permanent, "bad-domain", "a.example does not exist"))
    assert (outcome.fate, outcome.stage, outcome.category) == (Fate.LOST, Stage.DNS, Category.BAD_DOMAIN)
    assert (outcome.note, outcome.permanent) == ("a.example does not exist", permanent)


def test_each_domain_without_a_route_is_a_site_of_its_own():
    site = unroutable_site("a.example")
    assert (site.hosts, site.provider, site.name) == ((), "", "a.example")
    assert site.key != unroutable_site("b.example").key
