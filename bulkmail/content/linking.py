"""What ``links:`` of campaign.yaml does to the links of a campaign's templates.

A link that is a text is changed once, in the template. One with a template's own tags in it is changed when it is
printed, for only then it is known where its query ends: a filter stands round it. Left as they are: links that
unsubscribe, links to no page (mailto:, tel:), and those in a row's own HTML (``|safe``).

The links of HTML are those that a reader can follow: ``href`` of ``<a>``, ``<area>``, and of the shapes that Outlook
draws buttons with, in its conditional comments. In a text they are what mail programs take for one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from jinja2 import Environment, TemplateSyntaxError, pass_context
from jinja2.meta import find_undeclared_variables

from bulkmail.content.links import WEB, encoded, may_be_tagged, tagged, tagged_in_html
from bulkmail.content.locales import each_letter
from bulkmail.content.markup import attribute_value, placed_tokens, written_attributes
from bulkmail.content.plaintext import plain_text
from bulkmail.content.shield import OPEN, SIGN, SIGNED, balanced, restored, signed
from bulkmail.content.templates import CompiledTemplate, TemplateSet
from bulkmail.mail import MOST_TARGET, click_path, link_id, quoted_target

_FOLLOWED = frozenset({"a", "area", "v:rect", "v:roundrect", "v:oval", "v:shape"})
_CONDITIONAL = re.compile(r"\[if\b[^\]]*\]>", re.IGNORECASE)
# Quotation marks (an apostrophe is none), and the punctuation of East Asia, which has no blank behind it, end a URL
_ENDS = "\u00ab\u00bb\u201a-\u201f\u2026\u2039\u203a\u3000-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40"
_IN_TEXT = re.compile(rf"(?<![\w@.])https?://(?:{SIGNED}|[^\s<>\"\\^`{{|}}{_ENDS}\ufdd0-\ufdd3])+", re.IGNORECASE)
_ALONE = re.compile(rf"(?:(?<=[\s(<\[\"'{_ENDS}])|\A)({SIGNED})(?=[\s)>\].,;\"'{_ENDS}]|[!?:]+(?:\s|\Z)|\Z)")
_BEHIND = ".,;:!?'\"*_\u2018\u2019"
_CLOSING = {")": "(", "]": "["}
_UNSUBSCRIBE_URL = re.compile(r"\bunsubscribe_url\b")
_SPACE = re.compile(r"\s+")
_CALLED_LINK = re.compile("url|link|href", re.IGNORECASE)
_OWN_SCOPE = re.compile(r"\{%[-+]?\s*(?:set|block|extends|include|import|from|macro|call)\b")
_LONGEST_LABEL, _REMEMBERED = 200, 1000
_ADDED, _PRINTED = "bulkmail_added", "bulkmail_link"


Convert = Callable[[str], str]
Change = Callable[[str, Mapping[str, str]], str]


class Left(NamedTuple):
    """A link that cannot be changed, and why."""

    file: str
    line: int
    column: int
    words: str


class Linking:
    """Changes the links of one content's templates. Nothing where it has no ``links``; `on` says so."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        wanted: Mapping[str, Any] = content.get("links") or {}
        values: Mapping[str, str] = wanted.get("utm") or {}
        # A test message's token stands for no row, so its links stay as they are
        self._clicks: str = "" if content.get("token_mark") else wanted.get("clicks") or ""
        self._key: bytes = content["key"]
        self._variant = f"-{content['variant']}" if content.get("variant") else ""
        self._token = ""
        self._targets: dict[str, str] = {}
        self._made: dict[tuple[str, str], str] = {}  # of this row: HTML and text have the same links
        self.names: dict[str, str] = {}
        """The links that are counted, by id."""
        self.on = bool(values or self._clicks)
        self.changed = 0
        """How many links were changed, or will be when they are printed."""
        self.left: list[Left] = []
        self.file = ""
        """Whose links are looked at, for `left`."""
        self._set = TemplateSet({}, html=False, locale=content.get("locale") or "en")
        self._environment: Environment = self._set.environment
        self._unsubscribe = _SPACE.sub("", (content["unsubscribe"] or {}).get("url") or "")
        self._now: dict[str, str] = {}  # by parameter, of this row
        self._own_unsubscribe = ""
        self._varying: dict[str, CompiledTemplate] = {}
        self._parameters: dict[str, str] = {}
        for name, source in values.items():
            compiled = self._set.text(source, f"links.utm.{name.removeprefix('utm_')}")
            if is_constant(self._environment, source):
                value = encoded(compiled.render({**self._set.globals, "campaign": content["name"]}))
                self._now[name] = self._parameters[name] = value
            else:
                self._varying[name] = compiled
                self._parameters[name] = f"{{{{ '{name}'|{_ADDED} }}}}"

    @property
    def of_html(self) -> Convert | None:
        """What a set of HTML templates is to convert each file with."""
        return self.in_html if self.on else None

    @property
    def of_text(self) -> Convert | None:
        """The same for a set of text templates."""
        return self.in_text if self.on else None

    def after(self, convert: Convert) -> Convert:
        """Return what converts a file by ``convert`` and then changes the links of the text that this gives."""
        return (lambda source: self.in_text(convert(source))) if self.on else convert

    def html_set(self, templates: TemplateSet) -> TemplateSet:
        """Give a set of HTML templates the filters that its changed links use."""
        return self._with_filters(templates, tagged_in_html)

    def text_set(self, templates: TemplateSet) -> TemplateSet:
        """Give a set of text templates the filters that its changed links use."""
        return self._with_filters(templates, tagged)

    def _with_filters(self, templates: TemplateSet, change: Change) -> TemplateSet:
        if not self.on:
            return templates

        @pass_context  # else Jinja2 takes what it gives for the first row for a constant
        def added(_context: Any, name: str) -> str:
            return self._now[name]

        @pass_context
        def link(_context: Any, url: object, link: str = "") -> str:
            return self._printed(str(url), change, link)

        templates.environment.filters.update({_ADDED: added, _PRINTED: link})
        return templates

    def begin(self, variables: Mapping[str, Any], token: str) -> None:
        """Take the values of the next row, and its token. Raises RowError."""
        self._token = token
        self._made.clear()
        for name, source in self._varying.items():
            self._now[name] = encoded(source.render({**variables}))
        self._own_unsubscribe = str(variables.get("unsubscribe_url", ""))

    def _printed(self, url: str, change: Change, link: str) -> str:
        quoted = self._targets.get(url)
        if quoted is None:
            if WEB.match(url) is None:
                return url
            if self._own_unsubscribe and attribute_value(url).strip() == self._own_unsubscribe:
                return url
            new = change(url, self._now)
            target = attribute_value(new) if change is tagged_in_html else new
            quoted = quoted_target(target.strip()) if self._clicks and may_be_tagged(target) else ""
            if not quoted or len(quoted) > MOST_TARGET:
                return new
            if not self._varying and len(self._targets) < _REMEMBERED:
                self._targets[url] = quoted
        made = self._made.get((link, quoted))
        if made is None:
            path = click_path(self._key, self._token, link + self._variant, quoted)
            made = self._made[link, quoted] = self._clicks + path
        return made

    def _around(self, raw: str, source: str, *, sure: bool = True) -> str:
        """Return a link in the filter that changes it when it is printed. ``source``: how the template has it.

        Not ``sure``: what is printed may be no link.
        """
        label = _SPACE.sub("", source)[:_LONGEST_LABEL]
        argument = ""
        if self._clicks:
            identity = link_id(label)
            self.names.update({identity: label} if sure else {})
            argument = f"('{identity}')"
        self.changed += sure
        return f"{{% filter {_PRINTED}{argument} %}}{raw}{{% endfilter %}}"

    def in_html(self, source: str) -> str:
        """Return an HTML template with its links changed; as it is where Jinja2 cannot read it."""
        try:
            text, tags = signed(self._environment, source)
        except TemplateSyntaxError:
            return source
        pieces: list[str] = []
        done = 0
        for at, end in _followed(text):
            new = self._changed(text[at:end], tags, at, text)
            if new is not None:
                pieces += text[done:at], new
                done = end
        return restored("".join([*pieces, text[done:]]), tags)

    def _changed(self, raw: str, tags: list[str], at: int, whole: str) -> str | None:
        """Change the value of an attribute; None where it stays as it is."""
        inside = [tags[int(found[1])] for found in SIGN.finditer(raw)]
        if self._unsubscribes(raw, tags, inside):
            return None
        if not inside and not self._clicks:
            new = tagged_in_html(raw, self._parameters)
            self.changed += new != raw
            return new if new != raw else None
        if WEB.match(attribute_value(raw)) is None and not raw.lstrip().startswith(OPEN):
            return None
        if not self._can_stand_alone(inside):
            line, column = restored_place(whole[:at], tags)
            words = "the link is made by tags that reach beyond it, so that nothing can be added, and no click counted"
            self.left.append(Left(self.file, line, column, words))
            return None
        return self._around(raw, attribute_value(restored(raw, tags)))

    def in_text(self, source: str) -> str:
        """Return a text template with its links changed; as it is where Jinja2 cannot read it."""
        try:
            text, tags = signed(self._environment, source)
        except TemplateSyntaxError:
            return source
        text = _IN_TEXT.sub(lambda found: self._changed_in_text(found[0], tags), text)
        text = _ALONE.sub(lambda found: self._printed_alone(found[1], tags), text)
        return restored(text, tags)

    def _changed_in_text(self, found: str, tags: list[str]) -> str:
        raw = _without_what_follows(found, tags)
        rest = found[len(raw) :]
        inside = [tags[int(one[1])] for one in SIGN.finditer(raw)]
        if self._unsubscribes(raw, tags, inside):
            return found
        behind = SIGN.match(rest)
        if not inside and not self._clicks and (behind is None or tags[int(behind[1])].startswith("{%")):
            self.changed += tagged(raw, self._parameters) != raw
            return tagged(raw, self._parameters) + rest
        if not self._can_stand_alone(inside):
            return found
        return self._around(raw, restored(raw, tags)) + rest

    def _printed_alone(self, sign: str, tags: list[str]) -> str:
        """Change a tag that may print a whole URL."""
        tag = tags[int(sign[1:-1])]
        if not tag.startswith("{{") or self._unsubscribes(sign, tags, [tag]):
            return sign
        return self._around(sign, tag, sure=_CALLED_LINK.search(tag) is not None)

    def _unsubscribes(self, raw: str, tags: list[str], inside: list[str]) -> bool:
        if any(_UNSUBSCRIBE_URL.search(tag) for tag in inside):
            return True
        literal = attribute_value(SIGN.sub("x", raw))
        if WEB.match(literal) and not may_be_tagged(literal):
            return True
        return bool(self._unsubscribe) and _SPACE.sub("", attribute_value(restored(raw, tags))) == self._unsubscribe

    @staticmethod
    def _can_stand_alone(inside: list[str]) -> bool:
        return balanced(inside) and not any(_OWN_SCOPE.match(tag) for tag in inside)


