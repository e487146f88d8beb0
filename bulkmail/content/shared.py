"""Whether a campaign's message is the same for all recipients, to the byte.

Then it is composed and signed once, has one Message-ID and one Date, and goes to many recipients in one transaction.
"""

from __future__ import annotations

from typing import Any

from jinja2 import TemplateSyntaxError
from jinja2.meta import find_undeclared_variables

from bulkmail.content.linking import utm_values
from bulkmail.content.rows import Columns
from bulkmail.content.templates import TemplateSet


def same_for_all(content: dict[str, Any]) -> bool:
    """Return whether To is given and nothing printed anywhere depends on the row.

    A mailto address for unsubscribing always does: its subject has the token. So does an invitation: it names whom it
    is for.
    """
    unsubscribe = content["unsubscribe"] or {}
    own = any(content.get(key) for key in ("locales", "variants", "invitation"))
    if not content.get("to") or unsubscribe.get("mailto") or own:
        return False
    environment = TemplateSet({}, html=False).environment
    constant = {"campaign", "unsubscribe_url", *environment.globals}
    environment.globals.clear()  # else Jinja2 does not name them, and a column of that name is seen instead
    for columns in content["columns"]:
        constant -= Columns(columns, content["defaults"]).names
    constant |= {"locale", "dir"} if content.get("locale") else set()
    sources = [content["subject"], *content["headers"].values(), *content["includes"].values()]
    sources += [source for _, source in (content.get("row_attachments") or {"names": []})["names"]]
    preheader = (content.get("letter") or {}).get("preheader")
    sources += [source for _, source in utm_values(content)]
    sources += [source for source in (unsubscribe.get("url"), content["html"], content["text"], preheader) if source]
    try:
        return all(find_undeclared_variables(environment.parse(source)) <= constant for source in sources)
    except TemplateSyntaxError:
        return False
