from __future__ import annotations

import pytest

from bulkmail.mail import parse_rate
from bulkmail.public.answering import Answers, Call
from bulkmail.public.page import headers
from bulkmail.public.texts import shipped
from tests.public.known import BROKEN, FAULTY, GONE, READ_ONLY, RIGHT, SHARED, WRONG, Known, result

ONE_CLICK = b"List-Unsubscribe=One-Click"


class House:
    """The answers and what they ask, with a clock of its own."""

    def __init__(self, rate="1000/s"):
        self.known = Known()
        self.now = 0.0
        self.answers = Answers(self.known, shipped(), "Example Shop", parse_rate(rate), lambda: self.now)

    def ask(self, method, token, body=b"", **more):
        call = Call(method.encode(), f"/u/{token}".encode(), more.pop("client", "c"), body=body, **more)
        return result(self.answers.answer(call))

    def words(self, method, token, body=b"", **more):
        answer = self.ask(method, token, body, **more)
        return answer.status, answer.body.decode().partition("<h1>")[2].partition("</h1>")[0]


@pytest.fixture
def house():
    return House()


LEFT = "You are unsubscribed from “<bdi>Spring newsletter</bdi>”"
ASK = "Unsubscribe from “<bdi>Spring newsletter</bdi>”?"
UNKNOWN = "This link does not work"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_writes_nothing(house, method):
    for _ in range(3):
        assert house.words(method, RIGHT, ONE_CLICK) == (200, ASK)
    assert house.known.calls == [("find", RIGHT)] * 3


def test_the_page_speaks_the_language_that_its_link_says(house):
    for method, body in (("GET", b""), ("POST", ONE_CLICK)):
        answer = house.ask(method, f"{RIGHT}?lang=de-AT", body, accept_language="fr")
        assert answer.headers[b"Content-Language"] == b"de"
        assert b'<html lang="de"' in answer.body
    assert house.ask("GET", f"{RIGHT}?lang=xx", accept_language="fr").headers[b"Content-Language"] == b"fr"
    assert house.known.written() == [("unsubscribe", RIGHT, "one-click")]


def test_one_click(house):
    assert house.words("POST", RIGHT, ONE_CLICK) == (200, LEFT)
    assert house.known.written() == [("unsubscribe", RIGHT, "one-click")]
    assert house.words("POST", RIGHT, ONE_CLICK) == (200, LEFT)
    assert house.words("GET", RIGHT) == (200, LEFT)


def test_the_button_and_back(house):
    assert house.words("POST", RIGHT, b"action=leave") == (200, LEFT)
    assert house.words("POST", RIGHT, b"action=return") == (
        200,
        "You are on the list “<bdi>Spring newsletter</bdi>” again",
    )
    assert house.words("GET", RIGHT) == (200, ASK)
    assert house.known.written() == [("unsubscribe", RIGHT, "page"), ("resubscribe", RIGHT, "page")]


def test_no_answer_sets_a_cookie_or_leads_elsewhere(house):
    for method, token, body in [
        ("GET", RIGHT, b""),
        ("POST", RIGHT, ONE_CLICK),
        ("POST", WRONG, ONE_CLICK),
        ("PUT", RIGHT, b""),
        ("GET", FAULTY, b""),
    ]:
        answer = house.ask(method, token, body)
        assert headers().items() <= answer.headers.items()
        assert not {b"Set-Cookie", b"Location", b"Refresh", b"WWW-Authenticate"} & answer.headers.keys()
        assert answer.status not in range(300, 400)


def test_a_post_that_asks_for_nothing_changes_nothing_and_says_so(house):
    assert house.words("POST", RIGHT, b"x=y") == (400, ASK)
    assert not house.known.written()


@pytest.mark.parametrize(
    ("method", "body"),
    [("GET", b""), ("HEAD", b""), ("POST", ONE_CLICK), ("POST", b"action=return"), ("POST", b"x=y"), ("POST", None)],
)
def test_a_wrong_token_is_answered_as_a_right_one_and_writes_nothing(house, method, body):
    right = house.ask(method, RIGHT, body)
    for token in (WRONG, SHARED, "x", "%zz"):
        wrong = house.ask(method, token, body)
        assert (wrong.status, wrong.headers) == (right.status, right.headers)
        assert UNKNOWN in wrong.body.decode()
        assert abs(len(wrong.body) - len(right.body)) < 300
    assert all(call[1] == RIGHT for call in house.known.written())


