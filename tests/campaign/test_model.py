from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from bulkmail.campaign import Campaign, load_campaign

EVERY_KEY = """\
name: spring-sale                                # required, unique in the spool
from: "Example Shop <news@example.com>"          # required
subject: "{{ first_name }}, spring is here"      # required, Jinja2
template: {html: body.html.j2, text: body.txt.j2}   # at least one; text is made from the HTML when absent
recipients: recipients.csv                       # or a list of files; the column `email` is required,
                                                 # every other column is a template variable
suppress: [unsubscribed.csv]                     # addresses and domains never to be mailed (also in the settings)
reply_to: help@example.com
envelope_from: bounces@bounces.example.com       # MAIL FROM; default: the address of `from`
list: newsletter                                 # [the campaign's name] what people unsubscribe from; List-Id
kind: marketing                                  # [marketing] | transactional
bounces: each                                    # [each] recipient its own return path | shared
headers: {X-Campaign: spring}
unsubscribe: {url: "https://example.com/u/{{ token }}", mailto: "unsubscribe@example.com"}
attachments: [terms.pdf]                         # paths stay inside the folder
defaults: {first_name: "there"}                  # used where a row's value is empty or the column is missing
on_unknown: retry                                # retry | keep   (section 4)
schedule: {not_before: 2026-12-01T09:00+01:00, not_after: 2026-12-02T18:00+01:00}
approval: required                               # required | none
test_to: [me@example.com]
notify: {mail: [ops@example.com], command: [/usr/local/bin/told], url: "https://example.com/hook",
         on: [start, stopped, end]}
"""


def test_the_whole_example_is_taken(folder: Path) -> None:
    (folder / "campaign.yaml").write_text(EVERY_KEY)
    campaign = load_campaign(str(folder))
    assert campaign.model_dump(by_alias=True) == {
        "name": "spring-sale",
        "from": "Example Shop <news@example.com>",
        "subject": "{{ first_name }}, spring is here",
        "template": {"html": "body.html.j2", "text": "body.txt.j2"},
        "recipients": ("recipients.csv",),
        "suppress": ("unsubscribed.csv",),
        "to": None,
        "reply_to": "help@example.com",
        "envelope_from": "bounces@bounces.example.com",
        "bounces": "each",
        "list": "newsletter",
        "kind": "marketing",
        "priority": None,
        "invitation": None,
        "sources": None,
        "locale": None,
        "links": None,
        "variants": {},
        "winner": None,
        "headers": {"X-Campaign": "spring"},
        "unsubscribe": {"url": "https://example.com/u/{{ token }}", "mailto": "unsubscribe@example.com"},
        "attachments": ("terms.pdf",),
        "defaults": {"first_name": "there"},
        "encoding": "utf-8",
        "canary": {
            "per_provider": 200,
            "of": 500,
            "stop": {"bounced": "10%", "blocked": "5%", "complained": "0.3%"},
        },
        "html": None,
        "consent": "auto",
        "where": None,
        "sample": 1.0,
        "limit": None,
        "order_by": None,
        "on_unknown": "retry",
        "schedule": {
            "timezone": None,
            "not_before": 1796112000.0,
            "not_after": 1796230800.0,
            "hours": None,
            "days": None,
            "rate": None,
            "per_day": None,
        },
        "approval": "required",
        "test_to": ("me@example.com",),
        "notify": {
            "mail": ("ops@example.com",),
            "command": ("/usr/local/bin/told",),
            "url": "https://example.com/hook",
            "on": ("start", "stopped", "end"),
        },
    }
    assert campaign.suppress_paths == [str(folder / "unsubscribed.csv")]


def test_the_defaults(read: Callable[..., Campaign]) -> None:
    campaign = read(template="{text: body.txt.j2}")
    assert campaign.template.html is None
    assert (campaign.suppress, campaign.attachments, campaign.headers, campaign.defaults) == ((), (), {}, {})
    assert (campaign.reply_to, campaign.envelope_from, campaign.unsubscribe, campaign.schedule) == (None,) * 4
    assert (campaign.encoding, campaign.on_unknown) == ("utf-8", "retry")
    assert (campaign.approval, campaign.test_to, campaign.notify) == (None, (), None)
    with pytest.raises(ValidationError):
        campaign.name = "x"  # type: ignore[misc]


