"""One campaign's message with its variables, filled in for one recipient after the other.

All that is common to the rows is made when the campaign is loaded: compiled templates, encoded attachments, constant
fields in both their forms, the DKIM key. A row then costs rendering, quoted-printable, one hash and one signature.
The bytes are a function of the campaign and the row alone: an attempt next week writes the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bulkmail.content import bulk
from bulkmail.content.attaching import Attaching
from bulkmail.content.dkim import Signer, Unsigned, relaxed_field
from bulkmail.content.draft import Draft, Rendered
from bulkmail.content.encoder import TextEncoder
from bulkmail.content.fields import FieldError, header_field
from bulkmail.content.headers import date_text, mailbox, parse_mailbox, phrase, structured, unstructured
from bulkmail.content.inlining import inlined_row
from bulkmail.content.invitation import Invitation, parts
from bulkmail.content.letter import prepared_letter
from bulkmail.content.linking import Linking
from bulkmail.content.local_forms import direction
from bulkmail.content.mime import Part, attachment, multipart
from bulkmail.content.plaintext import adapt, plain_text
from bulkmail.content.rows import Columns
from bulkmail.content.templates import CompiledTemplate, RowError, TemplateSet
from bulkmail.content.tidying import finished_text
from bulkmail.content.ways_back import WaysBack, signing_keys
from bulkmail.failpoints import failpoint
from bulkmail.mail import REST, address_in, message_id, token


def _field(name: str, value: str) -> bytes:
    """Write a field of campaign.yaml. Raises RowError where its grammar does not allow the value."""
    if name == "Subject":
        return unstructured(name, value)
    try:
        return header_field(name, value)
    except FieldError as error:
        raise RowError(f"headers.{name}: {error}") from None


class MessageTemplate:
    """One campaign's message with its variables. ``content`` has passed `check_content`."""

    def __init__(self, content: dict[str, Any], fixed: list[Part] | None = None) -> None:
        """``fixed``: the attachments of every message, where they are encoded already."""
        display, self._sender = parse_mailbox(content["from"])
        domain = self._sender.domain
        self._key: bytes = content["key"]
        self._mark: str = content.get("token_mark", "")  # of a test message
        own_token = token(self._key, 0)  # of the message that is the same for all
        self._message_id = message_id(self._key, 0, domain).replace(own_token, "{}")
        self._campaign: str = content["name"]
        self._date: float | None = content.get("date") if content.get("same_for_all") else None
        self._same: bytes | None = None
        self._columns = [Columns(columns, content["defaults"]) for columns in content["columns"]]
        keys = signing_keys(domain, content.get("inbound", ""), content["dkim"])
        self._signer = Signer(keys)
        self._ways_back = WaysBack(content, self._sender, keys)
        self._templates(content)
        of_rows = content.get("row_attachments")
        self._attaching = Attaching(of_rows, content["attachments"], self._template_set.text) if of_rows else None
        event = content.get("invitation")
        self._invitation = Invitation(event, content["from"], self._template_set.text) if event else None
        if fixed is None:
            fixed = [attachment(name, data) for name, data in content["attachments"]] if not of_rows else []
        self._attachments = fixed

        self._constant: dict[str, bytes] = {}  # field name -> the field
        self._varying: dict[str, CompiledTemplate] = {}  # field name -> its value's template
        self._constant["From"] = mailbox("From", display, self._sender)
        self._add("Subject", content["subject"])
        if content.get("to"):
            self._constant["To"] = mailbox("To", *parse_mailbox(content["to"]))
        if content["reply_to"]:
            self._constant["Reply-To"] = mailbox("Reply-To", *parse_mailbox(content["reply_to"]))
        unsubscribe = content["unsubscribe"] or {}
        self._url = self._template_set.text(unsubscribe["url"], "unsubscribe.url") if unsubscribe.get("url") else None
        written = self._template_set.constants(unsubscribe.get("url") or "")
        self._fragment = not written or "#" in "".join(written)  # a column may hold a whole URL
        self._mailto = bulk.mailto(unsubscribe["mailto"]) if unsubscribe.get("mailto") else None
        if self._url:
            self._constant[bulk.ONE_CLICK[0]] = bulk.ONE_CLICK[1]
        self._constant.update(bulk.constant_fields(content, own_token[:8], domain))
        for name, value in content["headers"].items():
            self._add(name, value)
        self._constant["MIME-Version"] = structured("MIME-Version", "1.0")
        self._relaxed = {name.lower(): relaxed_field(field) for name, field in self._constant.items()}

    def _templates(self, content: dict[str, Any]) -> None:
        files = dict(content["includes"])
        html_name, text_name = content["html_name"], content["text_name"]
        self._html: CompiledTemplate | None = None
        self._text: CompiledTemplate | None = None
        self._tidy = False
        self._inline_letters = False
        self._pictures: list[Part] = []
        if content["html"] is not None:
            letter = prepared_letter(content, TemplateSet({}, html=True).environment)
            files.update(letter.files)
            self._inline_letters, self._pictures = bool(letter.reason), letter.pictures
        if content["text"] is not None:
            files[text_name] = content["text"]
        locale = content.get("locale") or "en"
        self._local = {"locale": locale, "dir": direction(locale)} if content.get("locale") else {}
        if content.get("compared"):
            self._local["variant"] = content.get("variant") or REST
        self._links = links = Linking(content)
        self._template_set = links.text_set(TemplateSet(files, html=False, convert=links.of_text, locale=locale))
        texts = self._template_set.texts()
        if content["html"] is not None:
            shown = links.html_set(TemplateSet(files, html=True, convert=links.of_html, locale=locale))
            self._html = shown.file(html_name, f"html {html_name}")
            texts += shown.texts() if links.on else []
        if content["text"] is not None:
            self._text = self._template_set.file(text_name, f"text {text_name}")
        elif content["html"] is not None:
            made = links.text_set(TemplateSet(files, html=False, convert=links.after(plain_text), locale=locale))
            adapt(made.environment)
            self._text = made.file(html_name, f"text made from {html_name}", lines=False)
            self._tidy = True
        self._globals = self._template_set.globals
        self._encoder = TextEncoder(texts)

    def _add(self, name: str, source: str) -> None:
        """Add a field written in campaign.yaml; one of our own of that name gives way."""
        for ours in [ours for ours in self._constant if ours.lower() == name.lower()]:
            del self._constant[ours]
        value_template = self._template_set.text(source, name.lower() if name == "Subject" else f"headers.{name}")
        if "{" in source:
            self._varying[name] = value_template
        elif value := value_template.render(self._globals):
            self._constant[name] = _field(name, value)

    @property
    def same_for_all(self) -> bool:
        """Whether all recipients get one message."""
        return self._date is not None

    def sender(self, n: int) -> str:
        """Return the return path of the message for recipient ``n``."""
        ways_back = self._ways_back
        return ways_back.sender(self._mark + token(self._key, n) if ways_back.own_for_each else "")

    def return_path(self, own_token: str) -> str:
        """Return the return path by the token of a recipient."""
        return self._ways_back.sender(own_token)

    def same(self) -> bytes:
        """Return that message. No recipient has number 0: its token is the message's own."""
        assert self._date is not None
        if self._same is None:
            self._same = self.draft(self._printed(0, self._date, {})).signed()
        return self._same

    def compose(self, n: int, email: str, date: float, file_no: int, cells: Sequence[str]) -> bytes:
        """Return the complete message for recipient ``n``. Raises RowError, AddressError, UnicodeEncodeError."""
        return self.draft(self.rendered(n, email, date, file_no, cells)).signed()

    def rendered(self, n: int, email: str, date: float, file_no: int, cells: Sequence[str]) -> Rendered:
        """Render the templates for one row: the first step of `compose`. Raises RowError, AddressError."""
        failpoint("compose", email)
        address = str(address_in(email))
        variables = self._columns[file_no].variables(cells)
        variables["email"], variables["token"] = address, self._mark + token(self._key, n)
        return self._printed(n, date, variables, To=phrase("To", "", address))

    def _printed(self, n: int, date: float, own: dict[str, Any], **addressed: bytes) -> Rendered:
        own_token = own.get("token") or self._mark + token(self._key, n)
        variables = {**self._globals, "campaign": self._campaign, **own, **self._local}
        urls = []
        if self._url is not None:
            urls.append(bulk.link(self._url.render(variables), fragment=self._fragment))
        if self._mailto:
            urls.append(own_token.join(self._mailto))

        fields = {"From": self._constant["From"], **addressed}
        fields["Date"] = structured("Date", date_text(int(date)))
        fields["Message-ID"] = structured("Message-ID", self._message_id.format(own_token))
        fields.update(self._constant)
        if urls:
            variables["unsubscribe_url"] = urls[0]
            fields["List-Unsubscribe"] = bulk.list_unsubscribe(*urls)
        fields.update(self._ways_back.complaint_fields(own_token))
        for name, value_template in self._varying.items():
            if value := value_template.render(variables).strip():
                fields[name] = _field(name, value)

        if self._links.on:
            self._links.begin(variables, own_token)
        html = [] if self._html is None else self._html.pieces(variables)
        if self._inline_letters:
            html = [inlined_row("".join(html))]
        text = [] if self._text is None else self._text.pieces(variables)
        attached = () if self._attaching is None else self._attaching.names(variables)
        rendered = Rendered(own_token, int(date), fields, html, text, attached)
        if self._invitation is None:
            return rendered
        return rendered._replace(invitation=self._invitation.text(variables, own["email"], own_token, rendered.date))

    def draft(self, rendered: Rendered) -> Draft:
        """Put the message together but for its signatures: the second step of `compose`. Raises RowError."""
        part = self._body(rendered)
        head = b"".join([*rendered.fields.values(), part.fields, b"\r\n"])
        return Draft(self._unsigned(rendered.fields, part, rendered.date) if self._signer else [], head, part.body)

    def _body(self, rendered: Rendered) -> Part:
        """Return the body: HTML and text, or one of them, and the attachments. A boundary names its recipient."""
        shown_as = []
        name, text = rendered.token, rendered.text
        if self._tidy:
            text = [finished_text("".join(text))]
        if self._html is None or any(piece and not piece.isspace() for piece in text):
            shown_as.append(self._encoder.part("plain", text, name))
        if self._html is not None:
            shown = self._encoder.part("html", rendered.html, name)
            if self._pictures:
                shown = multipart("related", f"=_r{name}", [shown, *self._pictures], root="text/html")
            shown_as.append(shown)
        attached = self._attachments if self._attaching is None else self._attaching.parts(rendered.attached)
        if rendered.invitation:
            inline, file = parts(rendered.invitation)
            shown_as, attached = [*shown_as, inline], [*attached, file]
        body = shown_as[0] if len(shown_as) == 1 else multipart("alternative", f"=_a{name}", shown_as)
        return multipart("mixed", f"=_m{name}", [body, *attached]) if attached else body

    def _unsigned(self, fields: dict[str, bytes], part: Part, at: int) -> list[Unsigned]:
        relaxed = dict(self._relaxed)
        for name, field in fields.items():
            if name not in self._constant:
                relaxed[name.lower()] = relaxed_field(field)
        for field in part.fields.replace(b"\r\n ", b" ").split(b"\r\n")[:-1]:
            line = relaxed_field(field + b"\r\n")
            relaxed[line.partition(b":")[0].decode("ascii")] = line
        return self._signer.prepare(relaxed, part.body.relaxed, at)
