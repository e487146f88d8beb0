"""The docs cannot rot: what the program knows stands in them, and what they show is taken by the program."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from bulkmail import cli
from bulkmail.campaign.intake import Intake
from bulkmail.campaign.model import Campaign
from bulkmail.content.templates import TemplateSet
from bulkmail.delivery import prepare
from bulkmail.mail import RECIPIENT_COLUMNS, Category, Stage, Status
from bulkmail.rehearsal import HOSTILE, PERSONAS
from bulkmail.report import ATTEMPT_COLUMNS, Facts, summary
from bulkmail.settings import Settings, load_settings
from bulkmail.shaping import DEFAULT_LIMITS, FactKind, provider_table
from bulkmail.tap import Options
from tests.drawing import contracts, drawn, pictures
from tests.schema import keys

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "changelog.d/*.md", "bench/**/*.md", "campaigns/**/*.md", "findings/*.md")
    for path in ROOT.glob(pattern)
    if not {"report", "rehearsal", "node_modules", ".cache"} & set(path.relative_to(ROOT).parts[:-1])
)
OUTSIDE = re.compile(r"[a-z][a-z0-9+.-]*:|#")
MACHINE = re.compile(r"(?<![\w.])/(?:work|root|home|tmp|Users)(?:/|\b)")
REGISTRIES = re.compile(r"pypi\.org|pythonhosted\.org|npmjs\.|crates\.io|proxy\.golang\.org|rubygems\.org")
FENCE = re.compile(r"^<!-- (file|example): (\S+) -->\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def prose(text: str) -> str:
    """A page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def rows(name: str, heading: str = "") -> dict[str, list[str]]:
    """The table rows of a page, or of one heading: each name in backticks of the first cell -> the other cells."""
    found: dict[str, list[str]] = {}
    text = page(name)
    if heading:
        _, there, text = text.partition(f"\n{heading}\n")
        assert there, f"{name} has no heading {heading}"
        text = re.split(r"^#", text, maxsplit=1, flags=re.MULTILINE)[0]
    for line in text.splitlines():
        if line.startswith("| "):
            first, *rest = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            found |= dict.fromkeys(re.findall(r"`([^`]+)`", first), rest)
    return found


# the relay of a route has the keys of `relay`, which are documented once
SETTINGS = {key: value for key, value in keys(Settings) if not key.startswith("routing.routes[].relay.")}
SETTINGS["routing.routes[].relay"] = None
CAMPAIGN = dict(keys(Campaign))


def test_the_walk_over_the_models_finds_what_is_deep_inside() -> None:
    assert {"smtp.timeouts.dot", "dkim[].selector", "shaping.providers.<name>.mx", "hostname"} <= SETTINGS.keys()
    assert {"from", "template.html", "unsubscribe.mailto", "schedule.not_after"} <= CAMPAIGN.keys()
    assert SETTINGS["smtp.timeouts.dot"] == "600s"


def test_every_settings_key_is_documented_and_no_other() -> None:
    assert rows("docs/settings.md").keys() == SETTINGS.keys()


@pytest.mark.parametrize("key", sorted(SETTINGS))
def test_settings_defaults_are_the_documented_ones(key: str) -> None:
    default, shown = SETTINGS[key], rows("docs/settings.md")[key][0]
    if default is None or key.startswith("shaping.providers.<name>"):
        assert shown in ("`null`", "shipped", "required", "the system's", "the machine's full name")
    else:
        assert yaml.safe_load(shown.strip("`")) == default


def test_every_campaign_key_is_documented() -> None:
    assert CAMPAIGN.keys() <= rows("docs/campaign.md").keys()


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("## recipients.csv", RECIPIENT_COLUMNS),
        ("## attempts.csv", ATTEMPT_COLUMNS),
        ("### Categories", tuple(map(str, Category))),
    ],
)
def test_the_report_is_documented(heading: str, names: tuple[str, ...]) -> None:
    assert list(rows("docs/report.md", heading)) == list(names)


def test_every_status_is_documented_as_final_or_not() -> None:
    final, _, rest = page("docs/report.md").partition("\n### Statuses\n")[2].partition("\nNot final:\n")
    assert [name for name in Status if f"\n| `{name}` |" in final] == [name for name in Status if name.final]
    assert [name for name in Status if f"\n| `{name}` |" in rest.partition("\n#")[0]] == [
        name for name in Status if not name.final
    ]


