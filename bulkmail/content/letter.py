"""What ``html:`` of campaign.yaml does to the HTML templates, once for a campaign: a preheader, pictures, style sheets.

A picture of the folder becomes a part of each message (RFC 2392, RFC 2387), named by its content. The preheader is what
an inbox shows behind the subject: a text at the beginning of the body that the letter itself does not show.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from html import escape
from typing import Any, NamedTuple

from jinja2 import Environment, TemplateSyntaxError

from bulkmail.content.inlining import inlined
from bulkmail.content.markup import placed_tokens
from bulkmail.content.mime import Part, inline_picture
from bulkmail.content.pictures import file_of, folder_pictures, named_pictures
from bulkmail.content.shield import restored, signed
from bulkmail.content.templates import TemplateSet

_HIDING = "display:none;font-size:1px;line-height:1px;max-height:0;max-width:0;opacity:0;overflow:hidden;mso-hide:all"
_FILLING = "&#8199;&#65279;&#847; " * 60  # so that an inbox shows nothing of the letter behind it


class Letter(NamedTuple):
    """A campaign's HTML templates as they are rendered, by file name.

    ``reason``: why each letter is to be inlined; "" where that is done, or not wanted. ``pictures``: the parts that
    each message carries.
    """

    files: dict[str, str]
    reason: str
    pictures: list[Part]


def prepared_letter(content: Mapping[str, Any], environment: Environment) -> Letter:
    """Return what becomes of a campaign's HTML."""
    name = content["html_name"]
    files = {**content["includes"], name: content["html"]}
    wanted = content.get("letter")
    if not wanted:
        return Letter(files, "", [])
    ids = {picture: content_id(data, content["from"]) for picture, data in wanted["pictures"]}
    pictures = {ids[picture]: inline_picture(picture, data, ids[picture]) for picture, data in wanted["pictures"]}
    if pictures:
        files = {file: _with_pictures(environment, source, ids) for file, source in files.items()}
    if wanted["preheader"]:
        files[name] = _with_preheader(environment, files[name], wanted["preheader"])
    reason = ""
    if wanted["inline_css"]:
        files[name], reason = inlined(environment, files[name])
    return Letter(files, reason, list(pictures.values()))


def pictures_in(content: Mapping[str, Any]) -> list[str]:
    """Return the files of the folder that a campaign's HTML shows as pictures, each once."""
    environment = TemplateSet({}, html=True).environment
    found: dict[str, None] = {}
    for name, source in {**content["includes"], content["html_name"]: content["html"]}.items():
        if name != content["text_name"]:
            with suppress(TemplateSyntaxError):  # told by the check of the templates
                found.update(dict.fromkeys(folder_pictures(environment, source)))
    return list(found)


def reason_for_letters(content: Mapping[str, Any]) -> str:
    """Return why each letter is to be inlined when it is composed; "" where the template is, or nothing."""
    if content["html"] is None or not content.get("letter"):
        return ""
    return prepared_letter(content, TemplateSet({}, html=True).environment).reason


def content_id(data: bytes, sender: str) -> str:
    """Return the name of a picture in all messages of a sender, without its angle brackets."""
    return f"{sha256(data).hexdigest()[:24]}@{sender.rpartition('@')[2].rstrip('> ')}"


def _with_pictures(environment: Environment, source: str, ids: Mapping[str, str]) -> str:
    text, tags = signed(environment, source)
    pieces: list[str] = []
    done = 0
    for at, end, value in named_pictures(text):
        if (identity := ids.get(file_of(value))) is not None:
            quote = "" if text[at - 1] in "\"'" else '"'
            pieces += text[done:at], f"{quote}cid:{identity}{quote}"
            done = end
    return restored("".join([*pieces, text[done:]]), tags) if pieces else source


def _with_preheader(environment: Environment, source: str, preheader: str) -> str:
    """Return the source with a hidden text where its body begins. ``preheader``: a template, as the subject is."""
    text, tags = signed(environment, source)
    at = next((end for token, _at, end in placed_tokens(text) if token[:2] == ("start", "body")), 0)
    words, inside = signed(environment, preheader)
    shown = f'<div style="{_HIDING}">{restored(escape(words, quote=False), inside)}{_FILLING}</div>'
    return restored(text[:at], tags) + shown + restored(text[at:], tags)
