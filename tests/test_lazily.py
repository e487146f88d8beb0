from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import bulkmail
from bulkmail.lazily import later

HOUSE = Path(bulkmail.__file__).parent
LAZY = sorted(path for path in HOUSE.rglob("__init__.py") if "later(" in path.read_text("utf-8"))

# What each kind of process has no need of: modules, or packages with all that is in them, a "." behind each.
EVENT_LOOP = ("twisted.", "zope.", "asyncio.", "attr.", "OpenSSL.")
SETTINGS = ("pydantic.", "pydantic_core.", "bulkmail.settings.", "bulkmail.yamlfile.", "yaml.")
OTHERS = ("bulkmail.delivery.", "bulkmail.net.", "bulkmail.control.", "bulkmail.service.", "bulkmail.rehearsal.")
NEVER = {
    "bulkmail.content.compose:Composer": (*EVENT_LOOP, *SETTINGS, *OTHERS, "dns.", "sqlite3.", "bulkmail.spool."),
    "bulkmail.preflight.inspector:Inspector": (*EVENT_LOOP, *SETTINGS, *OTHERS, "dns.", "sqlite3.", "bulkmail.spool."),
    "bulkmail.listing:Ingest": (*EVENT_LOOP, *SETTINGS, *OTHERS, "dns.", "jinja2.", "cryptography.", "babel."),
    "bulkmail.reporter:ReportWorker": (*EVENT_LOOP, *SETTINGS, *OTHERS, "dns.", "cryptography.", "babel.", "jinja2."),
    "bulkmail.returns.reader:Reader": (*EVENT_LOOP, *SETTINGS, *OTHERS, "dns.", "jinja2.", "sqlite3."),
    "bulkmail.routing.resolver:Resolver": (
        *(name for name in EVENT_LOOP if name != "asyncio."), *SETTINGS, *OTHERS, "jinja2.", "cryptography.", "babel.",
    ),
    "bulkmail.delivery.lifecycle.checker:Checker": ("twisted.internet.", "asyncio.", "OpenSSL.", "bulkmail.settings."),
    "bulkmail.tap:makeService": (
        "jinja2.", "dns.", "twisted.web.client.", "psycopg.", "bulkmail.public.", "bulkmail.web.", "bulkmail.returns.",
        "bulkmail.service.", "bulkmail.delivery.lifecycle.",
    ),
    "bulkmail.service:Bulkmail": (
        "jinja2.", "dns.", "twisted.web.client.", "psycopg.", "bulkmail.public.", "bulkmail.web.", "bulkmail.returns.",
        "bulkmail.inbound.serving.", "bulkmail.preflight.whole.", "bulkmail.content.compose.",
        "bulkmail.campaign.intake.", "bulkmail.delivery.lifecycle.preparing.", "twisted.web.server.", "twisted.spread.",
    ),
    "bulkmail.rehearsal.command:run": (*SETTINGS, "bulkmail.service.", "bulkmail.delivery.", "jinja2.", "sqlite3."),
}  # fmt: skip


def named(path: Path) -> str:
    return ".".join(path.parent.relative_to(HOUSE.parent).parts)


def imported(path: Path) -> dict[str, tuple[str, str]]:
    """The names that a room's imports for the type checker give, each with its module and its name there."""
    (block,) = [node for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.If)]
    return {
        name.asname or name.name: (str(node.module), name.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }


def test_rooms_are_lazy():
    assert len(LAZY) > 8


@pytest.mark.parametrize("path", LAZY, ids=named)
def test_what_a_room_gives_later_is_what_the_type_checker_sees(path):
    room = importlib.import_module(named(path))
    for name, (module, attribute) in imported(path).items():
        assert room.__getattr__(name) is getattr(importlib.import_module(module), attribute)
        assert getattr(room, name) is getattr(importlib.import_module(module), attribute)
    assert {name for name in room.__all__ if not hasattr(room, name)} == set()


@pytest.mark.parametrize("path", LAZY, ids=named)
def test_no_name_is_a_modules_own(path):
    """`from room import page` would give the module page once that is imported."""
    modules = {one.stem for one in path.parent.glob("*.py")} | {one.parent.name for one in path.parent.glob("*/*.py")}
    assert not set(imported(path)) & modules


def test_a_name_that_a_room_does_not_have():
    get = later("bulkmail.mail", {"units": "parse_rate=rate"})
    with pytest.raises(AttributeError, match=r"module 'bulkmail\.mail' has no attribute 'parse_rate'"):
        get("parse_rate")


@pytest.fixture(scope="module")
def loaded():
    """What each kind of process has imported, each forked from one that has imported nothing of ours."""
    code = """if True:
        import importlib, json, os, sys
        for name in sys.argv[1:]:
            if not os.fork():
                importlib.import_module(name.partition(":")[0])
                os.write(1, json.dumps([name, sorted(sys.modules)]).encode() + b"\\n")
                os._exit(0)
            os.wait()
    """
    done = subprocess.run([sys.executable, "-P", "-c", code, *NEVER], stdout=subprocess.PIPE, check=True)
    return dict(map(json.loads, done.stdout.splitlines()))


@pytest.mark.process
@pytest.mark.parametrize("name", NEVER)
def test_a_process_imports_what_it_needs(loaded, name):
    module = name.partition(":")[0]
    assert module in loaded[name]
    needless = [one for one in loaded[name] if any(f"{one}.".startswith(never) for never in NEVER[name])]
    assert needless == []
