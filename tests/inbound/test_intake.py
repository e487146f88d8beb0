"""Who gets a message, and who may look at it before."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher

from bulkmail.inbound import Purpose, Refusal
from bulkmail.inbound.intake import Filtered, Intake
from bulkmail.mail import OwnFault


def no_time() -> float:
    return 0.0


async def no_complaint(received) -> bool:
    return False


async def a_complaint(received) -> bool:
    return True


class Place:
    def __init__(self):
        self.kept = []

    async def __call__(self, received):
        self.kept.append(received)


def look(answer):
    async def looked(received):
        if isinstance(answer, Exception):
            raise answer
        return answer

    return looked


def taken(intake, received):
    """The refusal, or None."""
    done = Deferred.fromCoroutine(intake(received))
    try:
        failed = []
        done.addErrback(failed.append)
        return failed[0].value if failed else None
    finally:
        assert done.called


@pytest.fixture
def places():
    return Place(), Place()


@pytest.mark.parametrize("purpose", [Purpose.BOUNCE, Purpose.COMPLAINT, Purpose.UNSUBSCRIBE])
def test_reports_are_not_filtered(message, places, purpose):
    reports, mailbox = places
    intake = Intake(reports, no_complaint, Filtered(mailbox, [look(Refusal(550, "5.7.1", "no"))], no_time))
    assert taken(intake, message(purpose=purpose)) is None
    assert (len(reports.kept), len(mailbox.kept)) == (1, 0)


def test_mail_for_people_gets_what_the_filters_add(message, places):
    reports, mailbox = places
    intake = Intake(reports, no_complaint, Filtered(mailbox, [look(b""), look(b"X-Spam: Yes\r\n")], no_time))
    assert taken(intake, message()) is None
    assert mailbox.kept[0].body.whole() == b"X-Spam: Yes\r\nSubject: x\r\n\r\nhello\r\n"
    assert reports.kept == []


@pytest.mark.parametrize(
    ("answer", "code", "enhanced"),
    [(Refusal(550, "5.7.1", "no"), 550, "5.7.1"), (OwnFault("clamd is down"), 451, "4.7.1")],
)
def test_what_a_filter_refuses_and_one_that_is_down(message, places, answer, code, enhanced):
    reports, mailbox = places
    refusal = taken(Intake(reports, no_complaint, Filtered(mailbox, [look(answer)], no_time)), message())
    assert (refusal.code, refusal.enhanced) == (code, enhanced)
    assert mailbox.kept == []


def test_what_a_filter_says_after_the_client_was_answered_stores_nothing(message, places):
    reports, mailbox = places
    intake = Intake(reports, no_complaint, Filtered(mailbox, [look(b"")], lambda: 10.0))
    assert isinstance(taken(intake, message(until=10.0)), OwnFault)
    assert mailbox.kept == []
    assert taken(intake, message(until=10.5)) is None
    assert len(mailbox.kept) == 1


def test_a_filter_that_is_down_is_one_line_a_minute(message, places):
    now, seen = [0.0], []
    filters = [look(OwnFault("clamd is down"))]
    people = Filtered(places[1], filters, lambda: now[0])
    globalLogPublisher.addObserver(seen.append)
    try:
        for now[0] in (0.0, 1.0, 59.0, 61.0, 62.0):
            taken(Intake(places[0], no_complaint, people), message())
        people.close()
    finally:
        globalLogPublisher.removeObserver(seen.append)
    line = "inbound: clamd is down; clients are told to try again"
    left_out = ["inbound: 2 lines of this kind were left out", "inbound: 1 line of this kind was left out"]
    assert [event["text"] for event in seen] == [line, left_out[0], line, left_out[1]]


def test_a_loop_is_cut_for_people_and_not_for_reports(message, places):
    body = b"Delivered-To: anna@in.example.com\r\n\r\n"
    refusal = taken(Intake(places[0], no_complaint, Filtered(places[1], [], no_time)), message(body=body))
    assert (refusal.code, refusal.enhanced) == (554, "5.4.6")
    assert (
        taken(
            Intake(places[0], no_complaint, Filtered(places[1], [], no_time)),
            message(body=body, purpose=Purpose.BOUNCE),
        )
        is None
    )


def test_people_get_a_complaint_as_well(message, places):
    assert taken(Intake(places[0], a_complaint, Filtered(places[1], [], no_time)), message()) is None
    assert (len(places[0].kept), len(places[1].kept)) == (0, 1)


@pytest.mark.parametrize("complaint", [a_complaint, no_complaint])
def test_what_a_filter_says_of_a_complaint_that_counts_does_not_send_it_back(message, places, complaint):
    people = Filtered(places[1], [look(Refusal(550, "5.7.1", "no"))], no_time)
    refusal = taken(Intake(places[0], complaint, people), message())
    assert (refusal is None) is (complaint is a_complaint)
    down = Filtered(places[1], [look(OwnFault("clamd is down"))], no_time)
    assert taken(Intake(places[0], complaint, down), message()) is not None
    assert places[1].kept == []
