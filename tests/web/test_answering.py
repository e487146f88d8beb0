"""Every page and every form, with hostile words in every place: what is answered, and what is asked of the API."""

from __future__ import annotations

import asyncio
import re
from html import escape
from html.parser import HTMLParser

import pytest
from twisted.internet.task import Clock

from bulkmail.mail import OwnFault
from bulkmail.report import category_words, status_words
from bulkmail.web.answering import Pages
from bulkmail.web.assets import place
from bulkmail.web.pages import address
from bulkmail.web.passwords import hash_password
from bulkmail.web.reading import WebCall, fields_of, parts_of
from bulkmail.web.sessions import Sessions
from bulkmail.web.showing import NEEDED, OF_SITES, PLOTS, RENEWED
from bulkmail.web.signin import SigningIn
from bulkmail.web.users import Role, User, Users, write_users
from tests.web.known import HOSTILE, NAME, RECIPIENT, SITE, Api, campaign, hold

PASSWORD = "correct horse"
PAGES = [
    "/",
    address("campaigns", NAME),
    address("campaigns", "waiting"),
    address("campaigns", "waiting", "approve"),
    address("campaigns", NAME, "cancel"),
    "/recipients",
    "/recipients?email=a@b.example",
    "/recipients?email=nobody@example.com",
    "/holds",
    "/providers",
    "/providers/google",
    "/sites/gmail.example",
    "/sites/gmail.example/forget",
    "/providers/google/forget",
    "/records",
    address("campaigns", NAME, "plots"),
    address("campaigns", NAME, "rows", "bounced"),
    address("campaigns", NAME, "rows", "deferred") + "?before=1",
    address("campaigns", NAME, "replies", "google", "0123456789abcdef"),
    address("campaigns", NAME, "replies", HOSTILE[:40], "0123456789abcdef") + "?from=2",
    address("campaigns", NAME, "replies", HOSTILE[:40], HOSTILE[:40]),
    "/compare?1=autumn&2=spring",
    "/nowhere",
]
LINKS = ("href", "action", "formaction", "src", "sse-connect")


class Site:
    def __init__(self, path, role=Role.APPROVE):
        write_users(str(path / "users"), {"ann": User("ann", role, hash_password(PASSWORD, b"s" * 16))})
        self.api = Api()
        self.sessions = Sessions(60.0, lambda: 0.0, iter(map(str, range(1000, 2000))).__next__)

        async def in_thread(work):
            return work()

        self.users = Users(str(path / "users"))
        signing = SigningIn(self.users, self.sessions, None, in_thread, lambda: 0.0)
        self.pages = Pages(self.api, signing, self.sessions, in_thread, Clock(), by_proxy=False)
        self.session = self.sessions.begin(self.users.get("ann"))
        self.token = self.sessions.token(self.session)

    def ask(self, target, method="GET", session=None, *, same_site=True, secure=False, more=None, **form):
        path, _, query = target.partition("?")
        parts = parts_of(path.encode())
        given = self.session if session is None else session
        call = WebCall(
            method, parts, fields_of(query.encode()), form, given, "192.0.2.1", "", same_site, secure, **(more or {})
        )
        return asyncio.run(self.pages.answer(call))

    def post(self, target, **form):
        return self.ask(target, "POST", **{"token": self.token, **form})


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.fields = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append(tag)
        self.fields += [(tag, name, value) for name, value in attrs]


@pytest.mark.parametrize("target", PAGES)
def test_hostile_words_are_words_on_every_page(site, target):
    answer = site.ask(target)
    text = answer.body.decode("utf-8")
    tags = Tags(text)
    assert answer.status == (404 if target == "/nowhere" else 200)
    assert "img" not in tags.found
    scripts = RENEWED if b"sse-connect" in answer.body else PLOTS if target.endswith("/plots") else ()
    assert [field[1:] for field in tags.fields if field[0] == "script"] == [
        (name, value) for one in scripts for name, value in (("defer", None), ("src", place(one)))
    ]
    assert not [field for field in tags.fields if field[1].startswith("on") or field[1] == "style"]
    assert all(value.startswith(("/", "#")) for _, name, value in tags.fields if name in LINKS)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    if "nobody" not in target and target not in ("/nowhere", "/recipients"):
        assert "&lt;script&gt;" in text


