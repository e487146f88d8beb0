from __future__ import annotations

import pytest
from pydantic import ValidationError

from bulkmail.settings.public import ListenAt
from bulkmail.settings.values import Reading
from bulkmail.settings.web import Web


def read(**given):
    return Web.model_validate(given, context=Reading("/etc/bulkmail"))


def test_the_defaults():
    web = read(listen="127.0.0.1:8025")
    assert web.place == ListenAt("", "127.0.0.1", 8025)
    assert (web.users, web.session) == ("/etc/bulkmail/web-users", 43200.0)
    assert (web.user_header, web.user_role, web.tls) == (None, None, None)


@pytest.mark.parametrize("listen", ["0.0.0.0:8025", "192.0.2.1:8025", "[::]:8025"])
def test_without_tls_only_this_machine_is_listened_to(listen):
    with pytest.raises(ValidationError, match=r"could read the passwords; listen on 127\.0\.0\.1 behind a proxy"):
        read(listen=listen)


@pytest.mark.parametrize("listen", ["[::1]:8025", "127.0.0.9:1", "unix:web.sock"])
def test_other_places_on_this_machine(listen):
    assert read(listen=listen).place.loopback


def test_the_word_of_a_proxy_is_taken_only_from_a_proxy_that_is_named():
    with pytest.raises(ValidationError, match="whoever can connect could sign in"):
        read(listen="127.0.0.1:8025", user_header="X-Remote-User")
    assert read(listen="unix:web.sock", user_header="X-Remote-User").user_header == "X-Remote-User"
    named = read(listen="127.0.0.1:8025", user_header="X-Remote-User", trusted_proxies=["127.0.0.5/32"])
    assert named.trusted_proxies == ("127.0.0.5/32",)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "listen"),
        ({"listen": "127.0.0.1:8025", "session": "1s"}, "must be 1m or longer"),
        ({"listen": "unix:a", "user_header": "X User"}, "user_header"),
        ({"listen": "unix:a", "user_role": "admin"}, "user_role"),
    ],
)
def test_what_is_wrong(given, words):
    with pytest.raises(ValidationError, match=words):
        read(**given)
