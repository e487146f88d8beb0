from __future__ import annotations

import asyncio

import pytest

from bulkmail.web.passwords import hash_password
from bulkmail.web.reading import WebCall
from bulkmail.web.sessions import Sessions
from bulkmail.web.signin import EACH, SigningIn
from bulkmail.web.users import BY_PROXY, Role, User, Users, write_users

PASSWORD = "correct horse"
ANN = User("ann", Role.STEER, hash_password(PASSWORD, b"s" * 16))
BOB = User("bob", Role.LOOK, BY_PROXY)


def call(client="192.0.2.1", session="", user="", **form):
    return WebCall("POST", ("login",), {}, form, session, client, user, same_site=True, secure=False)


@pytest.fixture
def site(tmp_path):
    path = str(tmp_path / "users")
    write_users(path, {"ann": ANN, "bob": BOB})
    hashed = []

    def signing(role=None, now=lambda: 0.0):
        async def in_thread(work):
            hashed.append(1)
            return work()

        sessions = Sessions(60.0, now, iter(map(str, range(1000, 2000))).__next__)
        made = SigningIn(Users(path), sessions, role, in_thread, now)
        made.hashed, made.path = hashed, path
        return made

    return signing


def tried(signing, **given):
    return asyncio.run(signing.sign_in(call(**given)))


def test_the_right_password_begins_a_session(site):
    signing = site()
    session = tried(signing, name="ann", password=PASSWORD).session
    found = signing.signed(call(session=session))
    assert (found.user, found.by_proxy) == (ANN, False)
    signing.sign_out(found)
    assert signing.signed(call(session=session)) is None


@pytest.mark.parametrize("name", ["ann", "bob", "eve", ""])
def test_a_wrong_one_costs_one_hash_whoever_is_named(site, name):
    signing = site()
    assert tried(signing, name=name, password="wrong horse") == ("", 0)
    assert len(signing.hashed) == 1


def test_a_client_and_a_name_are_slowed_down(site):
    time = [0.0]
    signing = site(now=lambda: time[0])
    for _ in range(EACH.count):
        tried(signing, name="ann", password="wrong")
    before = len(signing.hashed)
    assert tried(signing, name="ann", password=PASSWORD).wait > 0
    assert tried(signing, client="192.0.2.2", name="ann", password=PASSWORD).wait > 0
    assert len(signing.hashed) == before
    time[0] = 60.0
    assert tried(signing, name="ann", password=PASSWORD).session


def test_a_user_who_is_removed_while_the_password_is_looked_at_gets_none(site):
    signing = site()

    async def removed(work):
        write_users(signing.path, {})
        return work()

    signing._in_thread = removed
    assert tried(signing, name="ann", password=PASSWORD).session == ""


def test_a_program_costs_one_hash_for_all_its_requests(site):
    signing = site()
    asked = call()._replace(credentials=("ann", PASSWORD))
    for _ in range(30):
        assert asyncio.run(signing.is_user(asked))
    assert len(signing.hashed) == 1
    assert not asyncio.run(signing.is_user(asked._replace(credentials=("ann", "wrong"))))
    assert not asyncio.run(signing.is_user(call()))
    write_users(signing.path, {"ann": ANN._replace(kept=hash_password("other horse", b"s" * 16))})
    assert not asyncio.run(signing.is_user(asked))


def test_the_word_of_a_proxy(site):
    assert site().signed(call(user="ann")).user == ANN
    assert site().signed(call(user="eve")) is None
    found = site(role=Role.LOOK).signed(call(user="eve"))
    assert (found.user.role, found.by_proxy) == (Role.LOOK, True)
    assert site().signed(call()) is None