@pytest.mark.parametrize("target", PAGES)
def test_who_is_not_signed_in_sees_nothing(site, target):
    for session in ("", "guessed"):
        answer = site.ask(target, session=session)
        assert (answer.status, answer.headers[b"Location"], answer.body) == (303, b"/login", b"")


def test_signing_in_and_out(site):
    assert b'type="password"' in site.ask("/login", session="").body
    answer = site.ask("/login", "POST", session="", name="ann", password="wrong")
    assert (answer.status, b"is wrong" in answer.body) == (403, True)
    assert b"Set-Cookie" not in answer.headers
    answer = site.ask("/login", "POST", session="", name="ann", password=PASSWORD, secure=True)
    cookie = answer.headers[b"Set-Cookie"].decode()
    assert (answer.status, answer.headers[b"Location"]) == (303, b"/")
    assert re.fullmatch(r"bulkmail-session=(\d+); Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure", cookie)
    session = re.search(r"=(\d+);", cookie)[1]
    assert site.ask("/", session=session).status == 200
    out = site.ask("/logout", "POST", session=session, token=site.sessions.token(session))
    assert (out.status, b"Max-Age=0" in out.headers[b"Set-Cookie"]) == (303, True)
    assert site.ask("/", session=session).status == 303
    assert (
        "Secure"
        not in site.ask("/login", "POST", session="", name="ann", password=PASSWORD).headers[b"Set-Cookie"].decode()
    )


def test_another_sites_form_signs_nobody_in(site):
    answer = site.ask("/login", "POST", session="", same_site=False, name="ann", password=PASSWORD)
    assert (answer.status, b"Set-Cookie" in answer.headers) == (403, False)


def test_a_providers_page_leads_to_a_pause_of_each_campaign_there(site):
    shown = site.ask("/providers/google").body.decode()
    where = "/campaigns/spring/pause?provider=google"
    assert f'href="{where}"' in shown
    assert 'name="provider" maxlength="100" list="providers" value="google"' in site.ask(where).body.decode()
    strange = site.ask("/campaigns/spring/pause?provider=%22%3E%3Cb%3E").body.decode()
    assert 'name="provider" maxlength="100" list="providers" value=""' in strange


def test_that_a_number_is_a_link_is_said_before_it(site):
    shown = site.ask("/campaigns/spring").body.decode()
    assert shown.index("A number leads to its recipients") < shown.index('href="/campaigns/spring/rows/')
    assert "at this rate about 2 h 5 min until each was tried" in shown


def test_the_numbers_of_the_first_page_add_up(site):
    counts = {"delivered": 7, "bounced": 1, "pending": 1, "deferred": 1, "invalid": 2, "duplicate": 1}
    site.api.campaigns = [campaign(by_status=counts, input_rows=13)]
    shown = " ".join(site.ask("/").body.decode().split())
    assert "7 of 13 delivered, 1 not, 3 left out, 2 waiting" in shown


def test_the_link_to_the_other_receivers_leads_somewhere(site):
    site.api.campaigns = [campaign(by_provider={"other": {"delivered": 1}})]
    assert 'href="/providers#others"' in site.ask("/campaigns/spring").body.decode()
    shown = site.ask("/providers").body.decode()
    assert '<h2 id="others">' in shown
    assert "Nothing is being sent to them now." in shown


def test_the_other_sites_stand_under_their_heading(site):
    async def ask(name, *given, **named):
        return [{**SITE, "provider": ""}] if name == "sites" else await site.api(name, *given, **named)

    site.pages._showing._ask = ask
    shown = site.ask("/providers").body.decode()
    assert shown.index('<h2 id="others">') < shown.index("mx.google.example") < shown.index("Policies that could not")


