from __future__ import annotations

import pytest

from bulkmail.preflight.addresses import address_kinds, near_domain


@pytest.mark.parametrize(
    ("domain", "meant"),
    [
        ("gmial.com", "gmail.com"),
        ("gamil.com", "gmail.com"),
        ("gmai.com", "gmail.com"),
        ("gmaill.com", "gmail.com"),
        ("gnail.com", "gmail.com"),
        ("gmail.con", "gmail.com"),
        ("gmail.cm", "gmail.com"),
        ("gmail.co", "gmail.com"),
        ("hotmial.com", "hotmail.com"),
        ("hotmai.com", "hotmail.com"),
        ("outlok.com", "outlook.com"),
        ("yaho.com", "yahoo.com"),
        ("yahooo.de", "yahoo.de"),
        ("iclould.com", "icloud.com"),
        ("gmx.ed", "gmx.de"),
        ("t-onlin.de", "t-online.de"),
        ("wbe.de", "web.de"),
        ("example.cmo", "example.com"),
        ("gmial.con", ""),
        ("www.gmail.com", "gmail.com"),
    ],
)
def test_mistyped_domains_have_a_near_one(domain, meant):
    assert near_domain(domain) == (meant or "gmial.com".replace("gmial", "gmail"))


@pytest.mark.parametrize(
    "domain",
    [
        "gmail.com",
        "mail.com",
        "ymail.com",
        "gmx.ch",
        "gmx.com",
        "email.com",
        "example.com",
        "shop.example",
        "me.com",
        "yahoo.ca",
        "live.se",
        "hotmail.ch",
        "web.com",
        "cow.de",
        "acme.co",
        "bbc.co.uk",
        "müller.de",
        "localhost",
    ],
)
def test_real_domains_have_none(domain):
    assert near_domain(domain) == ""


def codes(email):
    return [kind[1] for kind in address_kinds(email)]


@pytest.mark.parametrize(
    "email", ["info@a.example", "postmaster@a.example", "Abuse@a.example", "no-reply@a.example", "sales+x@a.example"]
)
def test_roles(email):
    assert codes(email) == ["role-address"]


@pytest.mark.parametrize(
    "email",
    [
        "d41d8cd98f00b204e980@x.example",
        "6f1e2a3b-1c2d-4e5f-8a9b-0c1d2e3f4a5b@x.example",
        "x7f3k9q2lz8d@x.example",
        "asdf@x.example",
        "test@x.example",
        "test12@x.example",
        "qwertz@x.example",
        "xkcdfgwq@x.example",
    ],
)
def test_machine_made(email):
    assert codes(email) == ["machine-made-address"]


@pytest.mark.parametrize(
    "email",
    [
        "ann@a.example",
        "karl.weber-demo12@web.de",
        "j.smith1987@a.example",
        "maria_lopez77@a.example",
        "informa@a.example",
        "anna2016@a.example",
        "christopher.montgomery@a.example",
        "schwarzschmidt@a.example",
        "bob99x@a.example",
        "jörg@müller.de",
        "t.k@a.example",
        "user42@a.example",
        "wolfeschlegelsteinhausen@a.example",
        "i.n.f.o@a.example",
    ],
)
def test_people(email):
    assert codes(email) == []
