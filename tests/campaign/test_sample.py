from __future__ import annotations

import os
import signal
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from bulkmail.campaign import load_campaign, sample, snapshot, survey, try_rows
from bulkmail.mail import Problem, Refused
from bulkmail.settings import load_settings


@pytest.fixture
def trial(tmp_path: Path) -> Any:
    """The notices about a campaign of this list and letter, without the folder's path; a refusal is raised."""

    def trial(csv: str, text: str = "Hello {{ name }}", suppress: str = "") -> list[str]:
        (tmp_path / "people.csv").write_text(csv, encoding="utf-8")
        (tmp_path / "body.txt").write_text(text, encoding="utf-8")
        (tmp_path / "gone.txt").write_text(suppress, encoding="utf-8")
        (tmp_path / "campaign.yaml").write_text(
            "name: x\nfrom: a@example.com\nsubject: Hi\ntemplate: {text: body.txt}\nrecipients: people.csv\n"
            "suppress: gone.txt\n"
        )
        campaign, settings = load_campaign(str(tmp_path)), load_settings(None, str(tmp_path))
        lists = survey(campaign, settings)
        content = snapshot(campaign, settings, lists.columns, b"\0" * 32)
        try:
            found = try_rows(lists.rows, content, campaign.recipient_paths)
        except Refused as refused:
            raise Refused([without(problem, tmp_path) for problem in refused.problems]) from None
        return [str(without(problem, tmp_path)) for problem in found]

    return trial


def without(problem: Problem, folder: Path) -> Problem:
    return Problem(str(problem.file).replace(f"{folder}/", ""), problem.line, problem.column, problem.message)


def people(count: int, name: str = "Ann") -> str:
    return "".join(f"u{n}@example.com,{name}\n" for n in range(count))


def test_rows_that_can_be_sent_are_nothing_to_tell(trial: Any) -> None:
    assert trial("email,name\n" + people(150)) == []


def test_a_list_without_rows_is_told(trial: Any) -> None:
    assert trial("email,name\n") == ["people.csv: the list has no rows, so nothing will be sent"]


def test_a_list_of_ragged_rows_is_refused(trial: Any) -> None:
    with pytest.raises(Refused, match="no row can be sent: of the first 2 all fail; 2 of them") as refused:
        trial("email,name\nb1@a.test,Jo,,\nb2@a.test,Al,,\n")
    (problem,) = refused.value.problems
    assert (problem.file, problem.line) == ("people.csv", 2)
    assert "(line 2, line 3): the row has 4 cells" in problem.message


def test_a_template_that_fails_on_every_row_is_refused(trial: Any) -> None:
    with pytest.raises(
        Refused, match=r"no row can be sent: .* \(row 1, row 2, row 3, \.\.\.\): text body\.txt line 1: "
    ) as r:
        trial("email,name\n" + people(200), "{{ name.nothing }}")
    assert "of the first 100 all fail; 100 of them" in str(r.value)


def test_the_commonest_reason_is_told_whatever_values_it_quotes(trial: Any) -> None:
    rows = "".join(f"u{n}.example.com,x\n" for n in range(8)) + "a@example.com,\n"
    with pytest.raises(
        Refused, match=r"of the first 9 all fail; 8 of them \(line 2, line 3, line 4, \.\.\.\): 'u0.example.com'"
    ):
        trial("email,name\n" + rows, "{{ 1 // (name|length) }}")


def test_where_many_rows_fail_the_operator_is_told(trial: Any) -> None:
    (notice,) = trial("email,name\n" + people(17) + "bob,B\n" * 3)
    assert notice.startswith(
        "people.csv:19: 3 of the first 20 rows cannot be sent and become `invalid`; 3 of them (line 19"
    )
    assert trial("email,name\n" + people(18) + "bob,B\n" * 2) == [], "a tenth is not many"


def test_suppressed_rows_are_neither_good_nor_bad(trial: Any) -> None:
    with pytest.raises(Refused, match="of the first 1 all fail"):
        trial("email,name\n" + people(9) + "bob,B\n", suppress="example.com\n")
    (notice,) = trial("email,name\n" + people(9), suppress="example.com\n")
    assert notice == "people.csv: the first 9 rows are on a suppress list, all of them"


@pytest.mark.heavy
def test_a_template_without_end_is_left_and_told(trial: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "WITHIN", 2.0)  # the three rows before it must have their turn
    loops = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    endless = "{% if name == 'loop' %}" + loops + "{% endif %}"
    (notice,) = trial("email,name\n" + people(3) + "z@example.com,loop\n" + people(3), endless)
    assert notice.startswith("people.csv: row 4: the first rows were composed for 2 s, and this one did not come back")


def test_a_row_that_ends_the_process_is_told_and_refuses_nothing(trial: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def compose(_self: Any, job: Any) -> Any:
        if job[0] == "compose" and job[2][0][2] == "u2@example.com":
            os.kill(os.getpid(), signal.SIGKILL)
        return [(0, b"", "", None)]

    monkeypatch.setattr("bulkmail.content.Composer.handle", compose)
    (notice,) = trial("email,name\n" + people(5))
    assert notice == (
        "people.csv: row 3: composing it ended the process that tried it (signal 9); such a row becomes `invalid`"
    )


def test_an_error_of_the_composer_itself_is_raised(trial: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_self: Any, _job: Any) -> Any:
        raise LookupError("no such job")

    monkeypatch.setattr("bulkmail.content.Composer.handle", broken)
    with pytest.raises(RuntimeError, match="LookupError: no such job"):
        trial("email,name\n" + people(1))


def test_rows_are_tried_in_any_thread(trial: Any) -> None:
    found: list[Any] = []
    thread = Thread(target=lambda: found.append(trial("email,name\n" + people(3))))
    thread.start()
    thread.join(30)
    assert found == [[]]
