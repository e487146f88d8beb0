from __future__ import annotations

import pytest

from bulkmail.mail import Refused


def test_databases_are_known_by_their_names(read):
    assert read("# none").databases == {}
    address = "postgresql://reader@db.example.com/crm?sslmode=verify-full"
    assert read(f'databases: {{crm: "{address}"}}').databases == {"crm": address}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a b": "postgresql://x/y"}', "not a name for a database"),
        ("{crm: mysql://x/y}", "must be an address such as postgresql://reader@db.example.com/crm"),
        ('{crm: "postgresql://r:secret@x/y"}', "holds a password"),
        ('{crm: "postgresql://x/y?password=secret"}', "keep it in ~/.pgpass"),
        ('{crm: "postgresql://[x/y"}', "is not an address"),
    ],
)
def test_what_is_wrong_is_told_without_the_secret(text, words, read):
    with pytest.raises(Refused) as refused:
        read(f"databases: {text}")
    assert words in str(refused.value)
    assert "secret" not in str(refused.value)
