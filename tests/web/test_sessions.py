from __future__ import annotations

from itertools import count

from bulkmail.web.sessions import MOST_SESSIONS, Sessions
from bulkmail.web.users import BY_PROXY, Role, User

ANN = User("ann", Role.LOOK, BY_PROXY)


def made(now=lambda: 0.0):
    numbers = count()
    return Sessions(60.0, now, lambda: f"secret-{next(numbers)}")


def test_a_session_ends_after_its_time():
    time = [0.0]
    sessions = made(lambda: time[0])
    secret = sessions.begin(ANN)
    time[0] = 59.9
    assert sessions.user(secret, {"ann": ANN}.get) == ANN
    time[0] = 60.0
    assert sessions.user(secret, {"ann": ANN}.get) is None
    assert len(sessions) == 0


def test_a_session_ends_with_its_users_line():
    for now in ({}, {"ann": ANN._replace(role=Role.STEER)}, {"ann": ANN._replace(kept="other")}):
        sessions = made()
        secret = sessions.begin(ANN)
        assert sessions.user(secret, now.get) is None
        assert sessions.user(secret, {"ann": ANN}.get) is None


def test_a_session_that_was_signed_out_of_is_no_one_s():
    sessions = made()
    secret = sessions.begin(ANN)
    sessions.end(secret)
    assert sessions.user(secret, {"ann": ANN}.get) is None
    assert sessions.user("never was", {"ann": ANN}.get) is None


def test_there_are_only_so_many():
    sessions = made()
    first = sessions.begin(ANN)
    for _ in range(MOST_SESSIONS):
        sessions.begin(ANN)
    assert len(sessions) == MOST_SESSIONS
    assert sessions.user(first, {"ann": ANN}.get) is None


def test_a_token_is_of_one_session_and_of_one_process():
    sessions = made()
    token = sessions.token("a")
    assert sessions.is_token("a", token)
    assert not sessions.is_token("b", token)
    assert not sessions.is_token("a", "")
    assert not sessions.is_token("a", "é" * 64)
    other = Sessions(60.0, lambda: 0.0, lambda: "another key")
    assert not other.is_token("a", token)
