"""Clicks: on every store the same."""

from __future__ import annotations

import pytest

from bulkmail.mail import ClickCount, clicks_by_variant
from bulkmail.spool import Reader


def made(store, name="spring", names=None):
    content = {"links": {"clicks": "https://m.example/c/", "names": names}} if names else {}
    files = [("recipients.csv", ["email"])]
    return store.create_campaign(name, f"/c/{name}", content=content, digests={}, files=files, now=1.0)


def test_clicks_are_added_up_by_link_and_variant(store):
    spring = made(store, names={"l1": "https://x.example/a", "l2": "https://x.example/b"})
    other = made(store, "other")
    assert store.clicks(other.id) == []
    assert store.clicks(spring.id) == [
        ClickCount("l1", "", 0, 0, "https://x.example/a"),
        ClickCount("l2", "", 0, 0, "https://x.example/b"),
    ]
    one = (spring.id, ClickCount("l1", "b", 2, 1))
    store.add_clicks([one, one, (spring.id, ClickCount("l9", "", 1, 0)), (999, ClickCount("l1", "", 1, 1))])
    assert store.clicks(spring.id) == [
        ClickCount("l1", "b", 4, 2, "https://x.example/a"),
        ClickCount("l2", "", 0, 0, "https://x.example/b"),
        ClickCount("l9", "", 1, 0, ""),
    ]
    assert clicks_by_variant(store.clicks(spring.id)) == {"b": 4, "": 1}
    assert store.clicks(999) == []


def test_a_changed_letter_keeps_its_clicks(store):
    spring = made(store, names={"l1": "https://x.example/a"})
    store.add_clicks([(spring.id, ClickCount("l1", "", 2, 0))])
    content = {"links": {"clicks": "https://m.example/c/", "names": {"l2": "https://x.example/b"}}}
    store.update_content(spring.id, content, {}, [("recipients.csv", ["email"])])
    assert [(one.link, one.people) for one in store.clicks(spring.id)] == [("l1", 2), ("l2", 0)]


def test_clicks_leave_with_their_campaign(store):
    spring = made(store, names={"l1": "https://x.example/a"})
    while not store.remove_campaign(spring.id):
        pass
    assert store.clicks(spring.id) == []


@pytest.mark.parametrize("store", ["file"], indirect=True)
def test_another_process_reads_them(store):
    spring = made(store, names={"l1": "https://x.example/a"})
    reader = Reader(store.database.path)
    assert reader.clicks(spring.id) == store.clicks(spring.id)
    reader.close()
