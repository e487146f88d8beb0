"""What the connections share."""

from __future__ import annotations


def test_each_message_has_a_name_of_its_own(kit):
    shared = kit.reception().shared
    names = [shared.new_id() for _ in range(1000)]
    assert len(set(names)) == 1000
    assert all(name.isalnum() and len(name) <= 12 for name in names)
    later = kit.reception()
    assert later.shared.new_id() == names[0]  # the clock is where they begin


def test_tls_is_ready_where_there_is_a_certificate(kit):
    class Looked:
        times = 0

        def look(self):
            self.times += 1

    looked = Looked()
    assert not kit.reception().shared.tls_ready()
    assert kit.reception(certificate=looked).shared.tls_ready()
    assert looked.times == 1
