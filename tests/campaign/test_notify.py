from __future__ import annotations

import pytest
from pydantic import ValidationError

from bulkmail.campaign.notify import Notify


def test_one_of_a_kind_may_stand_without_a_list():
    notify = Notify.model_validate({"mail": "Ops@Example.com", "command": "/bin/told", "on": "end"})
    assert (notify.mail, notify.command, notify.on) == (("Ops@example.com",), ("/bin/told",), ("end",))
    assert Notify().on == ("start", "stopped", "end")


@pytest.mark.parametrize(
    "url", ["https://hooks.example.com/x", "https://[2001:db8::1]/", "http://127.0.0.1:8000/", "http://localhost/x"]
)
def test_addresses_that_are_posted_to(url):
    assert Notify.model_validate({"url": url}).url == url


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"url": "http://hooks.example.com/"}, "must be an https:// address"),
        ({"url": "file:///etc/passwd"}, "must be an https:// address"),
        ({"url": "https:///x"}, "must be an https:// address"),
        ({"url": "https://müller.example/"}, "must be ASCII"),
        ({"mail": "nobody"}, "nobody"),
        ({"on": "sometimes"}, "start"),
    ],
)
def test_what_is_refused(given, words):
    with pytest.raises(ValidationError) as refused:
        Notify.model_validate(given)
    assert words in str(refused.value)
