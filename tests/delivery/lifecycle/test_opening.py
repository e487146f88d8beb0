from __future__ import annotations

import marshal
import os
import shutil

import pytest
from twisted.internet.defer import Deferred

from bulkmail.delivery.lifecycle.opening import Prepared, Report, open_campaign, refusal
from bulkmail.delivery.lifecycle.preparing import prepare
from bulkmail.mail import Refused
from bulkmail.report import ATTEMPT_COLUMNS, attempts_beyond
from bulkmail.settings import Settings
from bulkmail.spool import Attempt, Audience, Hold, Settlement
from tests.places import KINDS, place_at

NOW = 1_700_000_500.0


@pytest.fixture
def ask(world):
    one = world()

    async def beyond(place, position):
        return attempts_beyond(place, position)

    def ask(prepared, *, accept_changes=False, report=None):
        report = report and Report(place_at(report), beyond)
        opening = open_campaign(one.spool, prepared, now=NOW, accept_changes=accept_changes, report=report)
        done = Deferred.fromCoroutine(opening)
        got = []
        done.addBoth(got.append)
        one.run(1)
        if hasattr(got[0], "raiseException"):
            got[0].raiseException()
        return got[0]

    ask.one = one
    return ask


def begin(ask, opened):
    """Start it: from now on its content is fixed."""
    ask.one.store.set_state(opened.row.id, "running", NOW)
    return opened


def end(ask, opened, state="finished"):
    ask.one.store.set_state(opened.row.id, state, NOW, exit_status=0)


def test_what_another_process_has_checked_is_what_was_checked(folder, tmp_path):
    path = folder(["a@a.example", "b@b.example"])
    prepared = prepare(path, Settings())
    plain = marshal.loads(marshal.dumps(prepared.plain))
    again = Prepared.of(plain, path, "", follow=False)
    assert again.plain == prepared.plain
    assert (again.campaign.folder, again.files, again.path) == (prepared.campaign.folder, prepared.files, path)
    elsewhere = tmp_path / "elsewhere"
    os.rename(again.campaign.folder, elsewhere)
    with pytest.raises(Refused, match="its folder cannot be opened"):
        Prepared.of(plain, path, "", follow=False)


def test_a_new_campaign_gets_a_key_of_its_own(folder, ask):
    opened = ask(prepare(folder(), Settings()))
    assert (opened.finished, opened.reading) == (False, None)
    run = opened.run
    assert (run.name, run.input_rows, run.import_done, run.on_unknown) == ("spring", 0, False, "retry")
    assert run.content["key"] == opened.row.key != b"\0" * 32
    assert len(opened.row.key) == 40
    assert ask.one.store.content(opened.row.id) == run.content


def test_its_list_and_its_kind_are_known_and_change_with_it(folder, ask):
    path = folder()
    assert ask(prepare(path, Settings())).row.audience == Audience("spring", "spring", "marketing")
    path = folder(more="list: readers\nkind: transactional")
    opened = ask(prepare(path, Settings()), accept_changes=True)
    assert ask.one.store.campaign("spring").audience == Audience("readers", "spring", "transactional")
    ask.one.add(opened.row.id, ["a.example"])
    path = folder(more="kind: transactional")
    with pytest.raises(Refused, match="list was removed since it was started"):
        ask(prepare(path, Settings()))
    ask(prepare(path, Settings()), accept_changes=True)
    assert ask.one.store.campaign("spring").audience == Audience("spring", "spring", "transactional")


def test_it_resumes_with_its_key_and_counts(folder, ask):
    path = folder(["a@a.example"] * 3)
    first = ask(prepare(path, Settings()))
    ask.one.add(first.row.id, ["a.example"] * 3)
    again = ask(prepare(path, Settings()))
    assert again.row.key == first.row.key == again.run.content["key"]
    assert (again.run.input_rows, again.run.by_status["pending"]) == (3, 3)
    assert again.run.started_at == NOW


