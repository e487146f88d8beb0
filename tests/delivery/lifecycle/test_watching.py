from __future__ import annotations

from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from bulkmail.delivery.lifecycle.approving import WithdrawnError
from bulkmail.delivery.lifecycle.watching import folders, sent
from bulkmail.settings import Settings

CAMPAIGNS = SimpleNamespace(steering=None)
PREPARED = SimpleNamespace(campaign=SimpleNamespace(name="spring"))


@pytest.mark.parametrize(
    ("approval", "watched", "required"),
    [
        ("auto", True, True),
        ("auto", False, False),
        ("required", False, True),
        ("none", True, False),
    ],
)
def test_where_an_approval_is_asked_for_by_default(approval, watched, required, tmp_path):
    root = str(tmp_path) if watched else None
    asking, watching = folders(Clock(), Settings(approval=approval), None, CAMPAIGNS, None, root)
    assert asking._required is required
    assert (watching is not None) is watched


def test_what_watches_a_folder_ends_its_waits_when_files_change(tmp_path):
    asking, watching = folders(Clock(), Settings(), None, CAMPAIGNS, None, str(tmp_path))
    assert watching._approving is asking
    assert watching._marks._withdraw == asking.withdraw


ROW = SimpleNamespace(name="spring")


class FakeCampaigns:
    def __init__(self):
        self.events = []

    async def send(self, prepared, *, accept_changes, before):
        self.events.append(("before", accept_changes))
        await before(ROW)
        self.events.append("sent")
        return 0


class FakeApproving:
    def __init__(self, trouble=None):
        self.trouble, self.asked = trouble, []

    async def passed(self, prepared, row, say):
        self.asked.append(row)
        say("waiting for approval", ["look at preview/", "then approve it"])
        if self.trouble is not None:
            raise self.trouble


def ended(work):
    got = []
    Deferred.fromCoroutine(work).addBoth(got.append)
    return got[0]


def test_the_campaign_of_c_is_sent_once_it_is_approved():
    campaigns, asking = FakeCampaigns(), FakeApproving()
    assert ended(sent(campaigns, asking, PREPARED, accept_changes=True)) == 0
    assert (campaigns.events, asking.asked) == ([("before", True), "sent"], [ROW])


def test_a_rehearsal_asks_nobody():
    assert ended(sent(FakeCampaigns(), None, PREPARED, accept_changes=False)) == 0


def test_a_wait_that_is_withdrawn_is_a_stop():
    asking = FakeApproving(WithdrawnError("the service is being stopped"))
    assert ended(sent(FakeCampaigns(), asking, PREPARED, accept_changes=False)) == 3
