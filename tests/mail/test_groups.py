from __future__ import annotations

import pytest

from bulkmail.mail import names_of, provider_behind


@pytest.mark.parametrize(
    ("provider", "names"),
    [
        ("", ()),
        ("google", ("google",)),
        ("partner", ("partner",)),
        ("partner at google", ("partner at google", "partner", "google")),
        ("a+b at google", ("a+b at google", "a+b", "a", "b", "google")),
        ("a+b", ("a+b", "a", "b")),
    ],
)
def test_a_group_is_known_by_its_routes_and_its_provider(provider, names) -> None:
    assert sorted(names_of(provider)) == sorted(names)


def test_the_provider_behind_a_group() -> None:
    assert [provider_behind(name) for name in ("", "google", "a+b at google")] == ["", "google", "google"]