def test_a_finished_campaign_is_told_so(folder, ask):
    path = folder()
    end(ask, ask(prepare(path, Settings())))
    opened = ask(prepare(path, Settings()))
    assert opened.finished
    assert opened.run.import_done
    assert opened.row.state == "finished"


def test_a_stopped_campaign_goes_on(folder, ask):
    path = folder()
    end(ask, ask(prepare(path, Settings())), "stopped")
    assert not ask(prepare(path, Settings())).finished


def test_the_name_of_another_folder_is_refused(folder, ask, tmp_path):
    first = begin(ask, ask(prepare(folder(), Settings())))
    place = tmp_path / "copy"
    os.rename(tmp_path / "spring", place)
    with pytest.raises(Refused, match=r"already in the spool, sent from .*/spring; .*give this campaign another name"):
        ask(prepare(str(place / "campaign.yaml"), Settings()), accept_changes=True)
    assert [row.id for row in ask.one.store.campaigns()] == [first.row.id]


def test_a_link_to_the_same_folder_is_the_same_campaign(folder, ask, tmp_path):
    ask(prepare(folder(), Settings()))
    (tmp_path / "link").symlink_to(tmp_path / "spring")
    assert not ask(prepare(str(tmp_path / "link" / "campaign.yaml"), Settings())).finished


def test_a_change_is_refused_with_what_changed_and_how_to_go_on(folder, ask):
    first = begin(ask, ask(prepare(folder(), Settings())))
    changed = prepare(folder(text="Bye {{ first_name }}\n"), Settings())
    with pytest.raises(Refused, match=r"body\.txt\.j2.*--accept-changes"):
        ask(changed)
    assert ask.one.store.content(first.row.id)["text"] == "Hello {{ first_name }}\n"


def test_a_change_that_is_accepted_is_taken_for_the_rows_not_sent_yet(folder, ask):
    first = begin(ask, ask(prepare(folder(), Settings())))
    changed = prepare(folder(text="Bye {{ first_name }}\n", more="on_unknown: keep"), Settings())
    opened = ask(changed, accept_changes=True)
    assert opened.run.content["text"] == "Bye {{ first_name }}\n"
    assert ask.one.store.content(first.row.id) == opened.run.content
    assert (opened.run.on_unknown, opened.row.key) == ("keep", first.row.key)
    assert ask(changed).finished is False, "accepted once, it is the campaign"


def test_what_was_not_started_may_become_anything_and_comes_from_anywhere(folder, ask, tmp_path):
    """As while it waits for its approval."""
    first = ask(prepare(folder(), Settings()))
    ask.one.store.hold(Hold(first.row.id, "approval", "look", NOW))
    changed = ask(prepare(folder(text="Bye {{ first_name }}\n"), Settings()))
    assert changed.run.content["text"] == "Bye {{ first_name }}\n"
    assert ask.one.store.holds() == [], "it is another content, and asked for again"
    os.rename(tmp_path / "spring", tmp_path / "summer")
    moved = ask(prepare(str(tmp_path / "summer" / "campaign.yaml"), Settings()))
    assert [(row.id, row.folder) for row in ask.one.store.campaigns()] == [(moved.row.id, str(tmp_path / "summer"))]
    shutil.copytree(tmp_path / "summer", tmp_path / "copy")
    with pytest.raises(Refused, match=r"already in the spool, sent from .*/summer"):
        ask(prepare(str(tmp_path / "copy" / "campaign.yaml"), Settings()))


def test_a_finished_campaign_may_change_and_nothing_is_sent(folder, ask):
    path = folder()
    first = ask(prepare(path, Settings()))
    end(ask, first)
    opened = ask(prepare(folder(text="Bye\n"), Settings()))
    assert opened.finished
    assert ask.one.store.content(first.row.id)["text"] == "Hello {{ first_name }}\n"


