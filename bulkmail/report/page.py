"""index.html: the report for people. One file, no script, nothing fetched from anywhere.

Every value in it is hostile until escaped: names of folders and domains, subjects, replies. Jinja2 escapes all of
them, and the page's own policy allows nothing but its inline style.
"""

from __future__ import annotations

import os

from bulkmail.report.facts import Facts
from bulkmail.report.files import ReportFile, write_text
from bulkmail.report.tally import Stats
from bulkmail.report.view import view

_TEMPLATES = os.path.join(os.path.dirname(__file__), "templates")


def page(facts: Facts, stats: Stats) -> str:
    """Return the page as HTML."""
    from bulkmail.page_templates import page_template  # noqa: PLC0415 - Jinja2, for the one process that writes pages

    return page_template(_TEMPLATES, "index.html.j2").render(view(facts, stats))


def write_page(file: ReportFile, facts: Facts, stats: Stats) -> None:
    """Write the page aside and rename it. Raises OwnFault."""
    write_text(file, page(facts, stats))
