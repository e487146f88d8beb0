"""The snapshot of a campaign: every byte that enters a message, read once, so that later edits change no mail.

A template may include other files by name; which these are, `including` finds.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from bulkmail.campaign.canary import plain_canary
from bulkmail.campaign.files import CAMPAIGN_FILE, MARKS, OURS, id_inside, is_template, read_inside
from bulkmail.campaign.including import Including, beside
from bulkmail.campaign.letter import Html
from bulkmail.campaign.links import plain_links, with_names
from bulkmail.campaign.locales import is_each_locale, letters, letters_of, of_fallback
from bulkmail.campaign.model import MAX_ATTACHMENTS, Campaign
from bulkmail.campaign.schedule import column_problem
from bulkmail.campaign.template import MAX_TEMPLATE, Template
from bulkmail.campaign.unsubscribing import Inbound, Public, ways_out
from bulkmail.campaign.variants import named_letter, shares
from bulkmail.campaign.ways_back import priority_of, ways_back
from bulkmail.campaign.winner import plain_winner
from bulkmail.files import FileId, MissingFileError
from bulkmail.mail import AddressError, Problem, Refused, domain_key
from bulkmail.yamlfile import YamlFile

Key = tuple[str, ...]


class SigningKey(Protocol):
    """What a snapshot takes of a key in the settings."""

    @property
    def domain(self) -> str: ...  # noqa: D102
    @property
    def selector(self) -> str: ...  # noqa: D102
    @property
    def pem(self) -> bytes: ...  # noqa: D102


class Allowed(Protocol):
    """Which programs and addresses the operator lets campaigns name under ``notify``."""

    @property
    def commands(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def urls(self) -> Sequence[str]: ...  # noqa: D102


class OperatorSettings(Protocol):
    """What a check takes of the settings."""

    @property
    def dkim(self) -> Sequence[SigningKey]: ...  # noqa: D102
    @property
    def suppress(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def spool(self) -> str: ...  # noqa: D102
    @property
    def notify(self) -> Allowed: ...  # noqa: D102
    @property
    def inbound(self) -> Inbound | None: ...  # noqa: D102
    @property
    def public(self) -> Public | None: ...  # noqa: D102
    @property
    def pools(self) -> Mapping[str, Sequence[str]]: ...  # noqa: D102
    @property
    def templates(self) -> str | None: ...  # noqa: D102
    @property
    def file(self) -> YamlFile | None: ...  # noqa: D102


def snapshot(
    campaign: Campaign, settings: OperatorSettings, columns: list[list[str]], key: bytes, *, rehearsal: bool = False
) -> dict[str, Any]:
    """Return what the composing processes need, as plain data. Raises Refused with every problem of files and content.

    ``columns``: the template variables that each recipient file gives. ``key``: the campaign's key. A rehearsal keeps
    no schedule, so it takes a campaign that has one.
    """
    # only here: the process that reads the lists imports this room too, and needs neither Jinja2 nor cryptography
    from bulkmail.content import check_content, same_for_all  # noqa: PLC0415

    reader = _Reader(campaign)
    content: dict[str, Any] = {
        "name": campaign.name,
        "from": campaign.sender,
        **reader.all_letters(columns),
        "to": campaign.to,
        "reply_to": campaign.reply_to,
        "envelope_from": campaign.envelope_from,
        "headers": dict(campaign.headers),
        "unsubscribe": reader.unsubscribe(settings),
        "attachments": reader.attachments(),
        "defaults": dict(campaign.defaults),
        "columns": [list(names) for names in columns],
        "recipients": [str(name) for name in campaign.recipients],  # for messages to people
        "schedule": None,
        "sources": campaign.sources or "",
        "priority": priority_of(campaign),
        "canary": plain_canary(campaign.canary),
        "list_id": "",  # made from the list's name and the sender's domain
        **ways_back(campaign, settings.inbound),
        **plain_links(campaign.links, settings.public, campaign.file, reader.problems),
        **(campaign.invitation.plain if campaign.invitation else {}),
        "key": key,
        "dkim": [{"domain": dkim.domain, "selector": dkim.selector, "pem": dkim.pem} for dkim in settings.dkim],
    }
    if of_rows := reader.row_attachments(settings):
        content["row_attachments"] = of_rows
    including = Including(campaign, settings.templates, reader.decoded, problems := reader.problems)
    content.update(including.included(content))
    if campaign.html is not None and content["html"] is not None:
        content["letter"] = reader.letter(content, campaign.html)
    if campaign.schedule is not None and not rehearsal:
        content["schedule"] = campaign.schedule.plain()
        time_zone = campaign.schedule.timezone
        if time_zone is not None and time_zone.column is not None:
            wrong = column_problem("schedule.timezone.column", time_zone.column, columns)
            problems += [campaign.file.problem(("schedule", "timezone", "column"), wrong)] if wrong else []
    if campaign.sources is not None and campaign.sources not in settings.pools:
        known = ", ".join(sorted(settings.pools)) or "none"
        words = f"sources: the operator's settings have no pool {campaign.sources!r}; there are: {known}"
        problems.append(campaign.file.problem(("sources",), words))
    problems += [_placed(problem, campaign, settings, content) for problem in check_content(content)]
    if problems:
        problems.sort(key=lambda problem: (problem.file, problem.line, problem.column))
        raise Refused(problems)
    content["same_for_all"] = same_for_all(content)
    return with_names(content)


def content_notices(campaign: Campaign, settings: OperatorSettings, content: dict[str, Any]) -> list[Problem]:
    """Return what the operator should know of a content that can be sent: what is probably not meant."""
    from bulkmail.content import content_notices as found  # noqa: PLC0415 - as above

    return [_placed(problem, campaign, settings, content) for problem in found(content)]


def sender_domain(sender: str) -> str:
    """Return the domain of a From value, in A-labels; as it stands there when it is no domain (the content says so)."""
    domain = sender.rpartition("<")[2].rstrip("> \t").rpartition("@")[2]
    try:
        return domain_key(domain)
    except AddressError:
        return domain


def _placed(problem: Problem, campaign: Campaign, settings: OperatorSettings, content: Mapping[str, Any]) -> Problem:
    """Return a problem of the content with its file as the user knows it; one of a key with the place of that key."""
    if problem.file:
        path = content.get("library", {}).get(problem.file) or beside(campaign, problem.file)
        return Problem(path, problem.line, problem.column, problem.message)
    key = problem.message.partition(": ")[0]
    file = settings.file if key.startswith("dkim") and settings.file is not None else campaign.file
    return file.problem(file.locate(key), problem.message)


class _Reader:
    """Reads a campaign's files and keeps what was wrong with them."""

    def __init__(self, campaign: Campaign) -> None:
        self.campaign = campaign
        self.problems: list[Problem] = []
        self._read: dict[str, str] = {}

    def template(self, part: str, name: str | None) -> str | None:
        """Return a template's text; None where there is none."""
        if name is None:
            return None
        if (read := self._read.get(name)) is not None:
            return read
        try:
            data = read_inside(self.campaign.opened, name, MAX_TEMPLATE)
        except ValueError as error:
            self.problems.append(self.campaign.file.problem(("template", part), f"template.{part}: {error}"))
            return ""
        text = self._read[name] = self.decoded(beside(self.campaign, name), data)
        return text

    def decoded(self, path: str, data: bytes) -> str:
        """Return the text of a template file."""
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line, column = data[: error.start].count(b"\n") + 1, error.start - data.rfind(b"\n", 0, error.start)
            self.problems.append(Problem(path, line, column, "this is not UTF-8; save the file as UTF-8"))
            return data.decode("utf-8", "replace")

    def all_letters(self, columns: list[list[str]]) -> dict[str, Any]:
        """Return the campaign's own letter, and what differs from it in those of its variants."""
        campaign = self.campaign
        column = None if campaign.locale is None else campaign.locale.column
        if column is not None and (lacking := column_problem("locale.column", column, columns)):
            self.problems.append(campaign.file.problem(("locale", "column"), lacking))
        own = self.letters(campaign.subject, campaign.template)
        if not campaign.variants:
            return own
        found: dict[str, dict[str, Any]] = {}
        for name, variant in campaign.variants.items():
            if not variant.hold_out:
                subject, template = variant.subject or campaign.subject, variant.template or campaign.template
                letter = {"locales": None, **self.letters(subject, template, ("variants", name))}
                found[name] = named_letter(letter, variant, name)
        told = {"shares": shares(campaign.variants), "letters": found, "winner": ""}
        return {**own, "variants": {**told, **plain_winner(campaign.winner)}}

    def letters(self, subject: str | Mapping[str, str], template: Template, inside: Key = ()) -> dict[str, Any]:
        """Return what differs from locale to locale: the one letter, or that of the fallback and all of them.

        ``inside``: the key that the subject and the template stand under.
        """
        campaign, keys = self.campaign, self.campaign.locale
        names = {"html": template.html, "text": template.text}
        if keys is None:
            return self._letter(subject, names)
        found, wrong = letters(campaign.opened, subject, names, keys.fallback, self.template)
        self.problems += [campaign.file.problem(inside + one.key, one.words) for one in wrong]
        if not found:
            plain = {part: name for part, name in names.items() if not is_each_locale(name)}
            return {**self._letter(subject, plain), "locale": keys.fallback[0]}
        if keys.column is None:
            self.problems.append(campaign.file.problem(("locale",), "locale: `column` is missing: which says it?"))
        return {
            "locales": {"column": keys.column or "", "fallback": list(keys.fallback), "letters": found},
            **of_fallback(found, keys.fallback),
        }

    def _letter(self, subject: str | Mapping[str, str], names: Mapping[str, str | None]) -> dict[str, Any]:
        letter: dict[str, Any] = {"subject": subject if isinstance(subject, str) else next(iter(subject.values()))}
        for part in ("html", "text"):
            letter[part] = self.template(part, names.get(part))
            letter[f"{part}_name"] = names.get(part) or ""
        return letter

    def unsubscribe(self, settings: OperatorSettings) -> dict[str, Any] | None:
        """Return the ways out that a message offers."""
        try:
            language = None if self.campaign.locale is None else self.campaign.locale.column
            found = ways_out(self.campaign.unsubscribe, settings.inbound, settings.public, language)
        except ValueError as error:
            self.problems.append(self.campaign.file.problem(("unsubscribe",), f"unsubscribe: {error}"))
            return None
        return None if found is None else dict(found)

    def attachments(self) -> list[tuple[str, bytes]]:
        """Return the attachments with the names that recipients see."""
        found = []
        left = MAX_ATTACHMENTS
        for index, name in enumerate(self.campaign.attachments):
            if is_template(name):
                continue
            try:
                data = read_inside(self.campaign.opened, name, left)
            except ValueError as error:
                loc = ("attachments", index)
                self.problems.append(self.campaign.file.problem(loc, f"attachments[{index}]: {error}"))
                continue
            left -= len(data)
            found.append((os.path.basename(name), data))
        return found

    def row_attachments(self, settings: OperatorSettings) -> dict[str, Any] | None:
        """Return what composing needs to read the files of each row; None where there are none."""
        campaign, names = self.campaign, self.campaign.row_attachments
        if not names:
            return None
        if settings.spool.startswith(("postgresql://", "postgres://")):
            words = (
                "a file for each row is read while it is sent, and the other machines of a spool in PostgreSQL do not "
                "have this folder; send it from a spool of its own"
            )
            place = names[0][0]
            self.problems.append(campaign.file.problem(("attachments", place), f"attachments[{place}]: {words}"))
        own = [name for name in (campaign.template.html, campaign.template.text, CAMPAIGN_FILE) if name is not None]
        ids = [*campaign.lists.values(), *(self._id(name) for name in own)]
        own += campaign.lists
        return {
            "folder": campaign.folder,
            "id": campaign.opened.id,
            "names": names,
            "never": [found for found in ids if found is not None],
            "own": [posixpath.normpath(name) for name in own],
            "ours": sorted(OURS | MARKS),
        }

    def _id(self, name: str) -> FileId | None:
        try:
            return id_inside(self.campaign.opened, name)
        except ValueError:
            return None  # told with the template

    def letter(self, content: dict[str, Any], wanted: Html) -> dict[str, Any]:
        """Return what is done to the HTML, with the pictures that the messages carry."""
        from bulkmail.content import can_inline, pictures_in  # noqa: PLC0415 - as above

        if wanted.inline_css and not can_inline():
            words = "html.inline_css: needs the packages of the extra `html`; install bulkmail[html]"
            self.problems.append(self.campaign.file.problem(("html", "inline_css"), words))
        pictures: list[tuple[str, bytes]] = []
        left = MAX_ATTACHMENTS
        every = [{**content, **letter} for letter in letters_of(content)] or [content]
        for name in dict.fromkeys(name for one in every for name in pictures_in(one)) if wanted.embed_images else ():
            try:
                data = read_inside(self.campaign.opened, name, left)
            except MissingFileError:
                continue  # the content's to report, with its line
            except ValueError as error:
                self.problems.append(
                    self.campaign.file.problem(("html", "embed_images"), f"html.embed_images: {error}")
                )
                continue
            left -= len(data)
            pictures.append((name, data))
        return {"inline_css": wanted.inline_css, "preheader": wanted.preheader, "pictures": pictures}