def test_forms_ask_for_the_operations_of_the_commands(site):
    paused = site.post(address("campaigns", NAME, "pause"), reason=" wrong price ", **{"for": "2h", "provider": ""})
    assert (paused.status, paused.headers[b"Location"].decode()) == (303, address("campaigns", NAME) + "?done=paused")
    site.post("/campaigns/spring/resume", provider="google", reason="not asked for")
    site.post("/campaigns/spring/cancel", reason="no")
    site.post("/campaigns/waiting/approve")
    assert site.api.asked == [
        ("pause", NAME, {"who": "ann", "reason": "wrong price", "for": "2h"}),
        ("resume", "spring", {"who": "ann", "provider": "google"}),
        ("cancel", "spring", {"who": "ann", "reason": "no"}),
        ("approve", "waiting", {"who": "ann"}),
    ]
    assert b"Done: paused." in site.ask("/campaigns/spring?done=paused").body
    assert b"Done" not in site.ask("/campaigns/spring?done=<b>").body


def test_a_number_of_the_matrix_leads_to_the_recipients_at_that_provider(site):
    shown = site.ask("/campaigns/spring").body.decode()
    assert 'href="/campaigns/spring/rows/deferred/google"' in shown
    assert 'href="/campaigns/spring/rows/bounced/google"' not in shown  # there are none
    rows = site.ask("/campaigns/spring/rows/deferred/google").body.decode()
    assert " at <bdi>google</bdi></h1>" in rows
    assert "/campaigns/spring/rows/deferred/google?before=1" in rows
    assert 'href="/campaigns/spring/rows/deferred"' in rows
    assert "<code>report/recipients.csv</code>" in rows


def test_who_was_put_off_is_tried_now_and_what_stays_back_is_told(site):
    confirm = site.ask(address("campaigns", NAME, "try-now")).body.decode()
    assert "60 recipients wait" in confirm
    assert "google: a rule has stopped it" in confirm
    assert "mx.example is left alone until 2026-12-02 03:31 UTC: 421" in confirm
    done = site.post("/campaigns/spring/try-now", provider="google", site=" b.example ", reason="not asked for")
    place = done.headers[b"Location"].decode()
    assert (done.status, place) == (303, "/campaigns/spring?done=tried+now&rows=59&doubtful=1")
    assert site.api.asked == [("try_now", "spring", {"who": "ann", "provider": "google", "site": "b.example"})]
    shown = site.ask(place).body.decode()
    assert "Done: tried now. 59 deferred recipients are due at once; 1 wait for their time" in shown
    assert "recipients are due" not in site.ask("/campaigns/spring?done=tried+now&rows=<b>").body.decode()


def test_sites_and_providers_are_steered(site):
    done = site.post("/providers/google/pace", rate=" 5/s ", **{"for": "2h"})
    assert (done.status, done.headers[b"Location"]) == (303, b"/providers/google?done=paced")
    lost = site.ask("/providers/google/forget").body.decode()
    assert f"lets us use half; {escape(HOSTILE[:8])}" in lost
    assert not site.api.asked[1:], "it is confirmed first"
    forgotten = site.post(address("sites", NAME, "forget"), reason=" a mistake ", rate="not asked for")
    assert forgotten.headers[b"Location"] == b"/providers?done=forgotten"
    site.post("/providers/google/forget")
    assert site.api.asked == [
        ("pace", "google", {"of": "google", "who": "ann", "rate": "5/s", "for": "2h"}),
        ("forget", NAME, {"of": NAME, "who": "ann", "reason": "a mistake"}),
        ("forget", "google", {"of": "google", "who": "ann"}),
    ]
    assert b"Done: paced." in site.ask("/providers/google?done=paced").body
    assert b"Done: forgotten. This page shows it within some seconds." in site.ask("/providers?done=forgotten").body


