"""For which campaigns a suppression counts."""

from __future__ import annotations

import pytest

from bulkmail.spool import EVERYTHING, REASONS, Audience, Suppression, campaign_scope, is_scope, list_scope
from bulkmail.spool.scopes import chosen

NEWS, SPRING = list_scope("news"), campaign_scope("spring")


def entry(scope, reason="unsubscribed", at=1.0):
    return Suppression("ann@a.example", scope, reason, "the command line", at)


@pytest.mark.parametrize(
    ("audience", "counting"),
    [
        (Audience("news", "spring"), {EVERYTHING, NEWS, SPRING}),
        (Audience("news", "autumn"), {EVERYTHING, NEWS}),
        (Audience("offers", "spring"), {EVERYTHING, SPRING}),
        (Audience("news", "spring", "transactional"), {EVERYTHING, SPRING}),
        (Audience("news", "invoices", "transactional"), {EVERYTHING}),
    ],
)
def test_the_kind_and_the_names_tell_which_scopes_count(audience, counting):
    assert {scope for scope in (EVERYTHING, NEWS, SPRING) if scope in audience.scopes} == counting


def test_a_list_that_is_called_as_a_campaign_is_not_the_campaign():
    assert campaign_scope("news") not in Audience("news", "spring").scopes
    assert list_scope("spring") not in Audience("news", "spring").scopes


def test_who_unsubscribes_is_not_mailed_by_that_campaign_again():
    for kind in ("marketing", "transactional"):
        audience = Audience("news", "spring", kind)
        assert audience.scope in audience.scopes
    assert Audience("news", "spring").scope == NEWS


def test_of_several_reasons_the_gravest_is_told_and_of_these_the_oldest():
    found = [entry(NEWS, reason, at) for at in (2.0, 1.0) for reason in reversed(REASONS)]
    assert chosen(found, {NEWS}) == entry(NEWS, "complained", 1.0)
    assert chosen(found, {SPRING}) is None
    assert chosen([], {NEWS}) is None


@pytest.mark.parametrize("text", ["everything", "list:news", "campaign:a:b"])
def test_texts_of_scopes(text):
    assert is_scope(text)


@pytest.mark.parametrize("text", ["", "all", "list:", "news", "campaign:", "Everything"])
def test_other_texts(text):
    assert not is_scope(text)
