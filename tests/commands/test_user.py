from __future__ import annotations

import io
import json

import pytest

from bulkmail import cli
from bulkmail.web import read_users
from bulkmail.web.passwords import verify


@pytest.fixture
def typed(place, monkeypatch):
    (place / "bulkmail.yaml").write_text('web: {listen: "127.0.0.1:8025"}\n')

    def run(*words, password=""):
        monkeypatch.setattr("sys.stdin", io.StringIO(password))
        return cli.main(["user", *words])

    return run


def test_users_are_added_changed_listed_and_removed(typed, place, capsys):
    path = place / "web-users"
    assert typed("add", "ann", "--role", "approve", password="correct horse\n") == 0
    assert path.stat().st_mode & 0o777 == 0o600
    assert "correct horse" not in path.read_text()
    assert verify("correct horse", read_users(str(path))["ann"].kept)
    assert typed("add", "bob@example.com", "--no-password") == 0
    assert typed("add", "ann", password="another horse") == 0
    assert "ann is changed, with the role look" in capsys.readouterr().out
    assert typed("list", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [
        {"name": "ann", "role": "look", "password": True},
        {"name": "bob@example.com", "role": "look", "password": False},
    ]
    assert typed("remove", "ann") == 0
    assert typed("list") == 0
    assert capsys.readouterr().out == "ann is removed\nbob@example.com: look, by the proxy only\n"


@pytest.mark.parametrize(
    ("words", "password", "said"),
    [
        (["add", "ann"], "short\n", "must have 10 characters or more; nothing was changed"),
        (["add", "an n"], "correct horse\n", "is no name for a user"),
        (["remove", "eve"], "", "has no user 'eve'"),
    ],
)
def test_what_is_refused(typed, place, capsys, words, password, said):
    assert typed(*words, password=password) == 1
    assert said in capsys.readouterr().err
    assert not (place / "web-users").exists()


def test_a_page_must_be_there_first(typed, place, capsys):
    (place / "bulkmail.yaml").write_text("{}\n")
    assert typed("list") == 1
    assert "give it a `listen` first" in capsys.readouterr().err