def test_a_token_is_good_after_its_campaign_has_left_the_spool(house):
    assert house.words("GET", GONE) == (200, ASK)
    assert house.words("POST", GONE, ONE_CLICK) == (200, LEFT)
    assert "Address" not in house.ask("GET", GONE).body.decode()


def test_a_test_message_is_answered_as_always_and_changes_nothing(house):
    assert house.words("GET", "test-abc") == (200, "Unsubscribe from “<bdi>Test message</bdi>”?")
    assert house.words("POST", "test-abc", ONE_CLICK) == (200, "You are unsubscribed from “<bdi>Test message</bdi>”")
    assert house.words("POST", "test-abc", b"action=return")[0] == 200
    assert "This link is from a test message: nothing is changed." in house.ask("GET", "test-abc").body.decode()
    assert not house.known.calls


@pytest.mark.parametrize("path", ["/", "/u/", "/u/a/b", "/robots.txt", "/u/" + "a" * 5000])
@pytest.mark.parametrize("method", [b"GET", b"POST", b"PUT"])
def test_there_is_nothing_else(house, method, path):
    answer = result(house.answers.answer(Call(method, path.encode(), "c", body=ONE_CLICK)))
    assert answer.status == 404
    assert b"There is nothing here" in answer.body
    assert not house.known.calls


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "get", "CONNECT", "X"])
def test_other_methods_are_told_which_there_are(house, method):
    answer = house.ask(method, RIGHT, ONE_CLICK)
    assert (answer.status, answer.headers[b"Allow"]) == (405, b"GET, HEAD, POST")
    assert not house.known.calls


def test_a_body_that_is_too_long(house):
    answer = house.ask("POST", RIGHT, None)
    assert answer.status == 413
    assert b"Unsubscribe from" in answer.body
    assert house.known.calls == [("find", RIGHT)]


@pytest.mark.parametrize(("method", "token", "body"), [("GET", FAULTY, b""), ("POST", READ_ONLY, ONE_CLICK)])
def test_a_fault_of_ours_is_503_and_asks_to_come_again(house, method, token, body):
    answer = house.ask(method, token, body)
    assert (answer.status, answer.headers[b"Retry-After"]) == (503, b"60")
    assert b"Nothing was changed just now" in answer.body


def test_an_error_in_ourselves_is_left_to_the_caller(house):
    with pytest.raises(ZeroDivisionError):
        house.ask("GET", BROKEN)


def test_the_language_is_the_browsers(house):
    answer = house.ask("POST", RIGHT, ONE_CLICK, accept_language="de-AT,de;q=0.9")
    assert answer.headers[b"Content-Language"] == b"de"
    assert "Sie sind von „<bdi>Spring newsletter</bdi>“ abgemeldet" in answer.body.decode()


def test_who_asks_too_much_is_told_when_to_come_again_and_others_are_answered():
    house = House(rate="2/s,burst=20")
    statuses = [house.ask("POST", WRONG, ONE_CLICK).status for _ in range(1000)]
    assert statuses[:2] == [200, 200]
    assert set(statuses[2:]) == {429}
    assert len(house.known.calls) == 2  # those that are refused cost no look at the spool
    assert int(house.ask("GET", RIGHT).headers[b"Retry-After"]) >= 1
    assert house.words("POST", RIGHT, ONE_CLICK, client="other") == (200, LEFT)
    house.now = 60.0
    assert house.words("POST", RIGHT, ONE_CLICK) == (200, LEFT)


def test_a_flood_of_wrong_tokens_from_everywhere_keeps_nobody_from_unsubscribing():
    house = House(rate="20/s,burst=200")
    statuses = {house.ask("POST", WRONG, ONE_CLICK, client=str(number)).status for number in range(2000)}
    assert statuses == {200, 429}
    assert house.words("POST", RIGHT, ONE_CLICK, client="other") == (200, LEFT)