def test_a_site_is_steered_from_the_table_and_from_its_own_page(site):
    place = "/sites/mx.google.example~1"
    for listed in ("/providers", "/providers/google"):
        table = site.ask(listed).body.decode()
        assert f'href="{place}#pace"' in table
        assert f'href="{place}#try-now"' in table
        assert f'href="{place}/forget"' in table
    shown = site.ask(place).body.decode()
    assert f'action="{place}/pace"' in shown
    assert 'name="site" maxlength="255" value="mx.google.example"' in shown
    assert shown.count("Try those of ") == 3, "the campaigns that have not ended"
    assert "autumn" not in shown


def test_a_domain_leads_to_the_page_of_its_site(site):
    for listed in ("/providers", "/providers/google"):
        assert f'<a href="{address("sites", HOSTILE)}"><bdi>' in site.ask(listed).body.decode()
    assert 'href="/sites/gmail.example"' in site.ask("/providers/google").body.decode()
    shown = site.ask("/sites/gmail.example").body.decode()
    assert "<h1><bdi>mx.google.example</bdi></h1>" in shown
    assert "Mail to <bdi>gmail.example</bdi> goes to these servers" in shown
    assert 'action="/sites/mx.google.example~1/pace"' in shown
    assert 'name="site" maxlength="255" value="gmail.example"' in shown
    nowhere = site.ask("/sites/gone.example").body.decode()
    assert "<h1><bdi>gone.example</bdi></h1>" in nowhere
    assert "/pace" not in nowhere


def test_a_site_has_its_page_for_those_who_only_look(tmp_path):
    site = Site(tmp_path, Role.LOOK)
    assert 'href="/sites/mx.google.example~1"' in site.ask("/providers").body.decode()
    assert 'href="/sites/mx.example"' in site.ask("/holds").body.decode()
    assert site.ask("/sites/mx.google.example~1/forget").status == 404


@pytest.mark.parametrize("action", sorted(NEEDED))
def test_a_form_without_its_token_does_nothing(site, action):
    target = f"/{'providers/google' if action in OF_SITES else 'campaigns/spring'}/{action}"
    for answer in (
        site.post(target, token=""),
        site.post(target, token=site.sessions.token("another")),
        site.ask(target, "POST", same_site=False, token=site.token),
    ):
        assert (answer.status, b"nothing was done" in answer.body) == (403, True)
    assert site.ask(target, "POST", session="", token=site.token).status == 303  # to the login
    assert not site.api.asked


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (Role.LOOK, set()),
        (Role.STEER, set(NEEDED) - {"approve"}),
        (Role.APPROVE, set(NEEDED)),
    ],
)
def test_a_role_says_what_may_be_done(tmp_path, role, allowed):
    site = Site(tmp_path, role)
    for action in NEEDED:
        what = "providers/google" if action in OF_SITES else "campaigns/spring"
        assert site.post(f"/{what}/{action}").status == (303 if action in allowed else 403)
    assert {name.replace("_", "-") for name, _, _ in site.api.asked} == allowed
    shown = site.ask("/campaigns/waiting").body.decode()
    assert ("/campaigns/waiting/approve" in shown) is ("approve" in allowed)
    assert ("/campaigns/waiting/pause" in shown) is ("pause" in allowed)
    assert site.ask("/campaigns/waiting/approve").status == (200 if "approve" in allowed else 409)


def test_what_the_service_refuses_is_told_in_its_own_words(site):
    answer = site.post("/campaigns/spring/pause", reason="refuse")
    assert (answer.status, b"refused: &lt;script&gt;" in answer.body) == (409, True)
    assert b"<h1>This cannot be done now</h1>" in answer.body
    assert site.ask("/campaigns/nowhere").status == 404


@pytest.mark.parametrize(
    ("asked", "form"),
    [
        (address("campaigns", NAME, "pause"), address("campaigns", NAME, "pause")),
        ("/campaigns/spring/resume", "/campaigns/spring"),
        ("/providers/google/pace", "/providers/google"),
        ("/sites/mx.google.example~1/pace", "/sites/mx.google.example~1"),
        ("/providers/google/forget", "/providers/google/forget"),
    ],
)
def test_what_is_refused_leads_back_to_its_form(site, asked, form):
    site.api.refuses = True
    answer = site.post(asked, rate="5 per second")
    assert (answer.status, f'<a href="{form}">Back to the form</a>' in answer.body.decode()) == (409, True)
    assert b"Back to the form" not in site.ask("/nowhere").body

    async def faulty(*_, **__):
        raise OwnFault(f"the disk is full {HOSTILE}")

    site.pages._showing._ask = faulty
    assert site.ask("/").status == 503


