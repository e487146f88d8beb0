from __future__ import annotations

import pytest

from bulkmail.preflight.sender import offline_findings


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"keys": ()}, [("warning", "dkim-unsigned")]),
        ({"hostname": "box.localdomain"}, [("warning", "hostname-not-qualified")]),
        ({"one_click": False}, [("warning", "no-one-click")]),
        ({"one_click": False, "unsubscribe": False}, [("warning", "no-unsubscribe")]),
        ({"one_click": False, "unsubscribe": False, "marketing": False}, []),
        ({"one_click": False, "marketing": False}, [("warning", "no-one-click")]),
        ({"inbound": "bounces.shop.test", "complaints": True}, []),
        ({"unlisted": True}, [("warning", "list-not-named")]),
        ({"inbound": "in.mailer.test"}, [("note", "complaints-not-asked")]),
        ({"inbound": "in.mailer.test", "keys": ()}, [("warning", "dkim-unsigned")]),
        ({"tls": "off"}, [("warning", "tls-off")]),
        ({"from_domain": "gmail.com"}, [("error", "from-freemail")]),
        ({"relay": "smtp.relay.test", "hostname": "box.localdomain", "tls": "off"}, []),
        ({"relay": "smtp.relay.test", "from_domain": "gmail.com"}, [("warning", "from-freemail")]),
        ({"relay": "smtp.relay.test", "keys": ()}, [("note", "dkim-unsigned")]),
    ],
)
def test_what_is_told(sender, changes, expected):
    found = offline_findings(sender(**changes))
    assert [(str(finding.severity), finding.code) for finding in found] == expected


def test_who_asks_for_it_and_what_to_do(sender):
    (finding,) = offline_findings(sender(keys=()))
    assert str(finding) == (
        "dkim: mail is not signed with DKIM; Gmail, Yahoo, Microsoft, Apple, GMX and WEB.DE ask bulk senders for it; "
        "`bulkmail dkim new shop.test s1` makes a key and says what to publish"
    )
    (finding,) = offline_findings(sender(keys=(), relay="smtp.relay.test"))
    assert "make sure that smtp.relay.test signs it for shop.test, or: " in finding.remedy
