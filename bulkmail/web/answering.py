"""What is answered to a request: who may see what, which page, and which operation a form asks for.

A GET changes nothing. A POST is done for who is signed in, with the token of the same session, and with the role that
it needs; it is answered by sending the browser on, so that a reload repeats nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from twisted.logger import Logger

from bulkmail.control import Ask, RequestProblem, kept_back
from bulkmail.mail import BulkmailError, OwnFault, UnknownName
from bulkmail.public import Answer
from bulkmail.web.assets import script_answer
from bulkmail.web.downloads import replied_csv, replies_csv
from bulkmail.web.metrics import CAMPAIGNS, CONTENT_TYPE, metrics
from bulkmail.web.pages import address, headers, page, part, see_other, stream_headers, told
from bulkmail.web.preview import preview_answer, read_preview
from bulkmail.web.reading import WebCall
from bulkmail.web.renewing import Renewing, Stream, View
from bulkmail.web.sessions import COOKIE, Sessions, Signed
from bulkmail.web.showing import NEEDED, OF_SITES, RENEWED, NoPageError, Showing, Wanted, allowed
from bulkmail.web.signin import InThread, SigningIn
from bulkmail.web.users import Role
from bulkmail.web.views import possible

_log = Logger("bulkmail")

METHODS = ("GET", "HEAD", "POST")
_DONE = {"paused", "resumed", "cancelled", "approved", "paced", "forgotten", "tried now"}
_CONFIRMED = ("pause", "cancel", "approve", "try-now")
_FIELDS = {
    "pause": ("reason", "provider", "for"),
    "resume": ("provider",),
    "cancel": ("reason",),
    "try-now": ("provider", "site"),
}
_NO_REASON = "no reason given"
_DIGITS = 13  # of a number of rows in a link
_NOBODY: Mapping[str, Any] = {"who": "", "role": "", "token": "", "can": ()}


class Pages:
    """Answers calls. ``ask``: of the API; ``by_proxy``: whether a proxy may say who asks.

    ``in_thread(work)`` calls it outside of the event loop.
    """

    def __init__(
        self, ask: Ask, signing: SigningIn, sessions: Sessions, in_thread: InThread, reactor: Any, *, by_proxy: bool
    ) -> None:
        self._ask = ask
        self._in_thread = in_thread
        self._signing = signing
        self._sessions = sessions
        self._by_proxy = by_proxy
        self._showing = Showing(ask)
        self._renewing = Renewing(self._renewed, reactor)

    async def answer(self, call: WebCall) -> Answer | Stream:
        """Return the answer, once it is true."""
        if call.method not in METHODS:
            allowed = ", ".join(METHODS).encode("ascii")
            return told(405, f"{call.method} is not answered.", _NOBODY, {b"Allow": allowed})
        if call.too_long:
            return told(413, "The form is too long.", _NOBODY)
        signed = self._signing.signed(call)
        if call.path == ("metrics",) and call.method != "POST" and (signed or await self._signing.is_user(call)):
            return await self._metrics()
        if signed is None:
            return await self._strange(call)
        frame = self._frame(signed)
        try:
            if call.method == "POST":
                frame["back"] = _place_of_form(call.path)
                return await self._post(call, signed)
            return await self._got(call, signed)
        except NoPageError:
            return told(404, "There is no such page.", frame)
        except UnknownName as unknown:
            return told(404, str(unknown), frame)
        except RequestProblem as problem:
            return told(problem.status, str(problem), frame)
        except OwnFault as fault:
            return told(503, str(fault), frame)
        except BulkmailError as error:
            return told(409, str(error), frame)

    def later(self, call: WebCall, status: int, seconds: int) -> Answer:
        """Return the answer that asks to come again; it is the same for each ``call``."""
        del call
        again = {b"Retry-After": b"%d" % seconds}
        return told(status, f"This could not be answered now; try again in {seconds} s.", _NOBODY, again)

    # signing in

    async def _strange(self, call: WebCall) -> Answer:
        """Answer one who is not signed in: with nothing but a way to do so."""
        if self._by_proxy and call.user:
            return told(403, f"{call.user} may not use this page; `bulkmail user add` lets them.", _NOBODY)
        if call.path == ("metrics",):
            asked = {b"WWW-Authenticate": b'Basic realm="bulkmail", charset="UTF-8"'}
            return told(401, "Give the name and the password of a user.", _NOBODY, asked)
        if call.path != ("login",):
            return see_other("/login")
        if call.method != "POST":
            return page("login", {**_NOBODY, "wrong": False, "wait": 0})
        if not call.same_site:
            return told(403, "Another site has sent this form; nothing was done.", _NOBODY)
        tried = await self._signing.sign_in(call)
        if tried.session:
            return see_other("/", {b"Set-Cookie": self._cookie(tried.session, call)})
        if tried.wait:
            again = {b"Retry-After": b"%d" % tried.wait}
            return page("login", {**_NOBODY, "wrong": False, "wait": tried.wait}, status=429, more=again)
        return page("login", {**_NOBODY, "wrong": True, "wait": 0}, status=403)

    def _cookie(self, secret: str, call: WebCall, *, life: float | None = None) -> bytes:
        seconds = self._sessions.life if life is None else life
        secure = "; Secure" if call.secure else ""
        text = f"{COOKIE}={secret}; Path=/; Max-Age={seconds:.0f}; HttpOnly; SameSite=Lax{secure}"
        return text.encode("ascii")

    def _frame(self, signed: Signed) -> dict[str, Any]:
        role = signed.user.role
        return {
            "who": signed.user.name,
            "role": role.word,
            "token": self._sessions.token(signed.session),
            "can": allowed(role),
        }

    # pages

    async def _got(self, call: WebCall, signed: Signed) -> Answer | Stream:
        """Answer a GET of one who is signed in."""
        match call.path:
            case ("assets", _, name):
                found = script_answer(name, headers())
                if found is None:
                    raise NoPageError
                return found
            case ("live", *path):
                view = View(tuple(path), tuple(sorted(call.query.items())), signed.user.role)
                return Stream(200, stream_headers(), view, self._renewing, lambda: bool(self._signing.signed(call)))
            case ("campaigns",):
                return see_other("/")
            case ("campaigns", name, "replies", *at, "csv") if len(at) in (0, 2):
                asked = (self._ask, self._in_thread, name)
                return await (replied_csv(*asked, *at) if at else replies_csv(*asked))
            case ("campaigns", name, action) if action != "plots":
                return await self._campaign_page(name, action, signed, call.query.get("provider", ""))
        sheet = await self._showing.show(Wanted(call.path, call.query, signed.user.role))
        done = call.query.get("done", "")
        counts = {name: int(told) for name in ("rows", "doubtful") if _is_count(told := call.query.get(name, ""))}
        frame = {**self._frame(signed), "done": done if done in _DONE else "", "counts_done": counts}
        live = address("live", *call.path) + (f"?{urlencode(call.query)}" if call.query else "") if sheet.live else ""

        def made() -> Answer:
            scripts = (*(RENEWED if live else ()), *sheet.scripts)
            return page(sheet.template, {**sheet.values, **frame, "live": live, "scripts": scripts})

        answer: Answer = await self._in_thread(made)  # it may be long, and would hold up the event loop
        return answer

    async def _renewed(self, view: View) -> bytes:
        """Return the part of a page that is renewed; it never fails."""
        try:
            sheet = await self._showing.show(Wanted(view.path, dict(view.query), Role(view.role)))
        except NoPageError:
            sentence = "There is no such page."
        except (RequestProblem, BulkmailError) as error:
            sentence = str(error)
        else:
            made: bytes = await self._in_thread(lambda: part(f"{sheet.template}_part", sheet.values))
            return made
        return part("wrong_part", {"sentence": sentence})

    async def _campaign_page(self, name: str, action: str, signed: Signed, provider: str) -> Answer:
        """Answer with the letters of a campaign, or with the page that an action is confirmed on, for ``provider``."""
        frame = self._frame(signed)
        found, line = await self._showing.campaign(name)
        if action == "preview":
            shown = await self._in_thread(lambda: read_preview(found["folder"]))
            return told(404, "There is no preview here.", frame) if shown is None else preview_answer(shown)
        if action not in _CONFIRMED:
            raise NoPageError
        if action not in possible(found) or action not in frame["can"]:
            return told(409, f"It cannot be done now: {found['situation']['sentence']}", frame)
        shown = action == "approve" and await self._in_thread(lambda: read_preview(found["folder"]))
        providers = sorted(set(found["by_provider"]) - {"other"})
        chosen = provider if provider in providers else ""
        values = {"line": line, "action": action, "preview": bool(shown), "providers": providers, "chosen": chosen}
        if action == "try-now":
            values |= {"deferred": found["by_status"]["deferred"], "kept_back": kept_back(found)}
        return page("confirm", {**frame, **values})

    # what a form asks for

    async def _post(self, call: WebCall, signed: Signed) -> Answer:
        frame = self._frame(signed)
        if not call.same_site or not self._sessions.is_token(signed.session, call.form.get("token", "")):
            _log.warn("web: a form of {who} without its token was refused", who=signed.user.name)
            return told(403, "This form is not of your session any more; nothing was done. Load the page again.", frame)
        if call.path == ("logout",):
            self._signing.sign_out(signed)
            return see_other("/login", {b"Set-Cookie": self._cookie("", call, life=0.0)})
        if call.path == ("login",):
            return see_other("/")
        if len(call.path) != 3 or call.path[2] not in NEEDED:
            raise NoPageError
        what, name, action = call.path
        if what not in ("campaigns", "providers", "sites") or (what == "campaigns") is (action in OF_SITES):
            raise NoPageError
        if signed.user.role < NEEDED[action]:
            needed = NEEDED[action].word
            return told(403, f"Your role is {signed.user.role.word}; to {action} takes {needed}.", frame)
        if action in OF_SITES:
            return await self._steer_site(call, signed, action)
        return await self._steer(call, signed, name, action)

    async def _steer_site(self, call: WebCall, signed: Signed, action: str) -> Answer:
        what, of, _ = call.path
        order = {"of": of, "who": signed.user.name}
        if action == "pace":
            order |= {field: call.form.get(field, "").strip() for field in ("rate", "for")}
        elif reason := call.form.get("reason", "").strip():
            order["reason"] = reason
        done = await self._ask(action, order=order)
        _log.info(
            "web: {who} from {client}: {action} {of!r}{at}",
            who=signed.user.name,
            client=signed.client,
            action=action,
            of=of,
            **{"provider" if what == "providers" else "site": of},
            at=f" {order['rate']} for {order['for']}" if action == "pace" else f": {order.get('reason', _NO_REASON)}",
        )
        place = address("providers", of) if what == "providers" else address("providers")
        return see_other(f"{place}?done={done['done']}")

    async def _steer(self, call: WebCall, signed: Signed, name: str, action: str) -> Answer:
        who, form = signed.user.name, call.form
        order = {"who": who}
        for field in _FIELDS.get(action, ()):
            if form.get(field, "").strip():
                order[field] = form[field].strip()
        done = await self._ask(action.replace("-", "_"), {"name": name}, order=order)
        told_of = "".join(f" to {order[field]}" for field in ("provider", "site") if field in order)
        _log.info(
            "web: {who} from {client}: {action} {campaign!r}{of}: {reason}",
            who=who,
            client=signed.client,
            action=action,
            campaign=name,
            provider=order.get("provider", ""),
            of=told_of,
            reason=order.get("reason", _NO_REASON),
        )
        shown = {"done": done["done"]} if done["done"] in _DONE else {}
        if action == "try-now":
            shown |= {"rows": done["rows"], "doubtful": done["doubtful"]}
        return see_other(f"{address('campaigns', name)}?{urlencode(shown)}")

    # for programs

    async def _metrics(self) -> Answer:
        try:
            campaigns = await self._ask("campaigns", query={"ended": str(CAMPAIGNS)})
            providers, health = await self._ask("providers"), await self._ask("health")
            body = await self._in_thread(lambda: metrics(campaigns, providers, health))
        except BulkmailError as error:
            return told(503, str(error), _NOBODY)
        return Answer(200, {**headers(), b"Content-Type": CONTENT_TYPE}, body)


def _place_of_form(path: tuple[str, ...]) -> str:
    """Return the page with the form that asks for ``path``."""
    match path:
        case ("campaigns", _, action) if action in _CONFIRMED:
            return address(*path)
        case ("providers" | "sites", _, "forget"):
            return address(*path)
        case ("campaigns" | "providers" | "sites", name, _):
            return address(path[0], name)
    return ""


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS
