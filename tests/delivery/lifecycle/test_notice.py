from __future__ import annotations

import pytest

from bulkmail.campaign import load_campaign
from bulkmail.delivery.lifecycle.notice import Notice, forbidden

NOTICE = Notice(
    on="end",
    campaign="spring",
    state="finished",
    why="",
    at=1_800_000_000.25,
    rows=1_000,
    by_status={"delivered": 990, "bounced": 10, "pending": 0},
    report="/c/spring/report",
)


def test_an_end_in_words():
    assert NOTICE.subject == "spring finished"
    assert NOTICE.text == (
        "spring finished.\n\nRows in the list: 1,000\ndelivered: 990\nbounced: 10\n\nThe report: /c/spring/report\n"
    )


@pytest.mark.parametrize(("on", "words"), [("start", "spring is being sent"), ("stopped", "spring has stopped")])
def test_a_start_and_a_stop_in_words(on, words):
    told = Notice(on, "spring", "sending", "The list is wrong.", 0.0, 5, {}, "/c")
    assert told.subject == words
    assert told.text.startswith(f"The campaign {words}.\nThe list is wrong.\n\nRows in the list: 5\n")


def test_a_notice_for_programs():
    assert NOTICE.plain() == {
        "event": "end",
        "campaign": "spring",
        "state": "finished",
        "reason": "",
        "at": "2027-01-15T08:00:00.250Z",
        "input_rows": 1_000,
        "by_status": {"delivered": 990, "bounced": 10, "pending": 0},
        "report": "/c/spring/report",
    }


@pytest.fixture
def campaign(tmp_path):
    def made(notify):
        (tmp_path / "body.txt.j2").write_text("x")
        (tmp_path / "recipients.csv").write_text("email\n")
        (tmp_path / "campaign.yaml").write_text(
            "name: spring\nfrom: a@example.com\nsubject: x\ntemplate: {text: body.txt.j2}\nrecipients: recipients.csv\n"
            f"notify: {notify}\n"
        )
        return load_campaign(str(tmp_path))

    return made


URL = "https://hooks.example.com/services/x"


@pytest.mark.parametrize(
    ("notify", "commands", "urls", "named"),
    [
        ("{mail: ops@example.com}", (), (), []),
        ("{command: /bin/told}", (), (), ["notify.command"]),
        ("{command: [/bin/told, now]}", ("/bin/told",), (), []),
        ("{command: [told]}", ("/bin/told",), (), ["notify.command"]),
        (f"{{url: '{URL}'}}", (), (), ["notify.url"]),
        (f"{{url: '{URL}'}}", (), ("https://hooks.example.com/",), []),
        (f"{{url: '{URL}', command: x}}", (), ("https://other.example/",), ["notify.command", "notify.url"]),
    ],
)  # fmt: skip
def test_programs_and_addresses_are_the_operators_to_allow(campaign, notify, commands, urls, named):
    problems = forbidden(campaign(notify), commands, urls)
    assert [problem.message.partition(":")[0] for problem in problems] == named
    assert all(problem.line == 6 for problem in problems)
