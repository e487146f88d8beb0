from __future__ import annotations

from types import SimpleNamespace

import pytest

from bulkmail.campaign.load import schema
from bulkmail.campaign.unsubscribing import BUILT_IN, Unsubscribe, ways_out
from bulkmail.content.templates import TemplateSet

INBOUND, PUBLIC = SimpleNamespace(domain="in.example.com"), SimpleNamespace(url="https://u.example.com")


def test_ones_own_ways_out_are_taken_as_they_are_whatever_the_service_has():
    own = Unsubscribe(url="https://example.com/{{ token }}")
    for inbound, public in ((None, None), (INBOUND, PUBLIC)):
        assert ways_out(own, inbound, public) == {"url": "https://example.com/{{ token }}", "mailto": None}
        assert ways_out(None, inbound, public) is None


def test_the_services_own():
    assert ways_out(BUILT_IN, INBOUND, PUBLIC) == {
        "url": "https://u.example.com/u/{{ token }}",
        "mailto": "unsubscribe+{{ token }}@in.example.com",
    }
    with pytest.raises(ValueError, match="`built-in` needs `public` or `inbound` in the operator's settings"):
        ways_out(BUILT_IN, None, None)


def test_the_link_tells_the_page_the_language_of_the_row():
    for column, cell, behind in [
        ("language", " de-AT ", "?lang=de-AT"),
        ("language", "", ""),
        ('Spra"che}} é', "pt_BR", "?lang=pt_BR"),
        ("language", "x&y#z/" + "a" * 100, "?lang=x%26y%23z/" + "a" * 29),
    ]:
        url = ways_out(BUILT_IN, None, PUBLIC, column)["url"]
        printed = TemplateSet({}, html=False).environment.from_string(url).render(token="abc", row={column: cell})
        assert printed == f"https://u.example.com/u/abc{behind}"
    other_file = (
        TemplateSet({}, html=False).environment.from_string(url).render(token="abc", row={"email": "a@b.example"})
    )
    assert other_file == "https://u.example.com/u/abc"


def test_editors_know_both_forms():
    forms = schema()["properties"]["unsubscribe"]["anyOf"]
    assert forms[0] == {"const": "built-in"}
    assert set(forms[1]["properties"]) == {"url", "mailto"}
