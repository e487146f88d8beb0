from __future__ import annotations

import marshal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bulkmail.campaign import Campaign, content_notices, load_campaign, snapshot
from bulkmail.campaign.reading import sender_domain
from bulkmail.mail import Problem, Refused
from bulkmail.settings import Settings, load_settings

KEY = bytes(32)
COLUMNS = [["email", "first_name"]]


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Problem]]:
    """What the content's own check will say; nothing unless a test adds to it."""
    problems: list[Problem] = []
    monkeypatch.setattr("bulkmail.content.check_content", lambda _: problems, raising=False)
    return problems


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "k.pem").write_bytes(b"PEM")
    (tmp_path / "k.pem").chmod(0o600)
    path = tmp_path / "bulkmail.yaml"
    path.write_text("dkim:\n  - {domain: example.com, selector: s1, key: k.pem}\n")
    return load_settings(str(path))


def take(campaign: Campaign, settings: Settings | None = None, **more: Any) -> dict[str, Any]:
    return snapshot(campaign, settings or load_settings(cwd="/nonexistent"), COLUMNS, KEY, **more)


def refused(campaign: Campaign, folder: Path, settings: Settings | None = None) -> list[str]:
    with pytest.raises(Refused) as caught:
        take(campaign, settings)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def test_everything_that_enters_a_message(read: Callable[..., Campaign], settings: Settings) -> None:
    content = take(
        read(
            "reply_to: help@example.com\nheaders: {X-Campaign: spring}\nattachments: [terms.pdf]\n"
            "unsubscribe: {url: 'https://example.com/{{ token }}'}\ndefaults: {first_name: there}\n"
        ),
        settings,
    )
    assert content == {
        "name": "spring-sale",
        "from": "Example Shop <news@example.com>",
        "subject": "{{ first_name }}, spring is here",
        "html": "<p>Hello {{ first_name }}</p>\n",
        "text": "Hello {{ first_name }}\n",
        "html_name": "body.html.j2",
        "text_name": "body.txt.j2",
        "includes": {},
        "to": None,
        "reply_to": "help@example.com",
        "envelope_from": None,
        "headers": {"X-Campaign": "spring"},
        "unsubscribe": {"url": "https://example.com/{{ token }}", "mailto": None},
        "attachments": [("terms.pdf", b"%PDF-1.4")],
        "defaults": {"first_name": "there"},
        "columns": [["email", "first_name"]],
        "recipients": ["recipients.csv"],
        "schedule": None,
        "canary": {"first": 200, "of": 500, "bounced": 10000, "blocked": 5000, "complained": 300},
        "priority": "normal",
        "sources": "",
        "list_id": "",
        "list": "spring-sale",
        "kind": "marketing",
        "bounces": "each",
        "inbound": "",
        "key": KEY,
        "dkim": [{"domain": "example.com", "selector": "s1", "pem": b"PEM"}],
        "same_for_all": False,
    }
    assert marshal.loads(marshal.dumps(content)) == content


def test_the_smallest_campaign(read: Callable[..., Campaign]) -> None:
    content = take(read(template="{text: body.txt.j2}"))
    assert (content["html"], content["html_name"]) == (None, "")
    assert (content["unsubscribe"], content["attachments"], content["dkim"]) == (None, [], [])


def test_a_snapshot_outlives_its_folder(folder: Path, read: Callable[..., Campaign]) -> None:
    content = take(read())
    (folder / "body.html.j2").write_text("changed")
    assert content["html"] == "<p>Hello {{ first_name }}</p>\n"


def test_includes_are_followed_by_name(folder: Path, read: Callable[..., Campaign]) -> None:
    (folder / "parts").mkdir()
    (folder / "parts/frame.html").write_text("{% include 'parts/foot.inc' %}")
    (folder / "parts/foot.inc").write_text("{%- include './parts/frame.html' -%}é")
    (folder / "unused.html.j2").write_text("x")
    (folder / "body.html.j2").write_text('{% extends "parts/frame.html" %}{% include "gone.j2" ignore missing %}')
    assert take(read())["includes"] == {
        "parts/frame.html": "{% include 'parts/foot.inc' %}",
        "parts/foot.inc": "{%- include './parts/frame.html' -%}é",
    }


def test_a_computed_name_may_mean_any_template_but_no_list(folder: Path, read: Callable[..., Campaign]) -> None:
    (folder / "body.html.j2").write_text('{% include "foot-" ~ language ~ ".j2" %}')
    (folder / "foot-de.j2").write_text("de")
    (folder / "foot-en.j2").write_text("en")
    (folder / "list.txt").write_text("email\n")
    (folder / ".secret.txt").write_text("x")
    (folder / "latin.txt").write_bytes(b"\xe9")
    (folder / "out.txt").symlink_to("/etc/hostname")
    (folder / "big.txt").write_bytes(b"x" * 2_000_001)
    (folder / "report").mkdir()
    (folder / "report/index.html").write_text("x")
    (folder / "logo.png").write_bytes(b"x")
    assert take(read(recipients="list.txt"))["includes"] == {"foot-de.j2": "de", "foot-en.j2": "en"}