def test_several_files_in_their_order(folder: Path, read: Callable[..., Campaign]) -> None:
    (folder / "lists").mkdir()
    (folder / "lists/b.csv").write_text("email\n")
    campaign = read(recipients="[lists/b.csv, ./recipients.csv]", suppress="unsubscribed.csv")
    assert campaign.recipient_paths == [str(folder / "lists/b.csv"), f"{folder}/./recipients.csv"]
    assert campaign.suppress == ("unsubscribed.csv",)


@pytest.mark.parametrize("name", ["a", "A-b_c.1", "x" * 100, '"2026"', "_a"])
def test_names_that_are_taken(read: Callable[..., Campaign], name: str) -> None:
    assert read(name=name).name == name.strip('"')


@pytest.mark.parametrize("name", ["''", "a b", "é", "x" * 101, ".a", "-a", "a/b", '"a\\nb"', "'..'"])
def test_names_that_are_refused(refusal: Callable[..., list[str]], name: str) -> None:
    words = "must be 1 to 100 letters, digits and . _ - and not start with . or -"
    (line,) = refusal(name=name)
    assert line.startswith(f"campaign.yaml:1:7: name: {words}")


def test_a_name_that_is_refused_has_the_nearest_one(refusal: Callable[..., list[str]]) -> None:
    (line,) = refusal(name="Spring Sale 2026")
    assert line.endswith("; write spring-sale-2026")


@pytest.mark.parametrize(("key", "column"), [("from", 7), ("subject", 10), ("reply_to", 11), ("envelope_from", 16)])
@pytest.mark.parametrize("bad", ["\\r\\nBcc: x@example.net", "\\n", "\\0", "\\x7f", "\\u2028", "\\x85", "\\t"])
def test_no_line_break_reaches_a_header(refusal: Callable[..., list[str]], key: str, column: int, bad: str) -> None:
    (line,) = refusal(**{key: f'"a@example.com{bad}b"'})
    assert f":{column}: {key}: must not hold a line break or another control character" in line


@pytest.mark.parametrize("key", ["from", "subject", "to", "reply_to"])
def test_nothing_is_no_header(refusal: Callable[..., list[str]], key: str) -> None:
    assert refusal(**{key: "' '"})[0].endswith(f"{key}: must not be empty")


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (
            'headers: {X-A: "b\\nc"}',
            "6:16: headers.X-A: must not hold a line break or another control character ('\\n')",
        ),
        (
            'headers: {"X\\nA": b}',
            "6:11: headers.X\\nA: must not hold a line break or another control character ('\\n')",
        ),
        ("headers: {X-Count: 12}", '6:20: headers.X-Count: must be text, not a number; put it in quotes: "12"'),
        ("headers: [a]", "6:10: headers: must be a mapping, key: value; not a list"),
        ("defaults: {zip: 01234}", '6:17: defaults.zip: must be text, not a number; put it in quotes: "01234"'),
        ("defaults: {vat: 1.10}", '6:17: defaults.vat: must be text, not a number; put it in quotes: "1.10"'),
        ("defaults: {x: }", "6:15: defaults.x: has no value; give it one or remove the key"),
        ("envelope_from: Shop <a@b.example>", ("6:16: envelope_from: 'Shop <a@b.example>' is more than a bare address; "
         "write only local@domain")),
        ("envelope_from: a@b", "6:16: envelope_from: the domain 'b' has no dot"),
        ("envelope_from: jürgen@b.example", ("6:16: envelope_from: 'jürgen@b.example': the part before the @ must be "
         "plain ASCII, or some receivers could not answer it")),
        ("unsubscribe: {}", "6:14: unsubscribe: must give a url, a mailto address or both"),
        ("unsubscribe: {uri: x}", "6:15: unsubscribe: `uri` is not a known key; did you mean `url`?"),
        ("unsubscribe: https://x.example",
         "6:14: unsubscribe: must be built-in, or a mapping with the keys url and mailto; not 'https://x.example'"),
        ("on_unknown: keepp", '6:13: on_unknown: must be retry or keep, not "keepp"; did you mean keep?'),
        ("encoding: latin-99", ("6:11: encoding: 'latin-99' is not a character encoding for lists; "
         "write utf-8, cp1252, iso-8859-15, ...")),
        ("encoding: rot13", ("6:11: encoding: 'rot13' is not a character encoding for lists; "
         "write utf-8, cp1252, iso-8859-15, ...")),
        ("attachments: terms.pdf", "6:14: attachments: must be a list, such as [one, two]; not text"),
        ("attachments: [terms.pdf, ./terms.pdf]", "6:26: attachments[1]: ./terms.pdf is listed twice"),
        ("schedule: tomorrow", ("6:11: schedule: must be a mapping, key: value with the keys timezone, not_before, "
         "not_after, hours, days, rate, per_day; not text")),
        ("schedule: {not_before: 2026-12-01}",
         "6:24: schedule.not_before: '2026-12-01' is not a time; write it like 2026-12-01T09:00+01:00"),
        ("schedule: {not_before: 2026-12-01T09:00}",
         ("6:24: schedule.not_before: '2026-12-01T09:00' has no UTC offset; "
         "write 2026-12-01T09:00+01:00 or 2026-12-01T09:00Z, or add `timezone`")),
        ("schedule: {not_before: 2026-13-01T09:00Z}",
         "6:24: schedule.not_before: '2026-13-01T09:00Z' is not a time (month must be in 1..12)"),
        ("schedule: {not_before: 2026-12-01T09:00Z, not_after: 2026-12-01T10:00+01:00}",
         "6:54: schedule.not_after: must be later than not_before"),
        ("schedule: {not_before: 20261201}",
         "6:24: schedule.not_before: 20261201 is not a time; write it like 2026-12-01T09:00+01:00"),
    ],
)  # fmt: skip
def test_bad_values(refusal: Callable[..., list[str]], extra: str, words: str) -> None:
    assert refusal(extra) == [f"campaign.yaml:{words}"]


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{}", "4:11: template: must name an html file, a text file or both"),
        (
            "body.html.j2",
            "4:11: template: must be a mapping, key: value with the keys html, text; not text",
        ),
        ("{html: gone.j2}", "4:18: template.html: gone.j2 does not exist"),
        ("{html: big.j2}", "4:18: template.html: big.j2 is larger than 2 MB"),
    ],
)
def test_bad_templates(folder: Path, refusal: Callable[..., list[str]], template: str, words: str) -> None:
    (folder / "big.j2").write_bytes(b"x" * 2_000_001)
    assert refusal(template=template) == [f"campaign.yaml:{words}"]


