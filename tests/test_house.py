"""How a line knows its room: an AST walk over the whole house. A failure prints the rule and the lines against it."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HOUSE = ROOT / "bulkmail"
MODULES = sorted(HOUSE.rglob("*.py"))
ROOMS = sorted(path.parent for path in HOUSE.glob("*/__init__.py"))
STOREYS = sorted(path.parent for path in HOUSE.glob("*/*/__init__.py"))
MOST_METHODS = 25
LONGEST_FUNCTION = 60
LONGEST = 400
MOST_PARAMETERS = 10
BANNED_ENDINGS = ("Manager", "Handler", "Processor", "Engine", "Helper", "Utils", "Base")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def room_of(path: Path) -> str:
    """The room a module stands in; for a module at the top, its own name."""
    return path.relative_to(HOUSE).parts[0]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes_of(path: Path) -> list[ast.AST]:
    """Return all nodes of a module; to find them anew for each rule takes longer than the rules."""
    return list(ast.walk(tree_of(path)))


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


@cache
def calls(path: Path) -> list[tuple[str, int]]:
    """Return each called name with its line, import aliases undone for `from x import y`."""
    alias = {
        name.asname or name.name: f"{node.module}.{name.name}"
        for node in nodes_of(path)
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    found = []
    for node in nodes_of(path):
        if isinstance(node, ast.Call):
            called = dotted(node.func)
            first, _, rest = called.partition(".")
            found.append((alias.get(first, first) + ("." + rest if rest else ""), node.lineno))
    return found


@cache
def imports(path: Path) -> list[tuple[str, str, int]]:
    """Return each imported (module, name, line); the name is "" for a plain import."""
    found = []
    for node in nodes_of(path):
        if isinstance(node, ast.ImportFrom):
            found += [(node.module or "", alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [(alias.name, "", node.lineno) for alias in node.names]
    return found


def check(rule: str, offences: list[str]) -> None:
    assert not offences, f"{rule}\n  " + "\n  ".join(offences)


def test_the_clock_and_the_dice_are_handed_in() -> None:
    owners = ("service.py", "tap.py", "commands", "rehearsal")
    process = "bulkmail/inbound/__main__.py"
    banned = ("time.time", "time.monotonic", "datetime.datetime.now", "datetime.now", "random.")
    check(
        f"the clock and the dice are read only in service.py, tap.py, commands/, rehearsal/ and {process}",
        [
            f"{name_of(path)}:{line}: {called}()"
            for path in MODULES
            if room_of(path) not in owners and name_of(path) != process
            for called, line in calls(path)
            if called.startswith(banned) and not called.startswith("random.Random.")
        ],
    )


@pytest.mark.parametrize(
    ("called", "owners"),
    [
        ("print", ("cli.py", "commands")),
        ("csv.writer", ("report",)),
        ("csv.reader", ("campaign",)),
        ("socket.socket", ("net", "rehearsal", "control", "inbound")),
    ],
)
def test_each_call_has_its_room(called: str, owners: tuple[str, ...]) -> None:
    check(
        f"{called}() stands only in {', '.join(owners)}",
        [
            f"{name_of(path)}:{line}"
            for path in MODULES
            if room_of(path) not in owners
            for name, line in calls(path)
            if name == called
        ],
    )


@pytest.mark.parametrize(
    ("module", "owners"),
    [
        ("jinja2", ("content", "page_templates.py")),
        ("sqlite3", ("spool",)),
        ("dns", ("routing", "rehearsal")),
        ("twisted.internet.endpoints", ("net", "rehearsal", "inbound", "service.py")),
        ("cryptography", ("content", "net", "rehearsal", "inbound")),
    ],
)
def test_each_library_has_its_room(module: str, owners: tuple[str, ...]) -> None:
    check(
        f"{module} is imported only in {', '.join(owners)}",
        [
            f"{name_of(path)}:{line}"
            for path in MODULES
            if room_of(path) not in owners
            for name, _, line in imports(path)
            if name == module or name.startswith(module + ".")
        ],
    )


NO_VERB = re.compile(
    r"(?:An?|The|All|Every|Each|Some|One|Whether|What|Where|How|Which|Why|When|That|It|Its|They)\b|[`(\d]"
)


def test_a_docstring_begins_with_a_verb() -> None:
    """Where a function returns something: "Return whether ...", and not "Whether ..."; a property is a noun."""
    check(
        "the docstring of a function that returns something begins with a verb",
        [
            f"{name_of(path)}:{node.lineno}: {node.name}"
            for path in MODULES
            for node in nodes_of(path)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and node.returns is not None
            and not (isinstance(node.returns, ast.Constant) and node.returns.value is None)
            and not any("property" in dotted(decorator) for decorator in node.decorator_list)
            and not re.fullmatch("__.*__", node.name)
            and NO_VERB.match(ast.get_docstring(node) or "")
        ],
    )


def test_sql_stands_in_sql_files() -> None:
    verbs = ("SELECT ", "INSERT ", "UPDATE ", "DELETE FROM ", "CREATE TABLE ")
    check(
        "SQL stands only in spool/sql/*.sql",
        [
            f"{name_of(path)}:{node.lineno}: {node.value[:40]!r}"
            for path in MODULES
            for node in nodes_of(path)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.lstrip().startswith(verbs)
        ],
    )


def test_a_log_line_names_what_it_is_about_in_its_field() -> None:
    fields = {"run.name": "campaign", "row.name": "campaign", "campaign.name": "campaign", "site.name": "site"}
    found = [
        f"{name_of(path)}:{node.lineno}: {word.arg}={dotted(word.value)}"
        for path in MODULES
        for node in nodes_of(path)
        if isinstance(node, ast.Call) and dotted(node.func).startswith("_log.")
        for word in node.keywords
        if word.arg != fields.get(".".join(dotted(word.value).split(".")[-2:]).lstrip("_"), word.arg)
    ]
    assert not found, f"logs.FIELDS: a campaign is `campaign`, a site `site`: {found}"


def test_nobody_imports_the_reactor_at_module_level() -> None:
    check(
        "the reactor comes in as an argument",
        [
            f"{name_of(path)}:{node.lineno}"
            for path in MODULES
            for node in tree_of(path).body
            if isinstance(node, ast.ImportFrom)
            and node.module == "twisted.internet"
            and "reactor" in [alias.name for alias in node.names]
        ],
    )


def test_each_python_of_ours_runs_nothing_of_the_current_folder() -> None:
    """Without ``-P`` a file there, such as dns.py, is imported in place of a library."""
    started = 0
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.List):
                words = [ast.unparse(word) for word in node.elts]
                at = words.index("sys.executable") if "sys.executable" in words else None
                if at is not None:
                    started += 1
                    assert words[at + 1] == "'-P'", f"{path}:{node.lineno}"
    assert started >= 6


def test_names_say_what_a_thing_does() -> None:
    check(
        f"no name ends in {', '.join(BANNED_ENDINGS)}",
        [
            f"{name_of(path)}:{node.lineno}: {node.name}"
            for path in MODULES
            for node in nodes_of(path)
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name.endswith(BANNED_ENDINGS)
        ],
    )


def test_modules_are_small() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    check(f"no module over {LONGEST} lines", [f"{name}: {n}" for name, n in lengths.items() if n > LONGEST])


def test_classes_and_functions_are_small() -> None:
    methods = {
        f"{name_of(path)}: {node.name}": sum(
            isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) for each in node.body
        )
        for path in MODULES
        for node in nodes_of(path)
        if isinstance(node, ast.ClassDef)
    }
    check(
        f"no class has over {MOST_METHODS} methods",
        [f"{name}: {n}" for name, n in methods.items() if n > MOST_METHODS],
    )
    check(
        f"no function has over {LONGEST_FUNCTION} lines",
        [
            f"{name_of(path)}:{node.lineno}: {node.name}"
            for path in MODULES
            for node in nodes_of(path)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION
        ],
    )


def test_a_function_takes_few_parameters() -> None:
    """What always walks together is one value; what takes very many has more than one purpose."""
    taken = {
        f"{name_of(path)}:{node.lineno}: {node.name}": sum(
            each.arg not in ("self", "cls") for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        )
        for path in MODULES
        for node in nodes_of(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    check(
        f"no function takes over {MOST_PARAMETERS} parameters",
        [f"{name}: {n}" for name, n in taken.items() if n > MOST_PARAMETERS],
    )


@pytest.mark.parametrize("room", [*ROOMS, *STOREYS], ids=lambda room: room.relative_to(HOUSE).as_posix())
def test_each_room_says_what_it_is(room: Path) -> None:
    words = ast.get_docstring(tree_of(room / "__init__.py")) or ""
    lines = [line for line in words.splitlines() if line.startswith(("Room:", "Takes:", "Gives:", "Never:"))]
    assert [line.split(":")[0] for line in lines] == ["Room", "Takes", "Gives", "Never"], (
        f"{room.name}/__init__.py must have the four lines Room / Takes / Gives / Never in its docstring"
    )


def test_only_public_names_leave_a_room() -> None:
    offences = []
    for path in MODULES:
        for module, name, line in imports(path):
            parts = module.split(".")
            if parts[0] != "bulkmail" or len(parts) < 2 or parts[1] == room_of(path).removesuffix(".py"):
                continue
            target = HOUSE / parts[1]
            if not target.is_dir():
                continue
            public = getattr(importlib.import_module(f"bulkmail.{parts[1]}"), "__all__", [])
            if len(parts) > 2 or (name not in public):
                offences.append(f"{name_of(path)}:{line}: {module}.{name} is not in the room's __all__")
    check("only names in a room's __all__ are imported from outside it", offences)


def test_what_a_room_gives_is_taken() -> None:
    """Taken by another room, a test or a benchmark; what only the room itself uses is no public name."""
    taken = {
        (module, name)
        for path in MODULES
        for module, name, _ in imports(path)
        if not f"{module_name(path)}.".startswith(f"{module}.")
    }
    beside = [path.read_text(encoding="utf-8") for part in ("tests", "bench") for path in (ROOT / part).rglob("*.py")]
    offences = []
    for room in [*ROOMS, *STOREYS]:
        module = module_name(room / "__init__.py")
        own = {node.name for node in tree_of(room / "__init__.py").body if isinstance(node, ast.FunctionDef)}
        names = set(getattr(importlib.import_module(module), "__all__", [])) - own
        left = sorted(name for name in names if (module, name) not in taken)
        texts = [text for text in beside if module in text] if left else []
        offences += [f"{module}.{name}" for name in left if not any(re.search(rf"\b{name}\b", text) for text in texts)]
    check("what is in a room's __all__ is used outside of it", offences)


def test_each_module_has_its_tests_and_the_reverse() -> None:
    wanted = {
        f"tests/{path.relative_to(HOUSE).parent.as_posix()}/test_{path.stem}.py".replace("/./", "/")
        for path in MODULES
        if path.name not in ("__init__.py", "__main__.py")
    }
    rooms = [room.relative_to(HOUSE).as_posix() for room in [*ROOMS, *STOREYS]]
    there = {f"tests/{path.name}" for path in (ROOT / "tests").glob("test_*.py")}
    there |= {name_of(path) for room in rooms for path in (ROOT / "tests" / room).glob("test_*.py")}
    of_the_whole = {f"tests/test_{name}.py" for name in ("house", "docs", "findings", "locks", "package", "work")}
    check("every module has its test file", sorted(wanted - there))
    check("every test file has its module", sorted(there - wanted - of_the_whole))


def test_no_inline_callbacks() -> None:
    check(
        "async def, please",
        [f"{name_of(path)}:{line}" for path in MODULES for _, name, line in imports(path) if name == "inlineCallbacks"],
    )


LANE = "bulkmail/delivery/lane/"
# What changes a set or a queue in place.
CHANGES = {"add", "append", "appendleft", "clear", "discard", "extend", "extendleft", "pop", "popleft", "remove"}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def import_graph() -> dict[str, set[str]]:
    """Each module of the house with the modules of the house that it imports, wherever the import stands."""
    names = {module_name(path) for path in MODULES}
    graph = {}
    for path in MODULES:
        found = {module if f"{module}.{name}" not in names else f"{module}.{name}" for module, name, _ in imports(path)}
        graph[module_name(path)] = (found & names) - {module_name(path)}
    return graph


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """The sets of modules that reach each other (strongly connected components of more than one module)."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for module in graph[waiting.pop()] - seen:
                seen.add(module)
                waiting.append(module)
        return seen

    reach = {module: reached(module) for module in graph}
    found = {frozenset(other for other in reach[module] if module in reach[other]) for module in graph}
    return sorted((set(circle) for circle in found if circle), key=sorted)


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"d"}}) == [{"b", "c"}, {"d"}]


def test_no_circles_of_modules() -> None:
    check(
        "modules do not import each other in a circle, not even under TYPE_CHECKING",
        [", ".join(sorted(circle)) for circle in circles(import_graph())],
    )


def lane_writes(path: Path) -> Iterator[int]:
    """The lines that set an attribute of a lane, at any depth, or change one of its collections in place."""

    def of_a_lane(node: ast.expr) -> bool:
        while isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
            if (isinstance(node, ast.Attribute) and node.attr == "lane") or dotted(node) == "lane":
                return True
        return False

    for node in nodes_of(path):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets = [node.target]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGES:
            targets = [node.func.value]
        yield from (target.lineno for target in targets if isinstance(target, ast.Attribute) and of_a_lane(target))


def test_only_a_lane_writes_a_lane() -> None:
    check(
        "a lane's attributes are set by the lane alone",
        [
            f"{name_of(path)}:{line}"
            for path in MODULES
            if not name_of(path).startswith(LANE)
            for line in lane_writes(path)
        ],
    )
