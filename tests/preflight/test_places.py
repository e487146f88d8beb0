from __future__ import annotations

import pytest

from bulkmail.preflight.places import place_of


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("html body.html.j2 line 4: it is None", ("body.html.j2:4", "it is None")),
        ("text body.txt.j2: parts/a.j2 line 2: x (TypeError)", ("parts/a.j2:2", "x (TypeError)")),
        ("text made from body.html.j2: it is None", ("body.html.j2", "it is None")),
        ("subject: it is None", ("subject", "it is None")),
        ("headers.X-Shop: a line break", ("headers.X-Shop", "a line break")),
        (
            "unsubscribe.url: the URL does not begin with https://",
            ("unsubscribe.url", "the URL does not begin with https://"),
        ),
        ("the row holds half of a surrogate pair", ("message", "the row holds half of a surrogate pair")),
    ],
)
def test_the_place_of_the_composers_words(words, place):
    assert place_of(words) == place
