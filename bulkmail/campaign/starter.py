"""The files of a campaign to start from: campaign.yaml with every key that there is, templates and an example list.

campaign.yaml is made from the model, so that no key is forgotten: what `Campaign` says of a key is the remark above
it. The optional keys are commented out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from bulkmail.campaign.files import CAMPAIGN_FILE
from bulkmail.campaign.load import schema
from bulkmail.campaign.model import Campaign
from bulkmail.yamlfile import Section, flow

SCHEMA_FILE = "campaign.schema.json"
EXAMPLES = ("body.html.j2", "body.txt.j2", "recipients.csv")

_GIVEN = frozenset({"unsubscribe", "defaults"})  # optional keys that the example uses
INVENTED = "The people in recipients.csv are invented. Put your own list in its place"
_HEAD = """\
# yaml-language-server: $schema={schema}

# A campaign: this file, with the templates and the list beside it. What to do next, from the folder around this one:
#
#   bulkmail check {name}
#   bulkmail preview {name} --open
#   bulkmail rehearse {name}
#   bulkmail test {name} --to YOUR-ADDRESS
#   bulkmail send {name}
#
# {invented}: the column `email` must be there, and every
# other column can be printed, {{{{ first_name }}}} in a template.
# A key behind a # is off; take the # away to use it.
"""


def starter_files(name: str) -> dict[str, bytes]:
    """Return the files of a new campaign called ``name``, by file name, in UTF-8. ``name`` is an allowed one."""
    example = files("bulkmail.campaign").joinpath("example")
    return {
        CAMPAIGN_FILE: campaign_yaml(name).encode(),
        SCHEMA_FILE: json.dumps(schema(), indent=1).encode() + b"\n",
        **{file: example.joinpath(file).read_bytes() for file in EXAMPLES},
    }


def campaign_yaml(name: str) -> str:
    """Return the text of campaign.yaml for a campaign called ``name``."""
    values = {"name": name, "subject": "Hello {{ first_name }}, spring is here"}
    blocks = [_HEAD.format(schema=SCHEMA_FILE, name=name, invented=INVENTED)]
    for field, known in Campaign.model_fields.items():
        key = known.alias or field
        blocks.append("\n".join(_block(key, known, values.get(key))) + "\n")
    return "\n".join(blocks)


def _block(key: str, known: FieldInfo, value: Any) -> Iterator[str]:
    """Yield the lines of one key: its remark, and an example, commented out where the key is optional."""
    off = "" if known.is_required() or key in _GIVEN else "# "
    words = known.description or ""
    yield f"# {words[:1].upper()}{words[1:]}."
    section, alone = _section(known.annotation)
    if not alone:
        yield f"{off}{key}: {flow(_example(known) if value is None else value)}"
        off = "# "
        for other in (known.examples or ())[1:]:
            yield f"# {key}: {flow(other)}"
    if section is not None:
        yield f"{off}{key}:"
        lines = [(f"{off}  {line}", remark) for line, remark in _inner(section)]
        width = max(len(line) for line, _ in lines)
        yield from (f"{line:{width}}  # {remark}" for line, remark in lines)


def _inner(section: type[Section]) -> Iterator[tuple[str, str]]:
    """Yield each key of a section with its example, and its remark; below a key that is a section those of this one."""
    for field, known in section.model_fields.items():
        inner, _ = _section(known.annotation)
        if inner is None:
            yield f"{known.alias or field}: {flow(_example(known))}", known.description or ""
        else:
            yield f"{known.alias or field}:", known.description or ""
            yield from ((f"  {line}", remark) for line, remark in _inner(inner))


def _example(known: FieldInfo) -> Any:
    return known.examples[0] if known.examples else known.default


def _section(annotation: Any) -> tuple[type[Section] | None, bool]:
    """Return the section that a key may hold, and whether it can hold nothing else."""
    if isinstance(annotation, type):
        return (annotation, True) if issubclass(annotation, Section) else (None, False)
    if get_origin(annotation) not in (Union, UnionType):
        return None, False
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
    sections = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section)]
    return (sections[0], len(kinds) == 1) if sections else (None, False)
