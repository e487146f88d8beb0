from __future__ import annotations

import importlib

import pytest

from bulkmail.mail import Refused
from bulkmail.spool import address


@pytest.mark.parametrize(
    ("spool", "yes"),
    [
        ("postgresql://mail@db/bulkmail", True),
        ("postgres:///bulkmail?host=/run/postgresql", True),
        ("/var/spool/bulkmail", False),
        ("/srv/postgresql://odd", False),
    ],
)
def test_a_databases_address_is_told_from_a_folder(spool, yes):
    assert address.is_shared(spool) is yes


@pytest.mark.parametrize(
    ("spool", "shown"),
    [
        ("postgresql://mail:secret@db/bulkmail", "postgresql://mail@db/bulkmail"),
        ("postgresql://db/bulkmail?user=x&password=secret&sslmode=require",
         "postgresql://db/bulkmail?user=x&sslmode=require&…"),
        ("postgresql://mail:a@b@db/bulkmail", "postgresql://mail@db/bulkmail"),
        ("postgresql://mail:a/b@db/bulkmail", "postgresql://mail@db/bulkmail"),
        ("postgresql://mail:a/b@c?d@db/bulkmail", "postgresql://mail@c?…"),
        ("postgresql://mail:a?b@db/bulkmail?sslmode=require", "postgresql://mail@db/bulkmail?sslmode=require"),
        ("postgresql://db/x?sslpassword=secret&SSLPASSWORD=secret&passfile=a&user=me@corp",
         "postgresql://db/x?user=me@corp&…"),
        ("postgresql://db/x?PassWord=secret", "postgresql://db/x?…"),
        ("postgresql://a:1,b:2/x?sslmode=require", "postgresql://a:1,b:2/x?sslmode=require"),
        ("postgresql:///bulkmail?host=/run/postgresql", "postgresql:///bulkmail?host=/run/postgresql"),
        ("/var/spool/bulk:mail@x", "/var/spool/bulk:mail@x"),
    ],
)  # fmt: skip
def test_no_password_stands_in_a_message(spool, shown):
    assert address.public(spool) == shown


@pytest.mark.parametrize(
    ("spool", "yes"),
    [
        ("postgresql://mail:secret@db/x", True),
        ("postgresql://db/x?password=secret", True),
        ("postgresql://db/x?user=a&sslpassword=secret", True),
        ("postgresql://mail@db:5432/x?sslmode=require", False),
        ("/var/spool/mail:x@y", False),
    ],
)
def test_an_address_with_a_password(spool, yes):
    assert address.has_password(spool) is yes


def test_what_is_missing_is_named(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named 'psycopg' ({name})", name="psycopg")

    monkeypatch.setattr(address, "import_module", missing)
    with pytest.raises(Refused, match=r"pip install 'bulkmail\[postgres\]'"):
        address.postgres("store")


def test_a_fault_in_our_own_module_is_not_called_a_missing_library(monkeypatch):
    monkeypatch.setattr(address, "import_module", lambda _: importlib.import_module("bulkmail.spool.nothing_here"))
    with pytest.raises(ModuleNotFoundError, match="nothing_here"):
        address.postgres("nothing_here")
