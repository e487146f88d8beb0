"""What an order is where nothing further was asked for."""

from __future__ import annotations

from bulkmail.order import Order
from bulkmail.settings import Settings


def test_without_more_it_is_mail_for_the_world_at_the_speed_of_time():
    order = Order(Settings())
    assert (order.rehearse, order.once, order.accept_changes) == (False, False, False)
    assert order.speed == 1.0
    assert (order.prepared, order.watch, order.again, order.prepare(order.settings)) == (None, None, None, None)
    assert order.problems is not Order(Settings()).problems