def test_includes_are_bounded(folder: Path, read: Callable[..., Campaign], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bulkmail.campaign.including.MAX_INCLUDES", 2)
    for name in "abc":
        (folder / f"{name}.j2").write_text(name)
    (folder / "body.html.j2").write_text("{% include x %}")
    assert list(take(read())["includes"]) == ["a.j2", "b.j2"]
    (folder / "body.html.j2").write_text('{% include "a.j2" %}{% include "b.j2" %}{% include "c.j2" %}')
    assert refused(read(), folder) == [
        "campaign.yaml:4:11: template: the included files are more than 2 files and 10 MB together"
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../x.j2", "../x.j2: the included file ../x.j2 leads out of the campaign's folder; copy the file into it"),
        ("fifo", "fifo: the included file fifo is not a regular file"),
        ("latin.j2", "latin.j2:2:3: this is not UTF-8; save the file as UTF-8"),
    ],
)
def test_an_include_that_cannot_be_read(folder: Path, read: Callable[..., Campaign], name: str, words: str) -> None:
    import os

    os.mkfifo(folder / "fifo")
    (folder / "latin.j2").write_bytes(b"x\ncaf\xe9"[0:4] + b"\xe9")
    (folder / "body.html.j2").write_text(f'{{% include "{name}" %}}')
    assert refused(read(), folder) == [words]


def test_a_template_is_utf_8_with_or_without_a_mark(folder: Path, read: Callable[..., Campaign]) -> None:
    (folder / "body.txt.j2").write_bytes("\ufeffé".encode())
    assert take(read())["text"] == "é"
    (folder / "body.txt.j2").write_bytes(b"ok\n  \xe9t\xe9")
    assert refused(read(), folder) == ["body.txt.j2:2:3: this is not UTF-8; save the file as UTF-8"]


def test_files_that_went_away_since_loading(folder: Path, read: Callable[..., Campaign]) -> None:
    campaign = read("attachments: [terms.pdf]")
    (folder / "terms.pdf").unlink()
    (folder / "body.html.j2").unlink()
    assert refused(campaign, folder) == [
        "campaign.yaml:4:18: template.html: body.html.j2 does not exist",
        "campaign.yaml:6:15: attachments[0]: terms.pdf does not exist",
    ]


def test_the_contents_problems_get_their_places(
    folder: Path, read: Callable[..., Campaign], settings: Settings, found: list[Problem]
) -> None:
    found += [
        Problem("body.html.j2", 3, 5, "first_nam is neither a column nor a default"),
        Problem("", 0, 0, "from: 'x' is not an address"),
        Problem("", 0, 0, "headers.X-A: too long"),
        Problem("", 0, 0, "headers: something"),
        Problem("", 0, 0, "dkim[0].key: not a key"),
        Problem("", 0, 0, "unsubscribe.url: missing"),
    ]
    assert refused(read("headers: {X-A: b}"), folder, settings) == [
        f"{folder.parent}/bulkmail.yaml:2:46: dkim[0].key: not a key",
        "body.html.j2:3:5: first_nam is neither a column nor a default",
        "campaign.yaml: unsubscribe.url: missing",
        "campaign.yaml:2:7: from: 'x' is not an address",
        "campaign.yaml:6:10: headers: something",
        "campaign.yaml:6:16: headers.X-A: too long",
    ]


def test_problems_name_files_as_the_user_named_the_campaign(
    folder: Path, write: Callable[..., Path], found: list[Problem], monkeypatch: pytest.MonkeyPatch
) -> None:
    write()
    monkeypatch.chdir(folder.parent)
    found.append(Problem("body.html.j2", 1, 2, "m"))
    assert refused(load_campaign("spring"), folder) == ["spring/body.html.j2:1:2: m"]
    monkeypatch.chdir(folder)
    assert refused(load_campaign("campaign.yaml"), folder) == ["body.html.j2:1:2: m"]


def test_a_schedule_enters_the_content_and_a_rehearsal_keeps_none(folder: Path, read: Callable[..., Campaign]) -> None:
    campaign = read("schedule: {not_before: 2026-12-01T09:00Z, timezone: {column: first_name, default: UTC}}")
    assert take(campaign)["schedule"]["not_before"] == 1796115600.0
    assert take(campaign, rehearsal=True)["schedule"] is None
    campaign = read("schedule: {timezone: {column: name, default: UTC}}")
    assert refused(campaign, folder) == [
        (
            "campaign.yaml:6:31: schedule.timezone.column: no recipients file has a column 'name'; the columns "
            "are email, first_name"
        )
    ]


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        ("news@Example.COM", "example.com"),
        ("Shop, Inc. <a@bücher.example>", "xn--bcher-kva.example"),
        ('"a@b" <news@example.com> ', "example.com"),
        ("nobody", "nobody"),
    ],
)
def test_the_senders_domain(sender: str, expected: str) -> None:
    assert sender_domain(sender) == expected


