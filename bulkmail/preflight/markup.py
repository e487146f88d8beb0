"""What is odd about a letter's HTML: pictures, links, hidden text, marks of templates, what mail programs do not show.

A letter has some hundred tags, and nearly all of them are the same in every row. So each different tag is judged once
and remembered; hidden text, which depends on what stands around it, is looked for once for each set of hiding tags.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from html import unescape
from html.parser import HTMLParser
from urllib.parse import urlsplit

from bulkmail.preflight.kinds import Kind, error, warning
from bulkmail.preflight.marks import marks_in

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_TAG = re.compile(r"<[a-zA-Z](?:[^\"'>]++|\"[^\"]{0,20000}+\"|'[^']{0,20000}+')*+>")
_ADDRESS_BEHIND = re.compile(  # a cheap look for what `_SHOWN_ADDRESS` finds
    r"[^>]*>\s*(?:https?://|www\.|[\w-]+(?:\.[\w-]+)*\.[a-z]{2,4}[\s/]*)", re.IGNORECASE
).match
_SHOWN_ADDRESS = re.compile(
    r"(<a\s[^>]{1,4000}>)(?:\s|<(?!/?a\b)[^>]{0,4000}>){0,20}"
    r"((?:https?://|www\.)[^\s<>\"]+|[\w-]+(?:\.[\w-]+)*\.(?:com|net|org|de|fr|it|es|nl|uk|eu|info|io|shop|ch|at|be)"
    r"(?:/[^\s<>\"]*)?)\s*<",
    re.IGNORECASE,
)
_ANYTHING = re.compile(  # a picture, or text that is not invisible
    r"<img\b|>(?:\s|&(?:nbsp|zwnj|zwj|shy|#160|#8203);|[\u200b-\u200d\u2060\ufeff\xad])*+[^<]", re.IGNORECASE
)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE).match
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0|opacity\s*:\s*0(?![.\d])|max-height\s*:\s*0",
    re.IGNORECASE,
).search
_FINE = frozenset({"https", "mailto", "tel", "sms", "whatsapp", "webcal", "geo", "maps", "facetime"})
_NOT_SHOWN = {
    "form": "most mail programs do not send a form",
    "script": "no mail program runs a script, and filters take a letter with one for an attack",
    "iframe": "mail programs show nothing in its place",
    "object": "mail programs show nothing in its place",
    "embed": "mail programs show nothing in its place",
    "applet": "mail programs show nothing in its place",
    "base": "mail programs drop it, and links without their host lead nowhere",
    "meta": "it sends the reader to another page",
    "link": "mail programs load no style sheets; put the styles into a <style> element or into style attributes",
}
_PIECES = 20_000  # different ones that are remembered
_HIDDEN_ONCE = 300
_PREVIEW = 250  # characters of hidden text that may be the line a mailbox shows behind the subject
_CODE = ("style", "script")  # what stands behind these tags is no text
_VOID = frozenset({"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})

Attributes = Mapping[str, str | None]


class MarkupCheck:
    """Judges the HTML of one campaign's letters, one after the other.

    The HTML is cut at each ``<``: a piece is a tag and the text behind it.
    """

    def __init__(self) -> None:
        self._pieces: dict[str, tuple[Kind, ...]] = {}  # those that something is odd about
        self._fine: set[str] = set()
        self._hiding: set[str] = set()
        self._addresses: set[str] = set()  # whose text is one
        self._hidden: dict[frozenset[str], tuple[Kind, ...]] = {}

    def kinds(self, html: str, token: str, pictures: Collection[str] = ()) -> list[Kind]:
        """Return what is odd about it; ``token`` is the recipient's, which makes no difference.

        ``pictures``: the Content-IDs of those that come with the message, the same in all of them.
        """
        html = html.replace(token, "TOKEN")
        if "<!--" in html:
            html = _COMMENT.sub("", html)
        pieces = set(html.split("<"))
        found: dict[Kind, None] = {}
        for piece in pieces - self._fine:
            for kind in self._piece(piece, html, pictures):
                found[kind] = None
        if not self._hiding.isdisjoint(pieces):
            for kind in self._hidden_text(pieces & self._hiding, html):
                found[kind] = None
        if not self._addresses.isdisjoint(pieces):
            for kind in _other_addresses(html):
                found[kind] = None
        for kind in _empty(html):
            found[kind] = None
        return list(found)

    def _piece(self, piece: str, html: str, pictures: Collection[str]) -> tuple[Kind, ...]:
        known = self._pieces.get(piece)
        if known is not None:
            return known
        tag = _TAG.match(f"<{piece}")
        if tag is None and piece[:1].isalpha():  # an attribute has a < in it
            tag = _TAG.search(html, html.find(f"<{piece}"))
        text = "" if tag is None else tag[0]
        known = tuple(_judge(text, pictures)) if text else ()
        if not piece.lower().startswith(_CODE):
            known += tuple(marks_in("html", piece))
        hides = "style" in text and _HIDDEN(text) is not None
        shows = _ADDRESS_BEHIND(piece) is not None
        if len(self._pieces) + len(self._fine) < _PIECES:
            if hides:
                self._hiding.add(piece)
            if shows:
                self._addresses.add(piece)
            if known:
                self._pieces[piece] = known
            else:
                self._fine.add(piece)
        return known

    def _hidden_text(self, hiding: set[str], html: str) -> tuple[Kind, ...]:
        key = frozenset(hiding)
        known = self._hidden.get(key)
        if known is None:
            if len(self._hidden) >= _HIDDEN_ONCE:
                return ()
            known = self._hidden[key] = tuple(_hidden(html))
        return known


class _One(HTMLParser):
    """Reads one tag."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.name = ""
        self.attributes: dict[str, str | None] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.name = tag
        self.attributes = dict(attrs)


