from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import bulkmail
from bulkmail import exit_status

NAMES = ("DONE", "REFUSED", "USAGE", "STOPPED")


def test_the_statuses_are_those_of_the_docs():
    assert [getattr(exit_status, name) for name in NAMES] == [0, 1, 2, 3]


def test_no_other_module_has_a_status_of_its_own():
    found = [
        f"{path}:{node.lineno}"
        for path in Path(bulkmail.__file__).parent.rglob("*.py")
        if path.name != "exit_status.py"
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.Assign) and re.fullmatch(r"\(?\d(, \d)*\)?", ast.unparse(node.value))
        for target in node.targets
        for name in ast.walk(target)
        if isinstance(name, ast.Name) and name.id in (*NAMES, "FINISHED")
    ]
    assert not found


def test_it_imports_nothing_of_the_house():
    code = "import sys, bulkmail.exit_status; print([n for n in sys.modules if n.startswith('bulkmail.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['bulkmail.exit_status']"
