from __future__ import annotations

from collections.abc import Callable

import pytest

from bulkmail.settings import Settings


def test_the_first_domain_is_written_into_mail(read: Callable[[str], Settings]) -> None:
    inbound = read("inbound: {domains: [Bounces.Example.com., bücher.example]}").inbound
    assert inbound is not None
    assert inbound.domains == ("bounces.example.com", "xn--bcher-kva.example")
    assert inbound.domain == "bounces.example.com"


def test_nothing_is_taken_unless_it_is_set(read: Callable[[str], Settings]) -> None:
    assert read("log: {level: info}").inbound is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("inbound: {}", "inbound: `domains` is missing: add the domains whose mail comes here"),
        ("inbound: {domains: []}", "inbound.domains: must name at least one domain"),
        ("inbound: {domains: [a.example, A.example]}", "inbound.domains[1]: a.example is given more than once"),
        ("inbound: {domains: [here]}", "inbound.domains[0]: the domain 'here' has no dot"),
        (f"inbound: {{domains: [{'.'.join(['a' * 60] * 4)}]}}", "inbound.domains[0]: is longer than 200 characters"),
    ],
)
def test_what_is_refused(refusal: Callable[[str], list[str]], text: str, words: str) -> None:
    (problem,) = refusal(text)
    assert words in problem


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("log: {level: info}", ""),
        ("inbound: {domains: [b.example]}", "FAILURE"),
        ("inbound: {domains: [b.example]}\nsmtp: {dsn: none}", ""),
        ("inbound: {domains: [b.example]}\nsmtp: {dsn: never}", "NEVER"),
        ("smtp: {dsn: failure}", "FAILURE"),
    ],
)
def test_reports_are_asked_for_where_they_come_back(read: Callable[[str], Settings], text: str, asked: str) -> None:
    assert read(text).reports_asked == asked
