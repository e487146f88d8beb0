"""A campaign's subject as one recipient sees it, for people to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jinja2 import TemplateError

from bulkmail.content.rows import Columns
from bulkmail.content.templates import RowError, TemplateSet


def subject_for(
    subject: str, columns: Sequence[str], defaults: Mapping[str, str], cells: Sequence[str], **ours: str
) -> str:
    """Return the subject rendered for a row with these cells, in one line; as it is written where that fails.

    ``ours``: ``email`` and ``token``. The row must be one whose message was composed: a template may be endless.
    """
    try:
        variables = Columns(columns, defaults).variables(cells) | ours
        return " ".join(TemplateSet({}, html=False).text(subject, "subject").render(variables).split())
    except (RowError, TemplateError):
        return subject