def test_header_and_url_templates_may_include_too(folder: Path, read: Callable[..., Campaign]) -> None:
    for name in "abc":
        (folder / f"{name}.inc").write_text(name)
    extra = """headers: {X-A: "{% include 'a.inc' %}"}\nunsubscribe: {url: "https://x.example/{% include 'b.inc' %}"}"""
    content = take(read(extra, subject="\"{% include 'c.inc' %}\""))
    assert content["includes"] == {"a.inc": "a", "b.inc": "b", "c.inc": "c"}


def test_the_real_check_is_asked(folder: Path, read: Callable[..., Campaign], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    (folder / "body.html.j2").write_text("{{ frist_name }}\n{% if %}")
    lines = refused(read("headers: {'X A': b}", **{"from": "nobody"}), folder)
    assert [line.split(": ")[0] for line in lines] == ["body.html.j2:2", "campaign.yaml:2:7", "campaign.yaml:6:10"]


def test_notices_have_their_place_in_the_users_files(
    read: Callable[..., Campaign], folder: Path, settings: Settings
) -> None:
    (folder / "body.html.j2").write_text("<p>a</p>\n{% if first_name %}{% endif %}\n")
    campaign = read("unsubscribe: {url: 'https://example.com/?e={{ email }}'}")
    found = [str(problem) for problem in content_notices(campaign, settings, take(campaign))]
    assert found[0].startswith(f"{folder}/campaign.yaml:6:")
    assert ": unsubscribe.url: `email` is printed without urlencode" in found[0]
    assert found[1].startswith(f"{folder}/body.html.j2:2:1: there is nothing in this `if`")


def test_what_composing_needs_for_a_file_of_each_row(folder: Path, read: Callable[..., Campaign]) -> None:
    assert "row_attachments" not in take(read("attachments: [terms.pdf]"))
    found = take(read('attachments: ["{{ email }}.pdf", terms.pdf]'))
    assert found["attachments"] == [("terms.pdf", b"%PDF-1.4")]
    given = found["row_attachments"]
    assert given["names"] == [(0, "{{ email }}.pdf")]
    assert given["folder"] == str(folder)
    assert {"campaign.yaml", "recipients.csv", "body.html.j2"} <= set(given["own"])
    status = (folder / "recipients.csv").stat()
    assert (status.st_dev, status.st_ino) in given["never"]
    assert {"report", "STATUS.txt", "APPROVED"} <= set(given["ours"])


def test_a_file_for_each_row_is_refused_where_other_machines_would_look_for_it(
    folder: Path, read: Callable[..., Campaign]
) -> None:
    settings = Settings.model_validate({"spool": "postgresql://localhost/x"})
    (problem,) = refused(read('attachments: [terms.pdf, "{{ email }}.pdf"]'), folder, settings)
    assert problem.startswith("campaign.yaml:6:26: attachments[1]: a file for each row is read while it is sent")


def test_a_pool_must_be_one_of_the_settings(read: Callable[..., Campaign], tmp_path: Path) -> None:
    campaign = read("sources: two\n")
    settings = Settings.model_validate({"sources": [{"name": "a", "address": "192.0.2.1"}], "pools": {"one": ["a"]}})
    (problem,) = refused(campaign, tmp_path, settings)
    assert problem.endswith("sources: the operator's settings have no pool 'two'; there are: one")
    assert take(read("sources: one\n"), settings)["sources"] == "one"


def test_pictures_of_the_folder_enter_the_content_once_asked_for(folder: Path, read: Callable[..., Campaign]) -> None:
    (folder / "a.png").write_bytes(b"PNG")
    (folder / "body.html.j2").write_text('<p>{{ first_name }}<img src="a.png"><img src="gone.png"><img src="a.png?2">')
    assert "letter" not in take(read())
    content = take(read("html: {embed_images: true, preheader: '{{ first_name }}'}\n"))
    assert content["letter"] == {
        "inline_css": False,
        "preheader": "{{ first_name }}",
        "pictures": [("a.png", b"PNG")],
    }
    assert take(read("html: {preheader: x}\n"))["letter"]["pictures"] == []


def test_a_picture_outside_of_the_folder_is_refused(folder: Path, read: Callable[..., Campaign]) -> None:
    (folder / "body.html.j2").write_text('<p>{{ first_name }}<img src="../a.png">')
    (problem,) = refused(read("html: {embed_images: true}\n"), folder)
    assert "html.embed_images" in problem


def test_inlining_without_its_packages_is_refused(
    folder: Path, read: Callable[..., Campaign], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bulkmail.content.can_inline", lambda: False)
    (problem,) = refused(read("html: {inline_css: true}\n"), folder)
    assert "bulkmail[html]" in problem
