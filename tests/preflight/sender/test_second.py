from __future__ import annotations

import pytest

from bulkmail.preflight.findings import Finding, Severity
from bulkmail.preflight.sender.second import of_second

FOUR, SIX = "192.0.2.10", "2001:db8::1"


@pytest.mark.parametrize(("second", "only"), [(SIX, "v4"), (FOUR, "v6")])
def test_an_error_becomes_a_warning_with_the_way_out(sender, second, only):
    error = Finding(Severity.ERROR, "ptr-missing", second, "it has no PTR record", "publish one")
    found = of_second(sender(addresses=(FOUR, SIX), second=(second,)), error)
    assert (found.severity, found.code) == (Severity.WARNING, "ptr-missing")
    assert found.remedy == f"publish one; or write `routing: {{ip: {only}}}`, not to send from it"


def test_what_stops_no_start_stays_as_it_is(sender):
    warning = Finding(Severity.WARNING, "ptr-generic", SIX, "it looks like a provider's own")
    assert of_second(sender(second=(SIX,)), warning) is warning
