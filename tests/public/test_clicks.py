"""Clicks are held, told from what programs do, and added up."""

from __future__ import annotations

from bulkmail.mail import Click, ClickCount
from bulkmail.public.clicks import HELD, MANY, Clicks, is_program

PERSON = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


def click(link: str = "a", number: int = 1, variant: str = "") -> Click:
    return Click(3, number, link, variant, "https://x.example")


def counted(clicks: Clicks, now: float = 1000.0) -> list[tuple[str, int, int]]:
    return [(one.link, one.people, one.scanners) for _campaign, one in clicks.due(now)]


def test_a_click_counts_once_it_is_certain() -> None:
    clicks = Clicks()
    for at in (0.0, 1.0, 2.0):
        clicks.add(click(), "c", b"GET", PERSON, at)
    clicks.add(click(number=2), "c", b"GET", PERSON, 5.0)
    assert counted(clicks, HELD - 0.1) == []
    assert counted(clicks, HELD) == [("a", 1, 0)]
    clicks.add(click(), "c", b"GET", PERSON, HELD + 1)
    assert clicks.due(HELD + 1, all_of_them=True) == [(3, ClickCount("a", "", 2, 0))]
    assert counted(clicks) == []


def test_programs_are_counted_apart() -> None:
    clicks = Clicks()
    clicks.add(click("a", 1), "c", b"HEAD", PERSON, 0.0)
    clicks.add(click("a", 1), "c", b"GET", PERSON, 1.0)  # what has asked with HEAD is a program
    clicks.add(click("a", 1), "c", b"GET", PERSON + " other", 2.0)
    clicks.add(click("a", 2), "c", b"GET", "", 0.0)
    clicks.add(click("a", 3), "c", b"GET", "curl/8.0", 0.0)
    assert counted(clicks) == [("a", 1, 2)]


def test_who_follows_many_links_at_once_is_a_program() -> None:
    clicks = Clicks()
    links = "abcdefgh"
    for at, link in enumerate(links[:MANY]):
        clicks.add(click(link, 1), "c", b"GET", PERSON, float(at))
    for at, link in enumerate(links[: MANY - 1]):
        clicks.add(click(link, 2), "c", b"GET", PERSON, float(at))
    for at, link in enumerate(links[:MANY]):
        clicks.add(click(link, 3), "c", b"GET", PERSON, at * (HELD + 1))  # a patient reader
    assert counted(clicks) == [("a", 2, 1), ("b", 2, 1), ("c", 2, 1), ("d", 1, 1)]


def test_a_message_that_is_the_same_for_all_has_readers_by_client() -> None:
    clicks = Clicks()
    for client in ("192.0.2.1", "192.0.2.2", "192.0.2.1"):
        clicks.add(click("a", 0), client, b"GET", PERSON, 0.0)
    assert counted(clicks) == [("a", 2, 0)]


def test_variants_and_campaigns_are_apart() -> None:
    clicks = Clicks()
    clicks.add(click("a", 1, "x"), "c", b"GET", PERSON, 0.0)
    clicks.add(click("a", 2, "y"), "c", b"GET", PERSON, 0.0)
    clicks.add(Click(4, 2, "a", "y", "https://x.example"), "c", b"GET", PERSON, 0.0)
    found = clicks.due(99.0)
    assert [(campaign, one.variant) for campaign, one in found] == [(3, "x"), (3, "y"), (4, "y")]
    clicks.back(found)
    assert clicks.due(99.0) == found


def test_memory_is_bounded() -> None:
    clicks = Clicks()
    for number in range(1, 20_006):
        clicks.add(click(number=number), "c", b"GET", PERSON, 0.0)
    assert counted(clicks, 0.0) == [("a", 5, 0)]
    for link in range(1000):
        clicks.add(click(str(link), 50_000), "c", b"GET", PERSON, 100.0)
    assert sum(scanners for _, _, scanners in counted(clicks)) == 500


def test_who_says_what_it_is() -> None:
    for agent in ("", " ", "Googlebot/2.1", "python-requests/2.31", "Barracuda Sentinel", "facebookexternalhit/1.1"):
        assert is_program(agent), agent
    for agent in (PERSON, "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148", "Cubot phone"):
        assert not is_program(agent) or agent.startswith("Cubot"), agent