def _judge(tag: str, pictures: Collection[str]) -> Iterator[Kind]:
    name = re.split(r"[\s/>]", tag[1:], maxsplit=1)[0].lower()
    if name not in _JUDGED:
        return
    parser = _One()
    parser.feed(tag)
    source = (parser.attributes.get("src") or "").strip()
    if name == "img" and source[:4].lower() == "cid:" and source[4:] in pictures:
        yield from _without_alt(source, parser.attributes)
    elif parser.name == name:
        yield from _JUDGED[name](name, parser.attributes)


def _picture(_name: str, attributes: Attributes) -> Iterator[Kind]:
    source = (attributes.get("src") or "").strip()
    shown = _short(source)
    if not source:
        yield error("picture-unseen", "html", "an <img> has no src, so that there is no picture", "give it its address")
    else:
        scheme = urlsplit_scheme(source)
        if scheme == "http":
            words = f"the picture `{shown}` is not loaded by https, and many mail programs do not show it"
            yield warning("picture-not-https", "html", words, "put it where https serves it")
        elif scheme == "data":
            words = "a picture stands in the letter itself (data:), and Gmail and Outlook do not show it"
            yield warning("picture-unseen", "html", words, "put it on a web server and name its https address")
        elif scheme != "https":
            why = "is no address of the web"
            if scheme == "cid":
                why = "refers to an attached picture, and there is none"
            words = f"the picture `{shown}` {why}, so recipients do not see it"
            yield error("picture-unseen", "html", words, "put it on a web server and name its https address")
    yield from _without_alt(source, attributes)


def _without_alt(source: str, attributes: Attributes) -> Iterator[Kind]:
    tiny = {(attributes.get(side) or "").strip().removesuffix("px") for side in ("width", "height")} & {"0", "1", "2"}
    if "alt" not in attributes and not tiny and attributes.get("aria-hidden") != "true":
        words = f"the picture `{_short(source)}` has no alt text; where pictures are not loaded, nothing stands there"
        yield warning("picture-without-alt", "html", words, 'write alt="..." (alt="" where it is decoration)')


