"""The preview as one page for the browser: each message as a wide and as a narrow screen shows it, and its text.

What the campaign's author wrote is shown in frames that may run no script, open no window and send no form.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from bulkmail.preflight.specimen import Specimen

WIDTHS = (600, 375)
"""Pixels: the usual width of a newsletter, and of a telephone."""

_HEIGHT = 760
_POLICY = "default-src 'none'; img-src http: https: data:; style-src 'unsafe-inline'; font-src https:; frame-src 'self'"
_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 1480px; padding: 24px; }
h1 { font-size: 20px; } h2 { font-size: 18px; margin: 0 0 8px; }
article { border-top: 1px solid #8886; padding: 24px 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; margin: 0 0 16px; }
dt { opacity: .7; } dd { margin: 0; overflow-wrap: anywhere; } .subject { font-weight: 600; }
.shown { display: flex; flex-wrap: wrap; gap: 16px; align-items: flex-start; }
figure { margin: 0; max-width: 100%; } figcaption { font-size: 13px; opacity: .7; padding-bottom: 4px; }
iframe { background: #fff; border: 1px solid #8886; max-width: 100%; resize: vertical; }
.error { color: #b3261e; }
"""
_TEXT = '<pre style="font: 14px/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere">{}</pre>'


def preview_page(name: str, shown: Sequence[tuple[str, Specimen | str]]) -> str:
    """Return the page of a campaign called ``name``; ``shown``: a heading for each row, and its message or error."""
    articles = "\n".join(_article(heading, one) for heading, one in shown)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Preview of {escape(name)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>Preview of {escape(name)}: nothing was sent</h1>\n{articles}\n</body>\n</html>\n"
    )


def _article(heading: str, one: Specimen | str) -> str:
    top = f"<article>\n<h2>{escape(heading)}</h2>\n"
    if isinstance(one, str):
        return f'{top}<p class="error">{escape(one)}</p>\n</article>'
    fields = [
        ("Subject", one.subject, ' class="subject"'),
        ("From", one.field("From"), ""),
        ("To", one.field("To"), ""),
    ]
    if one.return_path:
        fields.append(("Return path", one.return_path, ""))
    if one.attachments:
        fields.append(("Attached", ", ".join(one.attachments), ""))
    rows = "".join(f"<dt>{name}</dt><dd{more}>{escape(value)}</dd>" for name, value, more in fields)
    frames = [] if one.html is None else [_frame(f"HTML, {width} px", width, one.html) for width in WIDTHS]
    if one.text is not None:
        frames += [_frame(f"Text, {width} px", width, _TEXT.format(escape(one.text))) for width in WIDTHS]
    return f'{top}<dl>{rows}</dl>\n<div class="shown">\n{"".join(frames)}</div>\n</article>'


def _frame(caption: str, width: int, document: str) -> str:
    return (
        f'<figure><figcaption>{caption}</figcaption><iframe sandbox title="{caption}" width="{width}" '
        f'height="{_HEIGHT}" srcdoc="{escape(document, quote=True)}"></iframe></figure>\n'
    )
