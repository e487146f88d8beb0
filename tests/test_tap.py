from __future__ import annotations

import os
import sys

import pytest
from twisted.python.usage import UsageError

from bulkmail import tap as module
from bulkmail.mail import BulkmailError, Refused
from bulkmail.order import SPEED
from bulkmail.service import Bulkmail
from bulkmail.tap import Options, foreground, makeService, order_of
from tests.retrying import RetryPlan
from tests.spring import YAML, write_spring


@pytest.fixture
def place(tmp_path, monkeypatch):
    write_spring(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def parsed(*arguments):
    options = Options()
    options.parseOptions(list(arguments))
    return options


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give one of -c campaign.yaml and --watch folder"),
        (("-c", "x", "--watch", "."), "give one of"),
        (("--watch", ".", "--rehearse"), "--rehearse goes with -c"),
        (("--watch", ".", "--once"), "--once goes with -c"),
        (("--watch", ".", "--accept-changes"), "--accept-changes goes with -c"),
        (("--watch", "nowhere"), "nowhere is not a folder"),
        (("-c", "x", "--speed", "10"), "--speed goes with --rehearse"),
        (("-c", "x", "--rehearse", "--speed", "fast"), "'fast' is neither `max` nor `real` nor a number"),
        (("-c", "x", "--rehearse", "--speed", "0.5"), "neither"),
        (("-c", "x", "--rehearse", "--speed", "nan"), "neither"),
        (("--colour",), "colour"),
        (("-c",), "requires argument"),
        (("spring-sale",), "give the campaign with -c spring-sale"),
        (("-c", "x", "y"), "give the campaign with -c y"),
        (("-c", "x", "-c", "y"), "-c is given 2 times, and takes one value; send one campaign after the other"),
        (("-c", "x", "--campaign=y", "--camp", "z"), "-c is given 3 times"),
        (("--watch", ".", "--watch", "."), "--watch is given 2 times, and takes one value"),
        (("-c", "x", "--settings", "a", "--settings", "b"), "--settings is given 2 times"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_why(place, capsys, arguments, words):
    with pytest.raises(SystemExit) as left:
        parsed(*arguments)
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.startswith("Usage: twistd [-n] bulkmail ")


@pytest.mark.parametrize(("given", "speed"), [(None, None), ("real", 1.0), ("max", 10_000.0), ("60", 60.0)])
def test_the_speed_of_a_rehearsal(given, speed):
    arguments = ["-c", "x", "--rehearse"] + ([] if given is None else ["--speed", given])
    assert parsed(*arguments)["speed"] == speed


@pytest.mark.parametrize(("given", "speed"), [((), SPEED), (("--speed", "60"), 60.0)])
def test_an_order_to_rehearse_has_a_speed(place, given, speed):
    assert order_of(parsed("-c", "spring", "--rehearse", *given), str(place)).speed == speed


def test_an_order_has_absolute_paths_and_opens_nothing(place):
    before = sorted(os.listdir(place))
    order = order_of(parsed("-c", "spring/campaign.yaml", "--once"), str(place))
    assert order.prepared.campaign.folder == str(place / "spring")
    assert order.settings.spool == str(place / "spool")
    assert (order.once, order.rehearse, order.accept_changes, order.watch) == (True, False, False, None)
    assert order.speed == 1.0
    assert sorted(os.listdir(place)) == before


def test_secrets_are_read_while_the_order_is_checked(place):
    """Before twistd drops privileges: afterwards nobody may be allowed to read them."""
    (place / "relay.secret").write_text("geheim\n")
    (place / "relay.secret").chmod(0o600)
    relay = "relay: {host: smtp.example.com, username: anna, password_file: relay.secret}\n"
    (place / "bulkmail.yaml").write_text(relay)
    order = order_of(parsed("-c", "spring"), str(place))
    (place / "relay.secret").unlink()
    assert order.settings.relay.secret == "geheim"
    assert "geheim" not in repr(order)


def test_the_folder_stands_for_its_campaign_yaml(place):
    assert order_of(parsed("-c", "spring"), str(place)).prepared.campaign.name == "spring"


def test_a_folder_to_watch(place):
    order = order_of(parsed("--watch", "."), str(place))
    assert (order.watch, order.prepared) == (str(place), None)


def test_all_problems_are_told_at_once(place):
    (place / "bulkmail.yaml").write_text("hostname: mta1.example.com\nretry: {shedule: [10m]}\n")
    (place / "spring" / "body.txt.j2").write_text("Hello {{ nick_name }}\n")
    with pytest.raises(Refused) as refused:
        order_of(parsed("-c", "spring"), str(place))
    words = str(refused.value)
    assert "shedule" in words
    assert "nick_name" in words


def warned(place, *arguments):
    """The beginnings of what is logged before the first message."""
    assert order_of(parsed("-c", "spring", "--noticed", *arguments), str(place)).problems == []
    problems = order_of(parsed("-c", "spring", *arguments), str(place)).problems
    assert all(problem.file == str(place / "spring" / "campaign.yaml") for problem in problems)
    return [problem.message.partition(";")[0] for problem in problems]


def test_what_receivers_will_take_amiss_is_a_warning_before_the_first_message(place, monkeypatch):
    monkeypatch.setattr(module, "own_name", lambda: "vm.localdomain")
    assert warned(place) == [
        "mail is not signed with DKIM",
        "the host name vm.localdomain is not a full one of the public DNS, and many receivers refuse its EHLO",
        "the letter offers no way to unsubscribe",
    ]
    (place / "spring" / "campaign.yaml").write_text(
        YAML.replace("news@example.com", "shop@gmail.com") + 'unsubscribe: {url: "https://example.com/{{ token }}"}\n'
    )
    (place / "bulkmail.yaml").write_text("hostname: mta1.example.com\n")
    assert warned(place) == [
        "`from` is at gmail.com, which belongs to a mail provider: receivers refuse mail from it that others send",
        "mail is not signed with DKIM",
    ]
    (place / "bulkmail.yaml").write_text("relay: {host: smtp.example.com}\n")
    assert len(warned(place)) == 1  # what the relay signs is not known here
    assert warned(place, "--rehearse") == []


def test_a_refusal_exits_with_1_and_never_a_traceback(place, capsys):
    (place / "spring" / "campaign.yaml").write_text(YAML + "colour: red\n")
    with pytest.raises(SystemExit) as left:
        makeService(parsed("-c", "spring"))
    assert left.value.code == 1
    said = capsys.readouterr().err
    assert "campaign.yaml:6:1: `colour`" in said
    assert "Traceback" not in said


def test_a_service_is_made(place):
    service = makeService(parsed("-c", "spring"))
    assert isinstance(service, Bulkmail)
    assert service.order.prepared.campaign.name == "spring"


# what the spool says before a daemon forks


def spooled(place, **changed):
    from bulkmail.campaign import digests
    from bulkmail.delivery import prepare
    from bulkmail.settings import load_settings
    from bulkmail.spool import Journalled, SqliteStore

    prepared = prepare(str(place / "spring"), load_settings(None, str(place)))
    folder = place / "spool"
    folder.mkdir(mode=0o700)
    store = SqliteStore(str(folder / "spool.sqlite3"))
    store.recover(Journalled(found=True), "boot", RetryPlan(), 1000.0)
    given = {"folder": str(place / "spring"), "digests": digests(prepared.campaign, prepared.content), **changed}
    store.create_campaign(
        "spring", given["folder"], key=b"k" * 32, content={}, digests=given["digests"], files=prepared.files, now=1.0
    )
    store.set_state(1, "running", 1.0)
    store.close()


def test_a_campaign_that_goes_on_is_no_trouble(place):
    spooled(place)
    assert order_of(parsed("-c", "spring"), str(place)).prepared is not None


def test_the_name_of_another_folder_is_refused_before_the_fork(place):
    spooled(place, folder="/elsewhere")
    with pytest.raises(Refused, match="already in the spool, sent from /elsewhere"):
        order_of(parsed("-c", "spring"), str(place))
    order_of(parsed("-c", "spring", "--rehearse"), str(place))


def test_a_change_is_refused_before_the_fork_unless_it_is_accepted(place):
    spooled(place)
    (place / "spring" / "body.txt.j2").write_text("Bye {{ first_name }}\n")
    with pytest.raises(Refused, match="--accept-changes"):
        order_of(parsed("-c", "spring"), str(place))
    assert order_of(parsed("-c", "spring", "--accept-changes"), str(place)).accept_changes


def test_a_spool_in_use_is_refused_before_the_fork(place, monkeypatch):
    monkeypatch.setattr(module, "in_use", lambda _: 4711)
    with pytest.raises(BulkmailError, match="in use by process 4711"):
        order_of(parsed("-c", "spring"), str(place))
    order_of(parsed("-c", "spring", "--rehearse"), str(place))


@pytest.mark.parametrize(
    ("command", "stays"),
    [
        ("twistd -n bulkmail -c x", True),
        ("twistd --nodaemon bulkmail -c x", True),
        ("twistd -on bulkmail -c x", True),
        ("twistd -no --pidfile= bulkmail -c x", True),
        ("/opt/bulk-new/bin/twistd bulkmail -c x", False),
        ("twistd bulkmail --watch=winter-news", False),
        ("twistd bulkmail -c -n", False),
        ("twistd --no_save bulkmail -c x", False),
        ("twistd -lnew.log bulkmail -c x", False),
        ("twistd --logfile /var/log/mail-new.log bulkmail -c x", False),
    ],
)
def test_whether_twistd_stays_in_the_foreground(monkeypatch, command, stays):
    monkeypatch.setattr(sys, "argv", command.split())
    assert foreground() is stays


def test_usage_errors_are_twisteds_own_kind():
    with pytest.raises(UsageError):
        Options().postOptions()


# a spool that several machines share


def on_postgresql(place):
    (place / "bulkmail.yaml").write_text('spool: "postgresql://mail@db/bulkmail"\nmachine: {folder: ./mine}\n')


def test_one_more_machine_needs_no_campaign_but_a_shared_spool(place, capsys):
    on_postgresql(place)
    order = order_of(parsed("--settings", "bulkmail.yaml"), str(place))
    assert (order.prepared, order.watch, order.settings.place) == (None, None, str(place / "mine"))
    (place / "bulkmail.yaml").write_text("spool: ./spool\n")
    with pytest.raises(SystemExit) as left:
        makeService(parsed("--settings", "bulkmail.yaml"))
    assert left.value.code == 2
    assert "spool must be postgresql://" in capsys.readouterr().err


def test_a_campaign_can_be_sent_from_a_shared_spool(place):
    on_postgresql(place)
    assert order_of(parsed("-c", "spring"), str(place)).prepared.campaign.name == "spring"
    assert order_of(parsed("-c", "spring", "--once"), str(place)).once
    assert order_of(parsed("-c", "spring", "--once", "--rehearse"), str(place)).rehearse


@pytest.mark.parametrize("option", ["--rehearse", "--once", "--accept-changes"])
def test_what_goes_with_a_campaign_goes_with_nothing_else(option):
    with pytest.raises(SystemExit) as left:
        parsed("--settings", "x.yaml", option)
    assert left.value.code == 2


def test_wrong_texts_of_the_page_are_refused_before_the_fork_and_at_a_reload(place):
    (place / "texts").mkdir()
    (place / "bulkmail.yaml").write_text("public: {url: 'https://mail.example.com', texts: texts}\napproval: none\n")
    order = order_of(parsed("--watch", "."), str(place))
    (place / "texts" / "de.yaml").write_text("nonsense: x\n")
    with pytest.raises(Refused, match=r"de\.yaml:1:1: `nonsense` is not a known key"):
        order_of(parsed("--watch", "."), str(place))
    with pytest.raises(Refused, match="nonsense"):
        order.again()
