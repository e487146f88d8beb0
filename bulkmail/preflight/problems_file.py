"""PROBLEMS.txt in a campaign's folder: what must be corrected, for the person who wrote the campaign.

It is there only while something is wrong, and is removed when nothing is.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Sequence

from bulkmail.files import Folder
from bulkmail.preflight.findings import Finding, Severity

PROBLEMS_FILE = "PROBLEMS.txt"

_ASIDE = ".PROBLEMS.txt.new"


def write_problems(folder: Folder, name: str, findings: Sequence[Finding]) -> None:
    """Write the file where one of ``findings`` is an error, remove it where none is. Raises OSError."""
    errors = [finding for finding in findings if finding.severity == Severity.ERROR]
    if not errors:
        with contextlib.suppress(FileNotFoundError):
            folder.unlink(PROBLEMS_FILE)
        return
    warnings = [finding for finding in findings if finding.severity == Severity.WARNING]
    count = "One thing is" if len(errors) == 1 else f"{len(errors)} things are"
    lines = [f"{name} cannot be sent as it is: {count} wrong with it.", "", *(f"- {error}" for error in errors)]
    if warnings:
        lines += ["", "Look at these too; they do not keep it from being sent:", "", *(f"- {one}" for one in warnings)]
    lines += ["", f"Correct this, and check it again with: bulkmail check {shlex.quote(folder.path)}", ""]
    with os.fdopen(folder.create(_ASIDE, 0o644), "wb") as file:
        file.write("\n".join(lines).encode("utf-8", "replace"))
    folder.rename(_ASIDE, PROBLEMS_FILE)
