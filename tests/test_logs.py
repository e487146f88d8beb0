from __future__ import annotations

import io
import json
import os

import pytest
from twisted.logger import Logger, LogPublisher
from twisted.python.failure import Failure

from bulkmail import logs
from bulkmail.logs import ServiceLog, service_log


def logger(log):
    return Logger("bulkmail", observer=LogPublisher(log))


@pytest.fixture
def written(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(logs.sys, "__stdout__", out)
    return out.getvalue


@pytest.fixture
def to_file(tmp_path):
    log = ServiceLog(str(tmp_path / "mail.log"), "text", "info")
    yield log
    log._opened().close()


def test_a_line_for_people(written):
    logger(ServiceLog("-", "text", "info")).info("{campaign}: sent {count}", campaign="spring", count=3)
    assert written().endswith(" [bulkmail#info] spring: sent 3\n")


def test_a_line_for_programs_is_one_object(written):
    logger(ServiceLog("-", "json", "info")).warn("two\nlines, in UTF-8: {city}", city="Zürich")
    (line,) = written().splitlines()
    told = json.loads(line)
    assert told.pop("at").endswith("Z")
    assert told == {"level": "warn", "source": "bulkmail", "message": "two\nlines, in UTF-8: Zürich"}


def test_what_a_line_is_about_has_fields_of_its_own(written):
    log = logger(ServiceLog("-", "json", "info"))
    log.warn("{site} refuses us: {why}", site="mx.example", provider="yahoo", why="421")
    log.info("{campaign}: {line}", campaign="spring", line="sent", site="", other="left out")
    about = [{field: told.get(field) for field in logs.FIELDS} for told in map(json.loads, written().splitlines())]
    assert about == [
        {"campaign": None, "site": "mx.example", "provider": "yahoo"},
        {"campaign": "spring", "site": None, "provider": None},
    ]


def test_a_failure_that_is_about_a_campaign_says_which(written):
    logger(ServiceLog("-", "json", "info")).failure("reading failed", Failure(LookupError("x")), campaign="spring")
    told = json.loads(written())
    assert (told["message"], told["campaign"], told["level"]) == ("reading failed", "spring", "critical")


def test_an_error_has_its_traceback(written):
    try:
        raise LookupError("nothing there")
    except LookupError:
        logger(ServiceLog("-", "json", "info")).failure("looking failed", Failure())
    told = json.loads(written())
    assert (told["level"], told["message"]) == ("critical", "looking failed")
    assert "LookupError: nothing there" in told["error"]


@pytest.mark.parametrize("form", ["text", "json"])
def test_lower_levels_are_left_out(written, form):
    log = ServiceLog("-", form, "error")
    logger(log).warn("a warning")
    logger(log).error("an error")
    assert "a warning" not in written()
    assert "an error" in written()
    log.configure(form, "debug")
    logger(log).debug("a detail")
    assert "a detail" in written()


def test_nothing_is_opened_before_the_first_event(tmp_path, to_file):
    assert not (tmp_path / "mail.log").exists()
    logger(to_file).info("here")
    assert "here" in (tmp_path / "mail.log").read_text()


def test_a_file_is_rotated_when_it_is_turned_over(tmp_path, to_file):
    logger(to_file).info("before")
    to_file.turn_over()
    logger(to_file).info("behind")
    assert "before" in (tmp_path / "mail.log.1").read_text()
    assert "before" not in (tmp_path / "mail.log").read_text()
    assert "behind" in (tmp_path / "mail.log").read_text()


@pytest.mark.parametrize("made_anew", [False, True])
def test_a_file_that_logrotate_has_renamed_is_opened_anew(tmp_path, to_file, made_anew):
    logger(to_file).info("before")
    os.rename(tmp_path / "mail.log", tmp_path / "mail.log-20261201")
    if made_anew:
        (tmp_path / "mail.log").touch()
    to_file.turn_over()
    logger(to_file).info("behind")
    assert "behind" in (tmp_path / "mail.log").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mail.log", "mail.log-20261201"]


def test_a_large_file_is_rotated_by_itself_and_ten_are_kept(tmp_path, monkeypatch, to_file):
    monkeypatch.setattr(logs, "_ROTATE_AT", 100)
    for _ in range(20):
        logger(to_file).info("x" * 100)
    assert len(list(tmp_path.iterdir())) == 11


def test_stdout_has_nothing_to_turn_over(written):
    assert "stdout" in ServiceLog("-", "text", "info").turn_over()


@pytest.mark.parametrize(
    ("twistd", "to_stdout", "path"),
    [
        ({"nodaemon": 1}, True, "-"),
        ({"nodaemon": 0}, False, "twistd.log"),
        ({"nodaemon": 1, "logfile": "mail.log"}, False, "mail.log"),
        ({"nodaemon": 1, "logfile": "-"}, True, "-"),
    ],
)
def test_where_twistd_would_have_written(twistd, to_stdout, path):
    log = service_log(twistd, "text", "info")
    assert (log.to_stdout, log._path) == (to_stdout, path)


@pytest.mark.parametrize("twistd", [{"syslog": 1}, {"logger": lambda: None}])
def test_another_log_is_left_as_it_is(twistd):
    assert service_log(twistd, "text", "info") is None