@pytest.mark.parametrize(
    ("recipients", "words"),
    [
        ("[]", "5:13: recipients: must name at least one file"),
        ("[recipients.csv, gone.csv]", "5:30: recipients[1]: gone.csv does not exist"),
        ("[recipients.csv, recipients.csv]", "5:30: recipients[1]: recipients.csv is listed twice"),
        ("5", "5:13: recipients: must be a list, such as [one, two]; not a number"),
        ("''", "5:13: recipients: must name a file, not nothing"),
    ],
)
def test_bad_recipient_files(refusal: Callable[..., list[str]], recipients: str, words: str) -> None:
    assert refusal(recipients=recipients) == [f"campaign.yaml:{words}"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../secret", "../secret leads out of the campaign's folder; copy the file into it"),
        ("a/../../secret", "a/../../secret leads out of the campaign's folder; copy the file into it"),
        ("/etc/passwd", "/etc/passwd is an absolute path; name a file inside the campaign's folder"),
        ("~/x", "~/x: ~ is not expanded; name a file inside the campaign's folder"),
        ("out", "out leads out of the campaign's folder; copy the file into it"),
        ("outfolder/secret", "outfolder/secret leads out of the campaign's folder; copy the file into it"),
        ("proc", "proc leads out of the campaign's folder; copy the file into it"),
        ("fifo", "fifo is not a regular file"),
        ("sub", "sub is a folder, not a file"),
        (".", ". is a folder, not a file"),
        ('"a\\nb"', "must not hold a line break or another control character ('\\n')"),
        ('"a\\0b"', "must not hold a line break or another control character ('\\x00')"),
        ("loop", "loop cannot be read (Too many levels of symbolic links)"),
        ("x" * 300, f"{'x' * 300} cannot be read (File name too long)"),
    ],
)
@pytest.mark.parametrize(("key", "place"), [("attachments", "6:15: attachments[0]"), ("suppress", "6:12: suppress[0]")])
def test_no_file_outside_the_folder_and_none_that_waits(
    folder: Path, refusal: Callable[..., list[str]], *, name: str, words: str, key: str, place: str
) -> None:
    (folder.parent / "secret").write_text("s")
    (folder / "out").symlink_to("../secret")
    (folder / "outfolder").symlink_to("..")
    (folder / "proc").symlink_to("/proc/self/environ")
    (folder / "loop").symlink_to("loop")
    (folder / "sub").mkdir()
    os.mkfifo(folder / "fifo")
    assert refusal(f"{key}: [{name}]") == [f"campaign.yaml:{place}: {words}"]