@pytest.mark.parametrize(
    ("target", "method", "status"),
    [
        ("/", "PUT", 405),
        ("/campaigns", "GET", 303),
        ("/campaigns/spring/pause", "GET", 200),
        ("/campaigns/spring/resume", "GET", 404),
        ("/assets/x/htmx.js", "GET", 200),
        ("/assets/x/y.js", "GET", 404),
        ("/campaigns/spring/x/y", "GET", 404),
        ("/campaigns/spring", "POST", 404),
        ("/campaigns/spring/remove", "POST", 404),
        ("/campaigns/spring/pace", "POST", 404),
        ("/providers/google/pause", "POST", 404),
        ("/holds/x", "GET", 404),
        ("/login", "POST", 303),
    ],
)
def test_other_requests(site, target, method, status):
    assert site.ask(target, method, token=site.token).status == status
    assert not site.api.asked


@pytest.mark.parametrize(
    ("target", "ended", "skip"),
    [
        ("/", "51", "0"),
        ("/?from=500", "51", "500"),
        ("/?from=x", "51", "0"),
        ("/?from=99999999", "51", "0"),
        ("/holds", "0", "0"),
    ],
)
def test_of_the_campaigns_that_have_ended_only_so_many_are_read(site, target, ended, skip):
    site.ask(target)
    assert (site.api.ended, site.api.skip) == (ended, skip)


def test_a_recipient_is_told_what_the_status_means_and_why(site):
    shown = site.ask("/recipients?email=a@b.example").body.decode()
    assert status_words(RECIPIENT["status"]).sentence in shown
    assert f"{category_words(RECIPIENT['category']).title} <span" in shown


def test_a_part_of_an_address_is_not_found_and_the_page_says_so(site):
    assert "Give the whole address" in site.ask("/recipients?email=greta").body.decode()
    shown = site.ask("/recipients?email=nobody@example.com").body.decode()
    assert "No campaign has <bdi>nobody@example.com</bdi>.</p>" in shown


def test_the_page_of_a_provider_has_the_holds_of_whole_campaigns(site):
    assert b'formaction="/campaigns/waiting/resume"' not in site.ask("/providers/google").body
    assert (
        b'<a href="/campaigns/waiting"><bdi>waiting</bdi></a> <span class="light wait">approval'
        in site.ask("/providers/google").body
    )


def test_a_button_says_what_else_a_resume_ends(site):
    for page in (address("campaigns", NAME), "/holds"):
        shown = " ".join(site.ask(page).body.decode().split())
        assert ">Resume all<" in shown
        assert "This also ends what holds it at <bdi>google</bdi>." in shown
    shown = site.ask(address("campaigns", NAME)).body.decode()
    assert (
        "“Resume all” ends <bdi>the pause of the whole campaign</bdi>, <bdi>the stop by a rule at google</bdi>."
        in shown
    )
    assert "Still held" not in shown.partition("<h2>Holds</h2>")[0]
    assert "Still held after it: <bdi>all of it, because a person has paused it</bdi>." in shown
    site.api.campaigns = [campaign(word="paused", holds=[hold(), hold("approval")])]
    shown = site.ask("/campaigns/spring").body.decode()
    assert (
        "“Resume” ends <bdi>the pause of the whole campaign</bdi>. Still held after it: <bdi>all of it, because"
        in shown
    )
    site.api.campaigns = [campaign(word="paused", holds=[hold()])]
    shown = site.ask("/campaigns/spring").body.decode()
    assert ">Resume<" in shown
    assert "Resume all" not in shown


