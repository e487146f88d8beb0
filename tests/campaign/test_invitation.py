from __future__ import annotations

import pytest
from pydantic import ValidationError

from bulkmail.campaign.invitation import InvitationKeys


def test_an_event_as_plain_data():
    given = InvitationKeys(summary="Open day", start="2026-12-10", sequence=1)
    assert given.plain == {
        "invitation": {
            "summary": "Open day", "start": "2026-12-10", "end": "", "duration": "", "timezone": "", "location": "",
            "description": "", "organizer": "", "uid": "", "sequence": 1,
        }
    }  # fmt: skip


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"end": "2026-12-11", "duration": "1d"}, "both `end` and `duration`"),
        ({"sequence": -1}, "greater than or equal"),
    ],
)
def test_what_cannot_be_is_refused(more, words):
    with pytest.raises(ValidationError, match=words):
        InvitationKeys(summary="x", start="2026-12-10", **more)