def utm_values(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the values of ``links.utm``, by key: templates as the subject is."""
    values: Mapping[str, str] = (content.get("links") or {}).get("utm") or {}
    return [(f"links.utm.{name.removeprefix('utm_')}", source) for name, source in values.items()]


def linking_of(content: Mapping[str, Any]) -> Linking:
    """Return a `Linking` that has looked at the content's HTML, or at its text where it has none."""
    linking = Linking(content)
    if linking.on:
        files = content["includes"] if content["html"] is not None else {}
        for name, source in {**files, content["html_name"]: content["html"] or ""}.items():
            linking.file = name
            linking.in_html(source)
        if content["html"] is None and content["text"]:
            linking.in_text(content["text"])
    return linking


def counted_links(content: Mapping[str, Any]) -> dict[str, str]:
    """Return the links that are counted, by id, as the templates have them, those of HTML first."""
    names: dict[str, str] = {}
    for letter in each_letter(dict(content)):
        linking = linking_of(letter)
        if linking.on and letter["html"] is not None:
            for source in (letter["html"], *letter["includes"].values()) if letter["text"] is None else ():
                with suppress(TemplateSyntaxError):
                    linking.in_text(plain_text(source))
            if letter["text"] is not None:
                linking.in_text(letter["text"])
        names.update(linking.names)
    return names


def links_in_words(content: Mapping[str, Any]) -> str:
    """Return what is added to how many links, for people; "" where nothing is."""
    linking = linking_of(content)
    if not linking.on:
        return ""
    one, utm = linking.changed == 1, content["links"].get("utm")
    words = []
    if utm:
        words.append(f"{'gets' if one else 'get'} {', '.join(utm)}")
    if content["links"].get("clicks"):
        words.append("is counted" if one else "are counted")
    return f"{linking.changed:,} {'link' if one else 'links'} {' and '.join(words)}"


def is_constant(environment: Environment, source: str) -> bool:
    """Return whether a value is the same for all rows of a campaign."""
    tree = environment.parse(source)
    return find_undeclared_variables(tree) <= {"campaign"} | environment.globals.keys()


def restored_place(text: str, tags: list[str]) -> tuple[int, int]:
    """Return line and column, from 1, of what stands behind ``text`` in the author's source."""
    before = restored(text, tags)
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _followed(text: str, shift: int = 0) -> Iterator[tuple[int, int]]:
    """Yield where the values of links stand."""
    for token, at, _end in placed_tokens(text):
        if token.kind == "comment" and text.startswith("<!--", at) and (found := _CONDITIONAL.match(token.data)):
            yield from _followed(token.data[found.end() :], shift + at + len("<!--") + found.end())
        elif token.kind == "start" and token.data in _FOLLOWED:
            link = next((one for one in written_attributes(text, at) if one.name == "href"), None)
            if link is not None and link.value_end > link.value_at:
                yield link.value_at + shift, link.value_end + shift


def _without_what_follows(found: str, tags: list[str]) -> str:
    """Return a URL in a text without the punctuation behind it, and without tags that end what was begun before it."""
    waiting = 0
    for sign in SIGN.finditer(found):
        tag = tags[int(sign[1])]
        if tag.startswith("{%"):
            ends = re.match(r"\{%[-+]?\s*end", tag) is not None
            between = re.match(r"\{%[-+]?\s*el(?:se|if)\b", tag) is not None
            if (ends or between) and not waiting:
                found = found[: sign.start()]
                break
            waiting += 0 if between else -1 if ends else 1
        elif tag.startswith("{#"):
            found = found[: sign.start()]
            break
    while found:
        last = found[-1]
        if last in _BEHIND or (last in _CLOSING and found.count(last) > found.count(_CLOSING[last])):
            found = found[:-1]
        else:
            break
    return found
