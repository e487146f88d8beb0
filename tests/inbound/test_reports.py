"""What follows from mail to an address with a token: who is asked, what is recorded, and what is kept for a look."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from bulkmail.inbound import Accepted, Purpose
from bulkmail.inbound.reports import Reports
from bulkmail.mail import Found, LateResult, OwnFault, campaign_key, envelope_id, token
from bulkmail.returns.reader import Reader
from bulkmail.workers import WorkerDiedError, WorkerLateError

KEY = bytes(32)
TOKEN, OTHER = (token(campaign_key(KEY, 1), number) for number in (7, 8))
CAMPAIGN, ELSEWHERE = (token(campaign_key(KEY, campaign), 0) for campaign in (1, 2))  # of a shared return path
ENVELOPE = envelope_id(campaign_key(KEY, 1), 5, 60)
ADDRESS = "ann@d.example"
FAILED = f"""\
From: MAILER-DAEMON@mx.example
Subject: Undelivered Mail Returned to Sender
Message-ID: <1@mx.example>
Content-Type: multipart/report; report-type=delivery-status; boundary=x

--x
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; {ADDRESS}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 No such user

--x
Content-Type: text/rfc822-headers

Message-ID: <q2w3e4r5.{TOKEN}@example.com>

--x--
""".replace("\n", "\r\n").encode()
COMPLAINT = f"""\
From: fbl@big.example
Content-Type: multipart/report; report-type=feedback-report; boundary=x

--x
Content-Type: message/feedback-report

Feedback-Type: abuse
Version: 1

--x
Content-Type: message/rfc822

Message-ID: <q2w3e4r5.{TOKEN}@example.com>
From: news@example.com

