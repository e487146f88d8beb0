from __future__ import annotations

import pytest

from bulkmail.mail import BulkmailError, parse_rate
from bulkmail.shaping import DEFAULT_LIMITS, limits_for, provider_of, provider_table

TABLE = provider_table()


@pytest.mark.parametrize(
    ("hosts", "provider"),
    [
        (["gmail-smtp-in.l.google.com", "alt1.gmail-smtp-in.l.google.com"], "google"),
        (["aspmx.l.google.com", "aspmx2.googlemail.com"], "google"),
        (["ASPMX.L.GOOGLE.COM."], "google"),
        (["aspmx.l.google.com", "mx.example.net"], ""),
        (["mta5.am0.yahoodns.net"], "yahoo"),
        (["outlook-com.olc.protection.outlook.com"], "outlook"),
        (["contoso-com.mail.protection.outlook.com"], "office365"),
        (["contoso-com.o-v1.mx.microsoft"], "office365"),
        (["mx01.mail.icloud.com"], "apple"),
        (["mx1.comcast.net"], "comcast"),
        (["eu-smtp-inbound-1.mimecast.com"], "mimecast"),
        (["inbound.mimecast-offshore.com"], "mimecast"),
        (["smtp-in.orange.fr"], "orange"),
        (["mx00.gmx.net", "mx-ha02.web.de"], "gmx"),
        (["mx1.mail.yahoo.co.jp"], "yahoo-jp"),
        (["mx3.qq.com"], "qq"),
        (["163mx01.mxmail.netease.com"], "netease"),
        (["d1.ess.barracudanetworks.com"], "barracuda"),
        (["notgoogle.com"], ""),
        (["mx.google.com.example.net"], ""),
        (["qq.com"], "qq"),
        ([], ""),
    ],
)
def test_a_provider_is_known_by_all_its_mx_hosts(hosts, provider):
    assert provider_of(hosts, TABLE) == provider


def test_the_shipped_figures():
    google = limits_for("google", TABLE)
    assert (google.connections, google.messages_per_connection, google.tls) == (5, 50, "required")
    assert (google.rate, google.idle) == (DEFAULT_LIMITS.rate, 60.0)
    assert limits_for("comcast", TABLE).idle == 30.0
    assert limits_for("yahoo-jp", TABLE).rate == parse_rate("10/s")
    assert limits_for("", TABLE) == limits_for("unheard-of", TABLE) == DEFAULT_LIMITS
    assert parse_rate("100/s") == DEFAULT_LIMITS.rate
    assert parse_rate("100/m") == DEFAULT_LIMITS.connection_rate
    assert len(TABLE) == 13


def test_the_operator_changes_one_figure_and_keeps_the_rest():
    table = provider_table({"google": {"connections": 2, "tls": None, "mx": None}})
    google = limits_for("google", table)
    assert (google.connections, google.messages_per_connection, google.tls) == (2, 50, "required")
    assert provider_of(["mx.google.com"], table) == "google"
    assert limits_for("google", TABLE).connections == 5


def test_the_operator_adds_a_provider():
    table = provider_table({"acme": {"mx": ["acme.example"], "rate": parse_rate("1/s"), "idle": 5.0}})
    assert provider_of(["mx1.acme.example", "acme.example"], table) == "acme"
    assert provider_of(["mx1.notacme.example"], table) == ""
    assert (limits_for("acme", table).rate, limits_for("acme", table).connections) == (parse_rate("1/s"), 10)


def test_the_closest_suffix_wins():
    table = provider_table({"g-relay": {"mx": "smtp-relay.l.google.com"}})
    assert provider_of(["a.smtp-relay.l.google.com"], table) == "g-relay"
    assert provider_of(["a.smtp-relay.l.google.com", "aspmx.l.google.com"], table) == "google"


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"acme": {"connections": 3}}, "acme: mx must name"),
        ({"google": {"mx": []}}, "google: mx must name"),
        ({"google": {"mx": ["."]}}, "google: mx must name"),
        ({"google": {"conections": 3}}, "google: there is no key 'conections'"),
    ],
)
def test_an_override_that_cannot_work_is_told(overrides, words):
    with pytest.raises(BulkmailError, match=words):
        provider_table(overrides)
