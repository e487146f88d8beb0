from __future__ import annotations

import pytest

from bulkmail.content.printed import printed_columns


@pytest.mark.parametrize(
    ("html", "columns"),
    [
        ("{{ city }}", ["city"]),
        ("{{ first_name }}", ["First Name"]),
        ('{{ row["First Name"] }} {{ row.city }}', ["First Name", "city"]),
        ("{% if city %}in {{ city }}{% endif %}", []),
        ("{% if plan == 'plus' %}{{ city }}{% endif %}", ["city"]),
        ("{% if not city %}nowhere{% else %}{{ city }}{% endif %}", []),
        ("{{ city|default('Bath', true) }} {{ city or 'Bath' }} {{ city if city else 'Bath' }}", []),
        ("{{ plan if city else 'none' }}", ["plan"]),
        ("{{ city|upper }}{{ 'x' ~ plan }}", ["city", "plan"]),
        ("{% set town = city %}{{ town }}", ["city"]),
        ("{{ email }}{{ token }}{{ row['email'] }}", []),
        ("{% for x in plan.split() %}{{ x }}{% endfor %}", ["plan"]),
    ],
)
def test_which_columns_are_printed_as_they_are(make, html, columns):
    names = ["email", "First Name", "city", "plan", "token"]
    content = make(html=html, text=None, subject="Hi", columns=[names, ["email"]])
    first, second = printed_columns(content)
    assert [names[at] for at in first] == columns
    assert second == []


def test_subject_headers_url_and_includes_count(make):
    content = make(
        html="x",
        text=None,
        subject="{{ a }}",
        headers={"X-Y": "{{ b }}"},
        unsubscribe={"url": "https://x.example/{{ c }}", "mailto": None},
        includes={"p.j2": "{{ d }}", "broken.j2": "{{"},
        columns=[["email", "a", "b", "c", "d", "e"]],
    )
    assert printed_columns(content) == [[1, 2, 3, 4]]


def test_of_an_invitation_what_people_read_counts(make):
    event = {"summary": "{{ a }}", "description": "{{ b }}", "start": "{{ c }}", "location": "{{ d }}", "sequence": 0}
    content = make(html="x", text=None, subject="x", columns=[["email", "a", "b", "c", "d"]], invitation=event)
    assert printed_columns(content) == [[1, 2]]
