"""campaign.yaml as a model: what a campaign is, checked key by key, its files included.

The validators need to know the folder: `load.load_campaign` hands it in as the context.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)

from bulkmail.campaign.canary import CanaryKey, CanaryKeys
from bulkmail.campaign.encoding import charset
from bulkmail.campaign.files import REPORTS, EarlierList, ListPath, id_inside, is_template, size_inside
from bulkmail.campaign.invitation import InvitationKey
from bulkmail.campaign.letter import Html
from bulkmail.campaign.links import LinksKey
from bulkmail.campaign.locales import LocaleKey, Subject, check_needed
from bulkmail.campaign.named_list import NamedList
from bulkmail.campaign.naming import check_campaign_name
from bulkmail.campaign.notify import Addresses, Notify
from bulkmail.campaign.query import LIST_EXAMPLES, NAMED_LISTS, named_or_asked
from bulkmail.campaign.schedule import ScheduleKeys
from bulkmail.campaign.selection import ConsentKey, LimitKey, OrderKey, SampleKey, SourcesKey, WhereKey
from bulkmail.campaign.template import Place, Template, file_here, place_of
from bulkmail.campaign.unsubscribing import Text, WaysOut
from bulkmail.campaign.variants import VariantsKey, check_senders
from bulkmail.campaign.ways_back import ApprovalKey, Bounces, Kind, ListName, PriorityKey
from bulkmail.campaign.winner import WinnerKey, check_winner
from bulkmail.files import FileId, Folder
from bulkmail.mail import AddressError, parse_address
from bulkmail.yamlfile import ErrorAt, Line, Many, Section, YamlFile

MAX_ATTACHMENTS = 25_000_000  # each, and all together


def _envelope_from(text: str) -> str:
    try:
        address = parse_address(text)
    except AddressError as error:
        raise ValueError(str(error)) from None
    if address.needs_smtputf8:
        raise ValueError(f"{text!r}: the part before the @ must be plain ASCII, or some receivers could not answer it")
    return str(address)


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str | Mapping) else value


def _list(name: str, info: ValidationInfo) -> str:
    if os.path.normpath(name).split("/")[0] in REPORTS:
        raise ValueError(f"{name} is written by this program while the campaign is sent; copy it beside campaign.yaml")
    return file_here(name, info)


def _or_earlier(value: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> tuple[str, ...]:
    """Return the lists that an entry of ``recipients`` or ``suppress`` names: a file, or some of earlier campaigns."""
    if not isinstance(value, Mapping):
        return (read(value),)
    if info.field_name == "recipients" and (named := named_or_asked(value, read, place_of(info))) is not None:
        return (named,)
    keys = (word := REST_OF, "status") if info.field_name == "recipients" else (word := GOT,)
    for key in value:
        if key not in keys:
            near = get_close_matches(str(key)[:60], keys, 1)
            known = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(keys)}"
            raise ErrorAt((key,), f"`{str(key)[:60]}` is not a known key; {known}")
    if word not in value:
        raise ValueError(f"must name a file, or a campaign as {{{word}: spring-sale}}")
    statuses = _words(value.get("status", ()), "status")
    for status in statuses:
        if status not in TAKEN_AGAIN:
            near = get_close_matches(status[:60], TAKEN_AGAIN, 1, 0.75)
            remedy = f"did you mean {near[0]}?" if near else f"write some of {', '.join(TAKEN_AGAIN)}"
            raise ErrorAt(("status",), f"{status[:60]!r} is not a status of rows that can be sent to again; {remedy}")
    place = place_of(info)
    return tuple(
        EarlierList.made_of(place.spool, word, check_campaign_name(name), statuses)
        for name in _words(value[word], word)
    )


def _words(value: Any, key: str) -> tuple[str, ...]:
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
        raise ErrorAt((key,), "must be a name, or a list of names")
    return tuple(words)


def _together_as_one(entries: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(name for names in entries for name in names)


def _attachment(name: str, info: ValidationInfo) -> str:
    if not is_template(name):
        return file_here(name, info, MAX_ATTACHMENTS)
    if name.startswith("/") or ".." in name.split("/"):
        raise ValueError(f"{name} leads out of the campaign's folder; write a path inside it")
    return name


def _once(names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    place = place_of(info)
    seen: set[object] = set()
    for index, name in enumerate(names if place.checked is None else ()):
        found = name if isinstance(name, EarlierList) or is_template(name) else id_inside(place.folder, name)
        if found in seen:
            raise ErrorAt((index,), f"{name} is listed twice")
        seen.add(found)
    return names


def _recipients(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError("must name at least one file")
    return names


def _together(names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    place = place_of(info)
    fixed = [name for name in names if not is_template(name)]
    if place.checked is None and sum(size_inside(place.folder, name) for name in fixed) > MAX_ATTACHMENTS:
        raise ValueError(f"are larger than {MAX_ATTACHMENTS // 1_000_000} MB together")
    return names


REST_OF, GOT = "rest_of", "got"
TAKEN_AGAIN = ("expired", "blocked", "cancelled", "unknown", "bounced", "invalid")
"""The statuses of rows that can be taken into another campaign on purpose."""

_NAMES = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}


def _lists_schema(word: str, **more: Any) -> dict[str, Any]:
    earlier = {
        "type": "object",
        "properties": {word: _NAMES, **more},
        "required": [word],
        "additionalProperties": False,
    }
    one = [{"type": "string"}, earlier, *(NAMED_LISTS if word == REST_OF else [])]
    return {"anyOf": [*one, {"type": "array", "items": {"anyOf": one}}]}


_FILES = _lists_schema(REST_OF, status=_NAMES)
_SUPPRESS = _lists_schema(GOT)

ListNames = Annotated[Line, AfterValidator(_list), WrapValidator(_or_earlier)]
AttachmentName = Annotated[Line, AfterValidator(_attachment)]


class Campaign(Section):
    """campaign.yaml. File names are as written; `folder` makes them paths."""

    name: Annotated[
        str,
        AfterValidator(check_campaign_name),
        Field(description="a name that is unique in the spool", examples=["spring-sale"]),
    ]
    sender: Annotated[Text, Field(alias="from", description="the sender", examples=["Example Shop <news@example.com>"])]
    subject: Subject
    template: Annotated[
        Template,
        Field(
            description="the message's HTML, text or both", examples=[{"html": "body.html.j2", "text": "body.txt.j2"}]
        ),
    ]
    recipients: Annotated[
        Many[ListNames],
        BeforeValidator(_listed),
        AfterValidator(_together_as_one),
        AfterValidator(_recipients),
        AfterValidator(_once),
        WithJsonSchema(_FILES),
        Field(
            description="the list of the recipients (CSV, XLSX, ODS, JSON lines), or the rest of an earlier campaign",
            examples=LIST_EXAMPLES,
        ),
    ]
    suppress: Annotated[
        Many[ListNames],
        BeforeValidator(_listed),
        AfterValidator(_together_as_one),
        WithJsonSchema(_SUPPRESS),
        Field(
            description="lists of addresses and domains that are not mailed, or those who got an earlier campaign",
            examples=[["unsubscribed.csv"], [{"got": "winter-sale"}]],
        ),
    ] = ()
    to: Annotated[
        Text | None,
        Field(
            description="one To field for all; left out, each recipient's own address",
            examples=["Our readers <readers@example.com>"],
        ),
    ] = None
    reply_to: Annotated[Text | None, Field(description="where answers go", examples=["help@example.com"])] = None
    envelope_from: Annotated[
        Annotated[Line, AfterValidator(_envelope_from)] | None,
        Field(
            description="where receivers return what they cannot deliver; left out, an address of the service, where it"
            " takes such mail, else that of `from`",
            examples=["bounces@example.com"],
        ),
    ] = None
    bounces: Bounces = "each"
    list_name: Annotated[ListName, Field(alias="list")] = None
    kind: Kind = "marketing"
    priority: PriorityKey = None
    locale: LocaleKey = None
    variants: VariantsKey = {}
    winner: WinnerKey = None
    headers: Annotated[
        Mapping[Line, Line], Field(description="further header fields", examples=[{"X-Campaign": "spring"}])
    ] = {}
    unsubscribe: WaysOut = None
    attachments: Annotated[
        Many[AttachmentName],
        AfterValidator(_once),
        AfterValidator(_together),
        Field(
            description="files that every message carries, at most 25 MB together, or another one for each row",
            examples=[["terms.pdf"], ["terms.pdf", "invoices/{{ invoice }}.pdf"]],
        ),
    ] = ()
    invitation: InvitationKey = None
    defaults: Annotated[
        Mapping[Line, str],
        Field(description="what is printed where a row leaves the column empty", examples=[{"first_name": "there"}]),
    ] = {}
    encoding: Annotated[
        Annotated[Line, AfterValidator(charset)],
        Field(description="what the CSV files are written in where it is not UTF-8", examples=["windows-1252"]),
    ] = "utf-8"
    html: Annotated[Html | None, Field(description="what is done to the HTML before it is sent")] = None
    links: LinksKey = None
    consent: ConsentKey = "auto"
    where: WhereKey = None
    sample: SampleKey = 1.0
    limit: LimitKey = None
    order_by: OrderKey = None
    on_unknown: Annotated[
        Literal["retry", "keep"],
        Field(
            description="a message whose confirmation was lost: send it again later (retry) or leave it (keep)",
            examples=["keep"],
        ),
    ] = "retry"
    sources: SourcesKey = None
    schedule: Annotated[ScheduleKeys | None, Field(description="when it may be sent")] = None
    canary: CanaryKey = CanaryKeys()
    approval: ApprovalKey = None
    test_to: Annotated[
        Addresses, Field(description="who gets a test message when it waits for approval", examples=["me@example.com"])
    ] = ()
    notify: Annotated[Notify | None, Field(description="who is told of its start, a stop and its end")] = None
    _place: Place = PrivateAttr()
    _lists: Mapping[str, FileId] = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Remember where it was read from: paths and later messages need it."""
        assert isinstance(context, Place), "a campaign is read by load_campaign"
        self._place = context
        lists = [name for name in (*self.recipients, *self.suppress) if not isinstance(name, EarlierList)]
        self._lists = (
            context.checked
            if context.checked is not None
            else {str(name): id_inside(context.folder, name) for name in lists}
        )

    @model_validator(mode="after")
    def _of_locales(self) -> Campaign:
        check_needed(self.locale, {"html": self.template.html, "text": self.template.text}, self.subject)
        for name, variant in self.variants.items():
            names = {} if variant.template is None else dict(variant.template)
            check_needed(self.locale, names, variant.subject or "", ("variants", name))
        check_senders(self.sender, self.variants)
        counted = self.links is not None and self.links.clicks == "count"
        check_winner(self.winner, self.variants, clicks=counted)
        return self

    @property
    def listed(self) -> str:
        """The list that people unsubscribe from."""
        return self.list_name or self.name

    @property
    def folder(self) -> str:
        """The campaign's folder, absolute."""
        return self._place.folder.path

    @property
    def opened(self) -> Folder:
        """The same, open since it was checked: the way to everything in it."""
        return self._place.folder

    @property
    def file(self) -> YamlFile:
        """Where each value stands in campaign.yaml."""
        return self._place.file

    @property
    def recipient_paths(self) -> list[ListPath]:
        """The CSV files, absolute, in the order given."""
        return [self._list(name) for name in self.recipients]

    @property
    def suppress_paths(self) -> list[ListPath]:
        """The campaign's own suppression lists, absolute."""
        return [self._list(name) for name in self.suppress]

    @property
    def lists(self) -> Mapping[str, FileId]:
        """The lists that were checked, by the name they have here, with device and inode."""
        return self._lists

    @property
    def fixed_attachments(self) -> list[str]:
        """The files that every message carries."""
        return [name for name in self.attachments if not is_template(name)]

    @property
    def row_attachments(self) -> list[tuple[int, str]]:
        """The templates of those that are another file for each row, with their places among all."""
        return [(place, name) for place, name in enumerate(self.attachments) if is_template(name)]

    @property
    def suppressions(self) -> tuple[str, str, str, str]:
        """Where it is looked up who is not mailed: the spool ("": nowhere), and the campaign's list, name and kind."""
        return self._place.spool, self.listed, self.name, self.kind

    @property
    def earlier(self) -> list[tuple[str, EarlierList]]:
        """The lists that are made of earlier campaigns, each with the key that names it."""
        named = [("recipients", name) for name in self.recipients] + [("suppress", name) for name in self.suppress]
        return [(key, name) for key, name in named if isinstance(name, EarlierList)]

    def _list(self, name: str) -> ListPath:
        if isinstance(name, EarlierList):
            return name
        folder = self._place.folder
        sheet, email = (name.sheet, name.email) if isinstance(name, NamedList) else ("", "")
        return ListPath.of((folder.path, folder.id, str(name), self._lists[name], sheet, email))
