from __future__ import annotations

import pytest

from bulkmail.control.applied import Applied, shown
from bulkmail.mail import Rate
from bulkmail.routing import providers_of
from bulkmail.settings import Settings, load_settings

ROUTES = """\
routing:
  routes:
    - {domains: [a.example], rate: 5/s, tls: verify, name: slow}
    - {provider: google, connections: 2, window: 4}
    - {domains: [.b.example], relay: {host: in.b.example, port: 26, tls: off, connections: 3}, chunking: off}
smtp: {pipelining: off}
"""


@pytest.fixture
def values(tmp_path):
    """``values(provider, domain, hosts)``: what applies, limit -> (value, source without the path of the file)."""
    (tmp_path / "bulkmail.yaml").write_text(ROUTES)
    settings = load_settings(None, str(tmp_path))

    def of(provider, domain="", hosts=()):
        applied = Applied(settings, providers_of(settings), provider, domain=domain, hosts=hosts)
        return {row["limit"]: (row["value"], row["from"].rpartition("bulkmail.yaml:")[2]) for row in applied.rows()}

    return of


def test_each_value_is_told_with_the_line_it_is_from(values):
    found = values("slow+route-2 at google", "a.example", ["aspmx.l.google.com"])
    assert found == {
        "connections": ("2", "4:39"),
        "messages_per_connection": ("50", "shipped for google"),
        "rate": ("5/s,burst=1", "3:36"),
        "connection_rate": ("100/m,burst=1", "the default of `shaping.default`"),
        "idle": ("60", "the default of `shaping.default`"),
        "tls": ("verify", "3:46"),
        "pipelining": ("off", "6:20"),
        "chunking": ("auto", "the default of `smtp.chunking`"),
        "window": ("4", "4:50"),
    }


def test_a_group_is_told_without_its_domain_and_a_provider_as_a_whole(values):
    assert values("slow+route-2 at google")["rate"] == ("5/s,burst=1", "3:36")
    assert values("google", hosts=[".google.com"])["connections"] == ("2", "4:39")
    assert values("google")["rate"] == ("100/s,burst=10", "the default of `shaping.default`")


def test_a_routes_relay_has_its_own_values(values):
    found = values("route-3", "x.b.example")
    assert found["relay"] == ("in.b.example:26", "5:38")
    assert found["connections"] == ("3", "5:92")
    assert found["rate"] == ("100/s,burst=10", "the default of `relay`")
    assert found["chunking"] == ("off", "5:106")
    assert found["pipelining"] == ("off", "6:20")
    assert found["tls"] == ("off", "5:74")


def test_without_a_file_the_route_is_named():
    settings = Settings.model_validate({"routing": {"routes": [{"domains": ["a.example"], "rate": "5/s"}]}})
    applied = Applied(settings, providers_of(settings), "route-1", domain="a.example")
    assert applied.source("rate") == "the route route-1"
    assert applied.limits.rate == Rate(5, 1.0, 1)


def test_values_are_shown_as_people_write_them():
    assert [shown(value) for value in (None, 0.5, 60.0, 3, "off")] == ["", "0.5", "60", "3", "off"]
