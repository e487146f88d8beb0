from __future__ import annotations

import os

import pytest

from bulkmail.campaign import load_campaign, snapshot, survey
from bulkmail.commands.event_loop import in_event_loop
from bulkmail.content import Composer
from bulkmail.mail import token
from bulkmail.preflight import Means, Resolving, RowLines, preflight
from bulkmail.preflight.letter import read_letter
from bulkmail.routing import Router
from bulkmail.settings import load_settings
from tests.nameserver import DnsServer

YAML = """\
name: spring
from: "Example Shop <news@example.com>"
subject: "{{ first_name }}, spring is here"
template: {html: body.html.j2}
recipients: recipients.csv
unsubscribe: {url: "https://example.com/u/{{ token }}"}
"""
HTML = """\
<html><body><h1>Hello {{ first_name }}</h1>
<p>Welcome to <a href="https://example.com/{{ city|urlencode }}">{{ city }}</a>.</p>
<p><img src="https://example.com/a.png" alt="A"> <a href="{{ unsubscribe_url }}">Unsubscribe</a></p></body></html>
"""
CSV = "email,first_name,city\nann@example.org,Ann,Leeds\nbob@example.net,Bob,Bath\ncarol@example.org,Carol,York\n"
NOW = 1_764_600_000.0


class Folder:
    """A campaign's folder and the settings beside it; `look` runs the whole preflight with real processes."""

    def __init__(self, place):
        self.place = place
        self.path = place / "spring"
        self.path.mkdir()
        self.write(yaml=YAML, html=HTML, csv=CSV)
        self.settings_text = "{}\n"

    def write(self, *, yaml=None, html=None, csv=None):
        for name, text in (("campaign.yaml", yaml), ("body.html.j2", html), ("recipients.csv", csv)):
            if text is not None:
                (self.path / name).write_text(text, encoding="utf-8")
        return self

    @property
    def settings(self):
        file = self.place / "bulkmail.yaml"
        file.write_text(self.settings_text)
        return load_settings(str(file))

    def prepared(self):
        campaign = load_campaign(str(self.path))
        lists = survey(campaign, self.settings)
        return campaign, snapshot(campaign, self.settings, lists.columns, b"k" * 32)

    def look(self, *, dns=False, told=lambda *_: None, processes=1, notices=(), read=lambda _: None):
        campaign, content = self.prepared()
        settings = self.settings
        lines = RowLines(campaign.opened)

        async def work(reactor):
            resolving = Resolving(reactor, settings)
            means = Means(
                processes,
                NOW,
                ask=resolving.ask if dns else None,
                router=Router(resolving.ask, reactor.seconds, {}, size=1) if dns else None,
                lines=lines,
                told=told,
                read=read,
            )
            try:
                return await preflight(reactor, campaign, content, means, notices)
            finally:
                await resolving.close()

        found = in_event_loop(work)
        lines.finish()
        return found


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


@pytest.fixture
def letter(folder):
    """Compose one row by the production composer; return its letter, or the raw bytes."""

    def compose(*, cells=("ann@example.org", "Ann", "Leeds"), number=1, raw=False, **changes):
        _, content = folder.write(**changes).prepared()
        composer = Composer()
        composer.handle(("load", 0, {**content, "date": NOW}))
        import json

        job = ("compose", 0, [(number, number, cells[0], NOW, 0, json.dumps(list(cells)))])
        ((_, wire, _, wrong),) = composer.handle(job)
        assert wire is not None, wrong
        return wire if raw else read_letter(wire)

    return compose


@pytest.fixture
def own_token():
    return token(b"k" * 32, 1)


@pytest.fixture
def server():
    server = DnsServer()
    yield server
    server.close()


def codes(found):
    """(severity, code) of each finding, without notes."""
    return [(one.severity.value, one.code) for one in found.findings if one.severity != "note"]


@pytest.fixture
def umask_077():
    """The umask that twistd sets; the process of the tests has its own again afterwards."""
    before = os.umask(0o077)
    yield
    os.umask(before)
