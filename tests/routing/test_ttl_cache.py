from __future__ import annotations

from bulkmail.routing.ttl_cache import TtlCache


def test_it_forgets_at_the_date():
    memory = TtlCache(10)
    memory.put("a", 1, until=5.0)
    assert memory.get("a", 4.9) == 1
    assert memory.get("a", 5.0) is None
    assert len(memory) == 0
    assert memory.get("never", 0.0) is None


def test_the_one_not_asked_for_longest_goes_first():
    memory = TtlCache(2)
    memory.put("a", 1, 9.0)
    memory.put("b", 2, 9.0)
    memory.get("a", 0.0)
    memory.put("c", 3, 9.0)
    assert [memory.get(key, 0.0) for key in "abc"] == [1, None, 3]
    memory.put("c", 4, 9.0)
    assert memory.get("c", 0.0) == 4
    assert repr(memory) == "<TtlCache 2 of 2>"