def test_links_and_dots_that_stay_inside_are_fine(folder: Path, read: Callable[..., Campaign]) -> None:
    (folder / "sub").mkdir()
    (folder / "sub/link.pdf").symlink_to("../terms.pdf")
    assert read("attachments: [sub/../sub/link.pdf]").attachments == ("sub/../sub/link.pdf",)


def test_a_folder_reached_through_a_link_is_no_way_out(folder: Path, read: Callable[..., Campaign]) -> None:
    read()
    (folder.parent / "current").symlink_to("spring")
    assert load_campaign(str(folder.parent / "current")).folder == str(folder.parent / "current")


def test_attachments_have_a_size_each_and_together(folder: Path, refusal: Callable[..., list[str]]) -> None:
    for name, size in (("a", 25_000_001), ("b", 25_000_000), ("c", 1)):
        with (folder / name).open("wb") as file:
            file.truncate(size)
    assert refusal("attachments: [a]") == ["campaign.yaml:6:15: attachments[0]: a is larger than 25 MB"]
    assert refusal("attachments: [b, c]") == ["campaign.yaml:6:14: attachments: are larger than 25 MB together"]


def test_lists_of_earlier_campaigns(read) -> None:
    campaign = read(
        recipients="[recipients.csv, {rest_of: [winter, autumn], status: [expired, unknown]}]",
        suppress="{got: summer}",
    )
    assert campaign.recipients == ("recipients.csv", "rest_of: winter", "rest_of: autumn")
    assert campaign.suppress == ("got: summer",)
    assert [(key, one.campaign, one.statuses) for key, one in campaign.earlier] == [
        ("recipients", "winter", ("expired", "unknown")),
        ("recipients", "autumn", ("expired", "unknown")),
        ("suppress", "summer", ()),
    ]
    assert set(campaign.lists) == {"recipients.csv"}
    assert [path.plain for path in campaign.suppress_paths] == [("earlier", "", "got", "summer", ())]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"recipients": "{rest_off: winter}"}, "recipients: `rest_off` is not a known key; did you mean `rest_of`?"),
        ({"recipients": "{got: winter}"}, "recipients: `got` is not a known key; known here: rest_of, status"),
        ({"recipients": "{status: expired}"}, "recipients: must name a file, or a campaign as {rest_of: spring-sale}"),
        ({"recipients": "{rest_of: 5}"}, "recipients: must be a name, or a list of names"),
        ({"recipients": "{rest_of: Spring Sale}"}, "write spring-sale"),
        (
            {"recipients": "{rest_of: a, status: expird}"},
            "'expird' is not a status of rows that can be sent to again; did",
        ),
        ({"recipients": "{rest_of: [a, a]}"}, "recipients: rest_of: a is listed twice"),
        ({"suppress": "{rest_of: winter}"}, "suppress: `rest_of` is not a known key; known here: got"),
    ],
)
def test_lists_of_earlier_campaigns_that_are_wrong(refusal, keys, words) -> None:
    (problem,) = refusal(**keys)
    assert words in problem


def test_a_list_may_be_named_with_its_sheet_and_its_column(read, refusal, folder):
    (folder / "people.xlsx").write_bytes(b"")
    named = '[recipients.csv, {file: people.xlsx, sheet: Members, email: "Work Email"}]'
    campaign = read(recipients=named)
    assert campaign.recipients == ("recipients.csv", "people.xlsx")
    first, second = campaign.recipient_paths
    assert (first.sheet, first.email, second.sheet, second.email) == (None, None, "Members", "Work Email")
    assert refusal(recipients="{file: peopl.xlsx}") == [
        "campaign.yaml:5:13: recipients: peopl.xlsx does not exist; did you mean 'people.xlsx'?"
    ]
    assert "known here: file, sheet, email" in refusal(recipients="{file: people.xlsx, column: a}")[0]


def test_a_file_for_each_row_is_looked_for_when_its_message_is_composed(
    read: Callable[..., Campaign], refusal: Callable[..., list[str]]
) -> None:
    campaign = read('attachments: [terms.pdf, "gone/{{ invoice }}.pdf"]')
    assert campaign.fixed_attachments == ["terms.pdf"]
    assert campaign.row_attachments == [(1, "gone/{{ invoice }}.pdf")]
    words = "leads out of the campaign's folder; write a path inside it"
    for name in ("../{{ x }}.pdf", "/srv/{{ x }}.pdf"):
        assert refusal(f'attachments: ["{name}"]') == [f"campaign.yaml:6:15: attachments[0]: {name} {words}"]