def test_every_stage_is_documented() -> None:
    words = rows("docs/report.md", "## recipients.csv")["stage"][0]
    assert not [stage for stage in Stage if f"`{stage}`" not in words]


def test_every_key_of_the_summary_is_documented() -> None:
    facts = Facts(
        campaign="c", state="running", now=1.0, input_rows=0, input_complete=True, by_status={}, rehearsal=True
    )
    assert list(rows("docs/report.md", "## summary.json")) == list(summary(facts))


def test_every_option_of_twistd_bulkmail_is_documented() -> None:
    names = [f"--{option[0]}" for option in (*Options.optParameters, *Options.optFlags)]
    assert not set(names) - rows("docs/commands.md").keys()


def test_every_subcommand_is_documented() -> None:
    (commands,) = [
        action
        for action in cli.command_parser()._actions
        if isinstance(action, argparse._SubParsersAction)  # argparse offers no other way to ask
    ]
    documented = {name.split()[1] for name in rows("docs/commands.md") if name.startswith("bulkmail ")}
    assert documented - {"--version", "--print-completion"} == set(commands.choices)


def arguments(parser: argparse.ArgumentParser, command: str = "") -> Iterator[tuple[str, argparse.Action]]:
    """Each option and argument of the parser, with the command it belongs to, such as ``dkim new``."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from arguments(inner, f"{command} {name}".strip())
        elif action.dest not in ("help", "version", "print_completion"):
            yield command, action


ARGUMENTS = [
    pytest.param(command, action, id=f"{command} {action.option_strings or action.dest}")
    for command, action in arguments(cli.command_parser())
]


def said_of(command: str) -> str:
    """What docs/commands.md says of a command: its rows of the tables, and the sections that have it in their title."""
    text = page("docs/commands.md")
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    rows = [line for line in lines if f"`bulkmail {command.split(maxsplit=1)[0]}" in re.split(r"(?<!\\)\|", line)[1]]
    parts = re.split(r"^#+ (.*)$", text, flags=re.MULTILINE)
    of_it = [body for title, body in zip(parts[1::2], parts[2::2], strict=True) if f"bulkmail {command}" in title]
    return " ".join([*rows, *of_it]).replace("\\|", "|")


@pytest.mark.parametrize(("command", "action"), ARGUMENTS)
def test_every_option_and_argument_of_a_command_is_documented_and_has_its_help(
    command: str, action: argparse.Action
) -> None:
    shown = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    names = [name for name in action.option_strings if name.startswith("--")] or [shown]
    assert any(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", said_of(command)) for name in names)
    assert action.help


def test_every_option_that_is_documented_is_there() -> None:
    known = {name for _, action in arguments(cli.command_parser()) for name in action.option_strings}
    known |= {f"--{option[0]}" for option in (*Options.optParameters, *Options.optFlags)}
    known |= {"--version", "--print-completion", "--pidfile", "--logfile"}  # argparse's and twistd's own
    assert not set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page("docs/commands.md"))) - known


def test_everything_that_a_site_may_teach_is_documented() -> None:
    assert list(rows("docs/limits.md", "## What is remembered of a site")) == list(map(str, FactKind))


@pytest.mark.parametrize("name", sorted(provider_table()))
def test_every_provider_is_documented_with_its_limits(name: str) -> None:
    provider = provider_table()[name]
    shown = rows("docs/limits.md")[name]
    limits = dict(provider.limits)
    assert shown[0].split(", ") == list(provider.mx)
    assert shown[1] == str(limits.pop("connections"))
    assert shown[2] == str(limits.pop("messages_per_connection"))
    assert shown[3] == (limits.pop("tls", None) or "")
    other = [f"idle {limits.pop('idle'):g} s"] if "idle" in limits else []
    other += [str(limits.pop("rate")).partition(",")[0]] if "rate" in limits else []
    assert shown[4] == ", ".join(other)
    assert not limits


def test_no_other_provider_is_documented() -> None:
    shown = {name for name, cells in rows("docs/limits.md").items() if len(cells) == 5}
    assert shown == set(provider_table())


def test_the_default_limits_are_documented() -> None:
    known = DEFAULT_LIMITS
    words = (
        f"{known.connections} connections, {known.messages_per_connection} messages per connection, "
        f"{str(known.rate).partition(',')[0]}, {known.connection_rate.count} new connections a minute, "
        f"idle {known.idle:g} s"
    )
    assert words in " ".join(page("docs/limits.md").split())


def test_every_persona_is_documented() -> None:
    assert not {f"{name}.test" for name in PERSONAS} - rows("docs/rehearsal.md").keys()
    hostile = {f"{name}.test": [persona.about] for name, persona in HOSTILE.items()}
    assert rows("docs/rehearsal.md", "## Hostile servers") == hostile


def key_file(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    key = ed25519.Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    for name in ("example.com.pem", "example.com-s1.pem"):
        (folder / name).write_bytes(pem)
        (folder / name).chmod(0o600)


def test_the_campaign_in_the_readme_could_be_sent(tmp_path: Path) -> None:
    found = {name: text for kind, name, text in FENCE.findall(page("README.md")) if kind == "file"}
    assert {"bulkmail.yaml", "spring-sale/campaign.yaml", "spring-sale/recipients.csv"} <= found.keys()
    for name, text in found.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    key_file(tmp_path / "keys")
    prepared = prepare(str(tmp_path / "spring-sale"), load_settings(None, str(tmp_path)))
    assert prepared.campaign.name == "spring-sale"
    assert not prepared.notices


EXAMPLES = [
    pytest.param(kind, text, id=f"{path.name}:{kind}")
    for path in PAGES
    for marker, kind, text in FENCE.findall(path.read_text(encoding="utf-8"))
    if marker == "example"
]


@pytest.mark.parametrize(("kind", "text"), EXAMPLES)
def test_examples_are_taken_by_the_program(kind: str, text: str, tmp_path: Path) -> None:
    values = yaml.safe_load(text)
    key_file(tmp_path / "keys")
    if kind == "settings":
        for name in values.get("suppress", ()):
            (tmp_path / name).write_text("nobody@example.com\n", encoding="utf-8")
        tls = (values.get("inbound") or {}).get("tls") or {}
        for name in tls.values():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text("-----BEGIN CERTIFICATE-----\n", encoding="utf-8")
        (tmp_path / "relay.secret").write_text("secret\n", encoding="utf-8")
        (tmp_path / "bulkmail.yaml").write_text(text, encoding="utf-8")
        assert load_settings(None, str(tmp_path)).hostname == values["hostname"]
        return
    assert kind == "campaign"
    attached = [name for name in values.get("attachments", []) if "{" not in name]
    named = [name.replace("{locale}", tag) for name in values["template"].values() for tag in ("en", "de")]
    for name in (*named, *attached, "invoices/17.pdf"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("Hello {{ first_name }}\n", encoding="utf-8")
    lists = values["recipients"] if isinstance(values["recipients"], list) else [values["recipients"]]
    for name in (*lists, *values.get("suppress", [])):
        rows = "email,first_name,invoice,voucher,language\nnobody@example.com,Ann,17,,de\n"
        (tmp_path / name).write_text(rows, encoding="utf-8")
    (tmp_path / "campaign.yaml").write_text(text, encoding="utf-8")
    assert prepare(str(tmp_path), load_settings(None, str(tmp_path))).campaign.name == values["name"]


def test_the_filters_write_what_the_table_says() -> None:
    lines = page("docs/campaign.md").partition("<!-- filters -->")[2].split("\n\n")[0].strip().splitlines()
    assert len(lines) > 8
    for line in lines[2:]:
        source, *shown = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for tag, words in zip(("en", "de"), shown, strict=True):
            template = TemplateSet({}, html=False, locale=tag).text(source.strip("`").replace("\\|", "|"), "x")
            assert re.sub("[\u00a0\u202f]", " ", template.render({})) == words, source


def test_both_kinds_of_examples_are_there() -> None:
    assert {kind for parameters in EXAMPLES for kind in parameters.values[:1]} == {"campaign", "settings"}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
class TestEveryPage:
    def test_links_lead_somewhere(self, path: Path) -> None:
        links = re.findall(r"\]\(([^)\s]+)\)", prose(path.read_text(encoding="utf-8")))
        inside = [link.partition("#")[0] for link in links if not OUTSIDE.match(link)]
        assert not [link for link in inside if not (path.parent / link).exists()]

    def test_no_path_of_one_machine_and_no_registry(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        assert not MACHINE.findall(text)
        assert not REGISTRIES.findall(text)

    def test_named_files_exist(self, path: Path) -> None:
        """Code that a page names in backticks, as `scripts/x` or `delivery/lane.py`."""
        named = re.findall(
            r"`((?:scripts|tests|bulkmail|twisted)/[\w./-]+|[a-z]+/[a-z_]+\.py)", path.read_text("utf-8")
        )
        assert not [name for name in named if not (ROOT / name).exists() and not (ROOT / "bulkmail" / name).exists()]

    def test_is_reachable_from_the_map(self, path: Path) -> None:
        if path.is_relative_to(ROOT / "docs"):
            index = ROOT / "docs" / "index.md"
            links = re.findall(r"\]\(([^)\s]+)\)", index.read_text(encoding="utf-8"))
            assert path in [index, *((index.parent / link).resolve() for link in links)]


def test_the_floor_plan_is_drawn_from_the_contracts() -> None:
    assert pictures() == {name: drawn(name) for name in contracts()}, "run scripts/draw"


def test_every_room_is_described_with_its_floor() -> None:
    floors = reversed(contracts()["floors"])
    known = {module.removeprefix("bulkmail."): str(floor) for floor, layer in enumerate(floors) for module in layer}
    lines = re.findall(r"^\| (\d+) \| (`[^|]*`) \|", page("docs/architecture.md"), flags=re.MULTILINE)
    shown = {re.sub(r"/|\.py", "", room): floor for floor, rooms_ in lines for room in re.findall(r"`([^`]+)`", rooms_)}
    assert shown == known


def test_the_way_of_a_message_is_drawn_with_the_modules_of_the_list_in_their_order() -> None:
    _, _, text = page("docs/architecture.md").partition("\n## How a recipient travels\n")
    picture, _, listed = text.partition("\n## ")[0].partition("\n```\n")
    in_list = [name.removesuffix(".py") for name in re.findall(r"`([\w/]+\.py)`", listed)]
    drawn_names = re.findall(r"\b[a-z]+(?:/[a-z_]+)+\b|(?<=^ )reporter\b", picture, flags=re.MULTILINE)
    assert len(drawn_names) > 20
    assert not set(drawn_names) - set(in_list)
    main = [found[1] for found in re.finditer(r"^.{36} ([a-z]+/[a-z_/]+)", picture, flags=re.MULTILINE)]
    steps = [in_list.index(name) for name in main]
    assert steps == sorted(steps)


def test_the_glossary_has_a_word_once_and_in_order() -> None:
    words = list(rows("docs/glossary.md"))
    assert {"campaign", "recipient", "queue", "site", "provider", "lane", "claim", "settle"} <= set(words)
    assert {"ambiguous", "lease", "share", "suspension"} <= set(words)
    assert words == sorted(words)


def test_the_readme_has_a_place_for_figures() -> None:
    assert "## Figures" in page("README.md")


def test_changelog_fragments_are_named_after_their_change() -> None:
    pattern = re.compile(r"\d+(\.[a-z-]+)?\.(feature|bugfix|doc|removal|misc)\.md")
    names = [path.name for path in (ROOT / "changelog.d").iterdir() if path.name != "README.md"]
    assert not [name for name in names if not pattern.fullmatch(name)]


def test_decisions_are_numbered_and_no_number_is_there_twice() -> None:
    numbers = [path.name.partition("-")[0] for path in (ROOT / "docs" / "decisions").glob("*.md")]
    assert all(re.fullmatch(r"\d{4}", number) for number in numbers)
    assert len(set(numbers)) == len(numbers)


def test_the_map_has_each_decision_by_its_title() -> None:
    titles = [
        f"- [{path.read_text(encoding='utf-8').partition(chr(10))[0].removeprefix('# ')}](decisions/{path.name})"
        for path in sorted((ROOT / "docs" / "decisions").glob("*.md"))
    ]
    assert [line for line in page("docs/index.md").splitlines() if "](decisions/" in line] == titles


def test_the_lists_of_other_programs_are_read_as_the_page_says(tmp_path: Path) -> None:
    _, _, text = page("docs/campaign.md").partition("\n### Where a list comes from\n")
    table = [line.split("|")[1:] for line in text.partition("\n### ")[0].splitlines() if line.startswith("| ")][2:]
    assert len(table) >= 20
    for program, address, left_out, *_ in table:
        names = re.findall("`([^`]*)`", address + left_out)
        header, values = [names[0], *names[1:2]], ["ann@acorn.example", *names[2:3]]
        path = tmp_path / "list.csv"
        path.write_text(f"Name,{','.join(header)}\nAnn,{','.join(values)}\n", encoding="utf-8")
        intake = Intake([str(path)])
        _, (row,), _, _ = intake.next(10)
        intake.close()
        assert (row[3], row[6]) == ("ann@acorn.example", "no-consent" if left_out.strip() else "ok"), program