def test_the_same_check_before_anything_is_opened(folder, ask):
    path = folder()
    begin(ask, ask(prepare(path, Settings())))
    first = ask(prepare(path, Settings()))
    assert refusal(prepare(path, Settings()), first.row, accept_changes=False) is None
    changed = prepare(folder(text="Bye\n"), Settings())
    assert refusal(changed, first.row, accept_changes=False) is not None
    assert refusal(changed, first.row, accept_changes=True) is None


def test_which_rows_are_mailed_cannot_be_changed_once_rows_were_read(folder, ask):
    first = begin(ask, ask(prepare(folder(), Settings())))
    named = prepare(folder(more="consent: none"), Settings())
    if not first.row.input_rows:
        ask.one.store.add_rows(first.row.id, [(1, 0, 1, "a@b.test", "b.test", "[]", "ok", "")], {}, False)
    row = ask.one.store.campaign("spring")
    refused = refusal(named, row, accept_changes=True)
    assert "`consent` was added since it was started, and 1 row was read by what it was" in str(refused)
    assert refusal(prepare(folder(), Settings()), row, accept_changes=False) is None


def test_whether_everybody_gets_the_same_message_is_decided_once(folder, ask):
    same = {"text": "Hello all\n", "more": 'to: "Readers <readers@a.example>"', "subject": "News"}
    first = begin(ask, ask(prepare(folder(**same), Settings())))
    assert (first.run.content["same_for_all"], first.run.content["date"]) == (True, NOW)
    assert ask(prepare(folder(**same), Settings())).run.content["date"] == NOW
    changed = prepare(folder(**{**same, "text": "Hello {{ first_name }}\n"}), Settings())
    with pytest.raises(Refused, match="begun as one message for everybody"):
        ask(changed, accept_changes=True)
    other = prepare(folder(**{**same, "text": "Hello everybody\n"}), Settings())
    assert ask(other, accept_changes=True).run.content["text"] == "Hello everybody\n"


@pytest.fixture
def report(tmp_path):
    """A report of a campaign that tells of two attempts."""
    place = tmp_path / "report"
    place.mkdir()
    (place / "attempts.csv").write_text(",".join(ATTEMPT_COLUMNS) + "\r\none,\r\ntwo,\r\n", newline="")
    (place / "summary.json").write_text('{"campaign": "spring"}')
    return place


def test_a_new_spool_beside_an_old_report_is_refused(folder, ask, report):
    with pytest.raises(Refused, match=r"attempts\.csv: tells of 2 attempts that the spool does not know, .* a new one"):
        ask(prepare(folder(), Settings()), report=report)
    (report / "summary.json").write_text('{"campaign": "autumn"}')
    assert not ask(prepare(folder(), Settings()), report=report).finished, "it tells of somebody else"


def test_a_report_that_came_with_a_copied_folder_is_of_another_campaign_at_each_start(folder, ask, report):
    """The first start makes a row in the spool, and waits for the approval; the second finds it."""
    (report / "summary.json").write_text('{"campaign": "autumn"}')
    prepared = prepare(folder(), Settings())
    for _ in range(2):
        assert not ask(prepared, report=report).finished
    (report / "summary.json").unlink()
    with pytest.raises(Refused, match="tells of 2 attempts"):  # of whom it tells is not known
        ask(prepared, report=report)


def test_a_spool_that_is_older_than_the_report_is_refused(folder, ask, report):
    prepared = prepare(folder(), Settings())
    ask(prepared)
    with pytest.raises(Refused, match=r"2 attempts that the spool does not know, so this spool is an older copy"):
        ask(prepared, report=report)
    (report / "attempts.csv").unlink()
    assert not ask(prepared, report=report).finished


