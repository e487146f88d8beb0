from __future__ import annotations

import pytest

from bulkmail.returns.complaint import feedback_in, is_complaint
from bulkmail.returns.mime import split
from tests.returns import samples


def feedback(message):
    found = feedback_in(split(message))
    return None if found is None else found[0]


def test_what_a_feedback_report_says():
    found = feedback(samples.ARF)
    assert found is not None
    assert (found.type, found.recipients, found.source_ip, found.reported_domain) == (
        "abuse", ("redacted@d.example",), "192.0.2.10", "example.com",
    )  # fmt: skip
    assert found.user_agent == "SomeGenerator/1.0"
    assert is_complaint(found)


def test_a_feedback_report_without_a_recipient_and_without_its_type():
    text = samples.ARF.replace(b"Original-Rcpt-To: <redacted@d.example>\r\n", b"")
    found = feedback(text.replace(b"message/feedback-report", b"text/plain"))
    assert found is not None
    assert found.recipients == ()


@pytest.mark.parametrize("kind", ["not-spam", "auth-failure"])
def test_what_is_no_complaint(kind):
    found = feedback(samples.ARF.replace(b"Feedback-Type: abuse", b"Feedback-Type: " + kind.encode()))
    assert found is not None
    assert not is_complaint(found)


JMRP = """\
From: staff@hotmail.example
To: abuse@in.example.com
Subject: complaint about message from 192.0.2.10
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="j1"

--j1
Content-Type: message/rfc822

X-HmXmrOriginalRecipient: <joe@d.example>
{}
--j1--
"""


def test_microsoft_s_form():
    found = feedback(samples.octets(JMRP.format(samples.HEADER)))
    assert found is not None
    assert (found.recipients, found.source_ip, found.user_agent) == (("joe@d.example",), "192.0.2.10", "JMRP")


def test_everything_else_is_none():
    assert feedback(samples.POSTFIX) is None
    assert feedback(samples.octets(JMRP.format("").replace("staff@", "joe@"))) is None
