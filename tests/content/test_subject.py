from __future__ import annotations

import pytest

from bulkmail.content import subject_for

COLUMNS = ["email", "First Name"]


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        ("{{ first_name }}, spring is here", "Zoë, spring is here"),
        ("{% if token %}Hi{% endif %}\n {{ email }}", "Hi b@example.com"),
        ("{{ city }}!", "Leeds!"),
        ("Hi {{ nobody.there }}", "Hi {{ nobody.there }}"),
        ("Hi {{ first_name", "Hi {{ first_name"),
    ],
)
def test_a_subject_as_a_recipient_sees_it(subject, shown):
    cells = ["b@example.com", "Zoë"]
    assert subject_for(subject, COLUMNS, {"city": "Leeds"}, cells, email="b@example.com", token="t") == shown