def test_a_report_that_somebody_edited_is_not_taken_for_an_older_spool(folder, ask, report):
    """A spreadsheet has written it anew, and longer: behind the position is more than the spool has there."""
    prepared = prepare(folder(), Settings())
    campaign = ask(prepared).row.id
    store = ask.one.store
    rows = [(n, 0, n, f"u{n}@a.example", "a.example", "[]", "ok", "") for n in (1, 2)]
    store.add_rows(campaign, rows, {}, True)
    store.set_state(campaign, "running", NOW)
    [(queue, _, _)] = store.backlog(0, 9)
    for row in store.claim([(queue, 2)], NOW)[queue]:
        attempt = Attempt(NOW, 1, "delivered")
        store.settle([Settlement(row.id, row.queue_id, "delivered", attempt=attempt, completed_at=NOW)])
    (last,) = store.database.execute("last_attempt", (campaign << 40, campaign << 40 | 9)).fetchone()
    store.save_report_position(campaign, [(report / "attempts.csv").stat().st_size - 9, last])
    assert not ask(prepared, report=report).finished
    with (report / "attempts.csv").open("a", newline="") as file:
        file.write("three,\r\n")
    with pytest.raises(Refused, match=r"tells of 1 attempt that"):
        ask(prepared, report=report)


@pytest.mark.parametrize("kind", ["a link away", "a pipe", "a socket", "a link to nothing"])
def test_a_report_that_is_no_folder_of_its_own_is_refused_before_anything_is_sent(folder, ask, tmp_path, kind):
    prepared = prepare(folder(), Settings())
    KINDS[kind](tmp_path / "report")
    with pytest.raises(Refused, match="report: no report can be written here: it is a link or a file"):
        ask(prepared, report=tmp_path / "report")
    assert ask.one.store.campaigns() == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_lies_under_our_names_in_a_report_stops_nothing(folder, ask, tmp_path, kind):
    (tmp_path / "report").mkdir()
    for name in ("summary.json", "attempts.csv"):
        KINDS[kind](tmp_path / "report" / name)
    assert not ask(prepare(folder(), Settings()), report=tmp_path / "report").finished
    assert not ask(prepare(folder(), Settings()), report=tmp_path / "report").finished


def test_a_key_that_was_exchanged_under_its_selector_is_told(folder, ask, monkeypatch):
    told = []
    monkeypatch.setattr(
        "bulkmail.delivery.lifecycle.opening._log.warn", lambda words, **known: told.append(words.format(**known))
    )

    def with_key(pem):
        prepared = prepare(folder(), Settings())
        prepared.content["dkim"] = [{"domain": "me.example", "selector": "s1", "pem": pem}]
        return prepared

    first = ask(with_key(b"one"))
    (kept,) = ask.one.store.content(first.row.id)["dkim"]
    assert "pem" not in kept
    assert first.run.content["dkim"][0]["pem"] == b"one"
    assert ask(with_key(b"one")).run.content["dkim"][0]["pem"] == b"one", "from the settings"
    assert told == []
    assert ask(with_key(b"two")).run.content["dkim"][0]["pem"] == b"two"
    assert len(told) == 1
    assert "the DKIM key of me.example, selector s1, is another one" in told[0]
    ask(with_key(b"two"))
    assert len(told) == 1


def test_a_new_campaign_of_which_nothing_could_be_sent_is_refused(folder, ask):
    path = folder(more="schedule: {not_after: 2023-11-14T22:00Z}")
    with pytest.raises(Refused, match=r"not_after: Tue 2023-11-14 22:00 UTC has passed; nothing would be sent"):
        ask(prepare(path, Settings()))
    path = folder(more="schedule: {not_after: 2023-11-15T22:00Z, days: sat, timezone: UTC}")
    with pytest.raises(Refused, match=r"no window of `days` and `hours` is left before Wed 2023-11-15 22:00 UTC"):
        ask(prepare(path, Settings()))


def test_a_changed_schedule_is_taken_without_being_asked_about(folder, ask):
    path = folder(more="schedule: {not_after: 2030-11-14T22:00Z}")
    first = ask(prepare(path, Settings()))
    folder(more="schedule: {not_after: 2031-11-14T22:00Z}")
    again = ask(prepare(path, Settings()))
    assert first.run.content["schedule"] != again.run.content["schedule"]
    assert ask.one.store.content(again.row.id)["schedule"] == again.run.content["schedule"]
    assert ask.one.store.campaign("spring").digests != first.row.digests, "for the other machines"
