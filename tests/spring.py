"""A campaign that is as small as one can be: one person, one template in plain text."""

from __future__ import annotations

from pathlib import Path

YAML = """\
name: spring
from: "Example Shop <news@example.com>"
subject: "Hi {{ first_name }}"
template: {text: body.txt.j2}
recipients: recipients.csv
"""


def write_spring(parent: Path) -> None:
    """Write it into the folder ``spring`` in ``parent``."""
    folder = parent / "spring"
    folder.mkdir()
    (folder / "campaign.yaml").write_text(YAML)
    (folder / "body.txt.j2").write_text("Hello {{ first_name }}\n")
    (folder / "recipients.csv").write_text("email,first_name\na@example.org,Ann\n")