def test_the_page_of_a_provider_leads_to_its_plots(site):
    assert b'href="/campaigns/spring/plots?provider=google"' in site.ask("/providers/google").body


def test_those_that_have_ended_come_in_pages(site):
    first = site.ask("/").body
    assert b"?from=" not in first
    assert b"Newer ones" not in first
    over, going = site.api.campaigns[0], site.api.campaigns[-1]
    site.api.campaigns = [*({**over, "campaign": f"old{n}"} for n in range(51)), going]
    first = site.ask("/").body
    assert b'<a href="/?from=50">Older ones</a>' in first
    assert (b">old1<" in first, b">old0<" in first) == (True, False)
    assert b'<a href="/">Newer ones</a>' in site.ask("/?from=50").body
    assert b'<a href="/?from=100">Newer ones</a>' in site.ask("/?from=150").body
    site.api.campaigns = [going]
    assert b'<a href="/?from=50">Newer ones</a>' in site.ask("/?from=100").body, "where there is none, a way back"


def test_the_preview_is_shown_in_a_frame_without_rights(site, tmp_path):
    for told in site.api.campaigns:
        told["folder"] = str(tmp_path)
    assert site.ask("/campaigns/waiting/preview").status == 404
    assert b"<iframe" not in site.ask("/campaigns/waiting/approve").body
    (tmp_path / "preview").mkdir()
    (tmp_path / "preview" / "index.html").write_text(HOSTILE)
    assert (
        b'<iframe sandbox title="Some of its letters" src="/campaigns/waiting/preview">'
        in site.ask("/campaigns/waiting/approve").body
    )
    answer = site.ask("/campaigns/waiting/preview")
    assert answer.body.decode() == HOSTILE
    policy = answer.headers[b"Content-Security-Policy"].split(b"; ")
    assert {b"sandbox", b"default-src 'none'", b"frame-ancestors 'self'"} <= set(policy)
    assert site.ask("/campaigns/waiting/preview", session="").status == 303


def test_metrics_are_for_who_has_signed_in_and_for_programs_of_users(site):
    asked = site.ask("/metrics", session="")
    assert (asked.status, asked.headers[b"WWW-Authenticate"][:5]) == (401, b"Basic")
    pytest.importorskip("prometheus_client")
    answer = site.ask("/metrics")
    assert (answer.status, answer.headers[b"Content-Type"][:10]) == (200, b"text/plain")
    assert site.api.ended == "50"
    assert site.ask("/metrics", session="", more={"credentials": ("ann", PASSWORD)}).body == answer.body
    assert site.ask("/metrics", session="", more={"credentials": ("ann", "wrong")}).status == 401


@pytest.mark.parametrize(
    "target", ["/", address("campaigns", NAME), "/holds", "/providers", "/providers/google", "/nowhere"]
)
def test_the_part_that_is_renewed_is_what_the_page_has_without_any_session(site, target):
    page = site.ask(target).body.decode()
    stream = site.ask(f"/live{'' if target == '/' else target}")
    part = asyncio.run(site.pages._renewed(stream.view)).decode()
    if target == "/nowhere":
        assert "There is no such page." in part
    else:
        assert part in page
        assert f'sse-connect="{address("live", *parts_of(target.encode()))}"' in page
    assert site.token not in part
    assert "&lt;script&gt;" in part or target == "/nowhere"
    assert (stream.headers[b"Content-Type"], stream.allowed()) == (b"text/event-stream", True)
    site.sessions.end(site.session)
    assert not stream.allowed()
    assert site.ask("/live", session="").status == 303


def test_a_campaign_that_is_gone_is_told_on_its_open_pages(site):
    stream = site.ask("/live/campaigns/gone")
    assert b'role="alert">there is no campaign' in asyncio.run(site.pages._renewed(stream.view))


def test_a_long_form_and_a_late_answer(site):
    assert site.ask("/", "POST", more={"too_long": True}).status == 413
    later = site.pages.later(None, 503, 30)
    assert (later.status, later.headers[b"Retry-After"]) == (503, b"30")