Hello
--x--
""".replace("\n", "\r\n").encode()
PERSON = b"From: ann@d.example\r\nSubject: Re: spring\r\n\r\nThank you\r\n"


class Returns:
    def __init__(self):
        self.told = []

    async def token_key(self):
        return KEY

    async def find(self, token):
        if token != TOKEN:
            return None
        return Found(1, 7, "spring", "news", "marketing", ADDRESS, unsubscribed=False, in_spool=True)

    async def members(self, envelope_id, addresses):
        assert envelope_id == ENVELOPE
        return {ADDRESS: TOKEN} if ADDRESS in addresses else {}

    async def returned(self, token, event):
        self.told.append((token, event.result, event.status))
        return await self.find(token)

    async def complained(self, token, event):
        self.told.append((token, LateResult.COMPLAINED, ""))
        return await self.find(token)

    async def unsubscribe(self, token, how, key=""):
        self.told.append((token, LateResult.UNSUBSCRIBED, how))
        return await self.find(token)

    def unattributed(self, what):
        self.told.append(("", what, ""))


class Place:
    def __init__(self):
        self.kept = []

    async def __call__(self, received):
        self.kept.append(received)


class Scene:
    def __init__(self, fault=None):
        self.returns, self.unread, self.people = Returns(), Place(), Place()
        self.fault = fault
        self.reports = Reports(self.ask, self.returns, self.unread, self.people)

    async def ask(self, job, deadline):
        assert deadline
        if self.fault is not None:
            raise self.fault
        return Reader().handle(job)

    def take(self, received):
        done = Deferred.fromCoroutine(self.reports(received))
        failed = []
        done.addErrback(failed.append)
        if failed:
            failed[0].raiseException()
        return self.returns.told, len(self.unread.kept), len(self.people.kept)


@pytest.fixture
def scene():
    return Scene()


def to(name, token):
    purpose = {"bounces": Purpose.BOUNCE, "unsubscribe": Purpose.UNSUBSCRIBE, "complaints": Purpose.COMPLAINT}[name]
    return Accepted(f"{name}+{token}@in.example.com" if token else f"{name}@in.example.com", purpose, token)


def test_a_failure_is_recorded_for_the_row_of_its_token(scene, message):
    got = message(body=FAILED, sender="", recipients=(to("bounces", TOKEN),))
    assert scene.take(got) == ([(TOKEN, LateResult.RETURNED, "bounced")], 0, 0)


def test_a_failure_of_somebody_else_changes_nothing_and_is_kept(scene, message):
    body = FAILED.replace(ADDRESS.encode(), b"bob@d.example")
    got = message(body=body, sender="", recipients=(to("bounces", TOKEN),))
    assert scene.take(got) == ([("", "failed", "")], 1, 0)


def test_a_wrong_token_changes_nothing(scene, message):
    body = FAILED.replace(TOKEN.encode(), OTHER.encode())
    got = message(body=body, sender="", recipients=(to("bounces", OTHER),))
    assert scene.take(got) == ([("", "failed", "")], 1, 0)


def test_of_a_shared_return_path_the_copy_tells_whose_it_is(scene, message):
    got = message(body=FAILED, sender="", recipients=(to("bounces", CAMPAIGN),))
    assert scene.take(got) == ([(TOKEN, LateResult.RETURNED, "bounced")], 0, 0)


def test_without_that_it_is_nobodys_whatever_address_is_named(scene, message):
    """Everybody who got the message has read that token, and could have anybody taken off by it."""
    body = FAILED.replace(TOKEN.encode(), CAMPAIGN.encode())
    got = message(body=body, sender="", recipients=(to("bounces", CAMPAIGN),))
    assert scene.take(got) == ([("", "failed", "")], 1, 0)


def test_the_envelope_id_of_the_transaction_and_the_original_recipient_tell_it_together(scene, message):
    whole = FAILED.replace(TOKEN.encode(), CAMPAIGN.encode()).replace(
        b"Final-Recipient", f"Original-Recipient: rfc822;{ADDRESS}\r\nFinal-Recipient".encode()
    )
    for envelope, row in ((ENVELOPE, TOKEN), (envelope_id(campaign_key(KEY, 2), 5, 60), ""), (CAMPAIGN, "")):
        scene.returns.told.clear()
        body = whole.replace(
            b"mx.example\r\n\r\n", f"mx.example\r\nOriginal-Envelope-Id: {envelope}\r\n\r\n".encode(), 1
        )
        got = message(body=body, sender="", recipients=(to("bounces", CAMPAIGN),))
        told, *_ = scene.take(got)
        assert told == [(row, LateResult.RETURNED if row else "failed", "bounced" if row else "")]
    assert len(scene.unread.kept) == 2


def test_a_shared_return_path_of_another_campaign_contradicts(scene, message):
    got = message(body=FAILED, sender="", recipients=(to("bounces", ELSEWHERE),))
    assert scene.take(got) == ([("", "failed", "")], 1, 0)


def test_two_tokens_that_contradict_each_other_change_nothing(scene, message):
    body = FAILED.replace(TOKEN.encode(), OTHER.encode()).replace(ADDRESS.encode(), b"bob@d.example")
    got = message(body=body, sender="", recipients=(to("bounces", TOKEN),))
    assert scene.take(got) == ([("", "failed", "")], 1, 0)


def test_a_complaint_is_found_by_the_copy_that_it_encloses(scene, message):
    got = message(body=COMPLAINT, recipients=(to("complaints", ""),))
    assert scene.take(got) == ([(TOKEN, LateResult.COMPLAINED, "")], 0, 0)


def test_mail_unsubscribes(scene, message):
    got = message(body=b"Subject: unsubscribe\r\n\r\n", recipients=(to("unsubscribe", TOKEN),))
    assert scene.take(got) == ([(TOKEN, LateResult.UNSUBSCRIBED, "mail")], 0, 0)


def test_the_older_form_has_the_token_in_its_subject(scene, message):
    body = f"From: ann@d.example\r\nSubject: unsubscribe-{TOKEN}\r\n\r\n".encode()
    got = message(body=body, recipients=(to("unsubscribe", ""),))
    assert scene.take(got) == ([(TOKEN, LateResult.UNSUBSCRIBED, "mail")], 0, 0)


def test_a_persons_answer_is_recorded_and_goes_on_to_people(scene, message):
    got = message(body=PERSON, recipients=(to("complaints", TOKEN),))
    assert scene.take(got) == ([(TOKEN, LateResult.ANSWERED, "")], 0, 1)


def test_what_a_program_answers_to_the_return_path_goes_to_nobody(scene, message):
    got = message(body=PERSON, recipients=(to("bounces", TOKEN),))
    assert scene.take(got) == ([(TOKEN, LateResult.ANSWERED, "")], 0, 0)


def test_a_persons_complaint_without_a_token_goes_to_people(scene, message):
    got = message(body=PERSON, recipients=(to("complaints", ""),))
    assert scene.take(got) == ([("", "other", "")], 0, 1)


def test_one_that_is_not_read_in_time_is_kept_for_a_look(message):
    scene = Scene(WorkerLateError("late"))
    got = message(body=FAILED, sender="", recipients=(to("bounces", TOKEN),))
    assert scene.take(got) == ([], 1, 0)


def test_without_a_reader_its_client_keeps_it(message):
    scene = Scene(WorkerDiedError("gone"))
    got = message(body=FAILED, sender="", recipients=(to("bounces", TOKEN),))
    with pytest.raises(OwnFault, match="cannot be read"):
        scene.take(got)
    assert scene.unread.kept == []


ABUSE = Accepted("abuse@in.example.com", Purpose.FORWARD)


@pytest.mark.parametrize(
    ("body", "known", "told"),
    [
        (COMPLAINT, True, [(TOKEN, LateResult.COMPLAINED, "")]),
        (COMPLAINT.replace(b"Feedback-Type: abuse", b"Feedback-Type: not-spam"), False, []),
        (COMPLAINT.replace(TOKEN.encode(), b"x"), False, [("", "complaint", "")]),
        (FAILED, False, []),
        (PERSON, False, []),
        (PERSON + b"I have got a feedback-report about this\r\n" + COMPLAINT, False, []),
    ],
)
def test_a_complaint_counts_that_came_to_people(scene, message, body, known, told):
    found = []
    Deferred.fromCoroutine(scene.reports.complaint(message(body=body, recipients=(ABUSE,)))).addCallback(found.append)
    assert (found, scene.returns.told) == ([known], told)
    assert (scene.unread.kept, scene.people.kept) == ([], [])


def test_what_is_plainly_for_people_is_not_read(message):
    scene, found = Scene(fault=WorkerDiedError("gone")), []
    Deferred.fromCoroutine(scene.reports.complaint(message(body=PERSON, recipients=(ABUSE,)))).addCallback(found.append)
    assert found == [False]