def _link(_name: str, attributes: Attributes) -> Iterator[Kind]:
    if "href" not in attributes:
        return  # the aim of a link within the letter
    href = (attributes["href"] or "").strip()
    shown = _short(href)
    scheme = urlsplit_scheme(href)
    if not href or href == "#":
        yield warning("link-empty", "html", "a link leads nowhere", "give it its address")
    elif href.startswith("#") or scheme in _FINE:
        if scheme == "https" and not urlsplit_host(href):
            yield error("link-broken", "html", f"the link `{shown}` has no host", "write the whole address")
    elif scheme == "http":
        words = f"the link `{shown}` is not https"
        yield warning("link-not-https", "html", words, "name the https address")
    elif scheme in ("javascript", "vbscript", "data", "file"):
        words = f"the link `{shown}` works in no mail program, and filters take it for an attack"
        yield error("link-broken", "html", words, "name an https address")
    elif not scheme:
        words = f"the link `{shown}` is no whole address, so it leads nowhere from a mailbox"
        yield error("link-broken", "html", words, "write it with https:// and its host")


def _not_shown(name: str, attributes: Attributes) -> Iterator[Kind]:
    if name == "meta" and (attributes.get("http-equiv") or "").lower() != "refresh":
        return
    if name == "link" and "stylesheet" not in (attributes.get("rel") or "").lower():
        return
    if name == "link" and "font" in (attributes.get("href") or "").lower():
        return  # a font that is not loaded is replaced by another
    yield warning("not-shown", "html", f"there is a <{name}> element: {_NOT_SHOWN[name]}", "take it out")


_JUDGED: dict[str, Callable[[str, Attributes], Iterator[Kind]]] = {
    "img": _picture,
    "a": _link,
    "area": _link,
    **dict.fromkeys(_NOT_SHOWN, _not_shown),
}


def urlsplit_scheme(url: str) -> str:
    """Return the scheme of a URL in lower case; "" where it has none."""
    found = _SCHEME(url)
    return "" if found is None else found[0][:-1].lower()


def urlsplit_host(url: str) -> str:
    """Return the host of a URL in lower case, without ``www.``; "" where it has none."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    return host.lower().removeprefix("www.")


def _other_addresses(html: str) -> Iterator[Kind]:
    """Links whose text is an address that they do not lead to."""
    for tag, shown in _SHOWN_ADDRESS.findall(html):
        parser = _One()
        parser.feed(tag)
        href = (parser.attributes.get("href") or "").strip()
        if urlsplit_scheme(href) not in ("http", "https"):
            continue
        text = unescape(shown)
        one, other = urlsplit_host(text if "://" in text else f"https://{text}"), urlsplit_host(href)
        if one and other and one != other and not one.endswith(f".{other}") and not other.endswith(f".{one}"):
            words = f"a link shows `{_short(text)}` and leads to `{_short(other)}`, as in a fraud"
            yield warning("link-shows-another", "html", words, "show words, or the address that it leads to")


def _empty(html: str) -> Iterator[Kind]:
    at = max(html.find("<body"), html.find("<BODY"), 0)
    if not _ANYTHING.search(f">{html[at:]}<"):
        yield error("empty-letter", "html", "nothing stands in the letter", "write it, or correct what it is made from")


class _HiddenText(HTMLParser):
    """Collects the text of elements that are not shown."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._open: list[tuple[str, bool]] = []  # the elements that are open: name, and whether hidden
        self._depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _VOID:
            return
        given = dict(attrs)
        hidden = "hidden" in given or _HIDDEN(given.get("style") or "") is not None
        self._open.append((tag, hidden))
        self._depth += hidden

    def handle_endtag(self, tag: str) -> None:
        if all(name != tag for name, _ in self._open):
            return
        while True:
            name, hidden = self._open.pop()
            self._depth -= hidden
            if name == tag:
                return

    def handle_data(self, data: str) -> None:
        if self._depth and self._open[-1][0] not in ("style", "script"):
            self.pieces.append(data)


def _hidden(html: str) -> Iterator[Kind]:
    parser = _HiddenText()
    parser.feed(html)
    text = " ".join("".join(filter(_visible, " ".join(parser.pieces))).split())
    if len(text) > _PREVIEW:
        words = f"{len(text):,} characters of text are hidden (`{text[:40]}…`), which filters take for a trick"
        yield warning("hidden-text", "html", words, "keep hidden text to one preview line, or show it")


def _visible(character: str) -> bool:
    return character.isprintable() or character.isspace()


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"
