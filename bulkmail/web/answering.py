"""What is answered to a request: who may see what, which page, and which operation a form asks for.

A GET changes nothing. A POST is done for who is signed in, with the token of the same session, and with the role that
it needs; it is answered by sending the browser on, so that a reload repeats nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from twisted.logger import Logger

from bulkmail.control import Ask, RequestProblem
from bulkmail.mail import BulkmailError, OwnFault, UnknownName
from bulkmail.public import Answer
from bulkmail.web.metrics import CAMPAIGNS, CONTENT_TYPE, metrics
from bulkmail.web.pages import address, headers, page, see_other, told
from bulkmail.web.preview import preview_answer, read_preview
from bulkmail.web.reading import WebCall
from bulkmail.web.sessions import COOKIE, Sessions, Signed
from bulkmail.web.signin import InThread, SigningIn
from bulkmail.web.users import Role
from bulkmail.web.views import campaign_line, holds_of, matrix, possible, waiting_of, when

_log = Logger("bulkmail")

METHODS = ("GET", "HEAD", "POST")
NEEDED = {"pause": Role.STEER, "resume": Role.STEER, "cancel": Role.STEER, "approve": Role.APPROVE}
"""The operations that forms may ask for, each with the role that it needs."""
_DONE = {"paused", "resumed", "cancelled", "approved"}
_ENDED, _MOST_ENDED = 50, 1000  # campaigns that have ended, on the first page and on the last
_DIGITS = 6
_MOST_SITES = 200
_NOBODY: Mapping[str, Any] = {"who": "", "role": "", "token": "", "can": ()}


class Pages:
    """Answers calls. ``ask``: of the API; ``by_proxy``: whether a proxy may say who asks.

    ``in_thread(work)`` calls it outside of the event loop.
    """

    def __init__(
        self, ask: Ask, signing: SigningIn, sessions: Sessions, in_thread: InThread, *, by_proxy: bool
    ) -> None:
        self._ask = ask
        self._in_thread = in_thread
        self._signing = signing
        self._sessions = sessions
        self._by_proxy = by_proxy
        self._shown: Mapping[str, Callable[[WebCall, Signed], Awaitable[Answer]]] = {
            "": self._campaigns,
            "campaigns": self._campaign,
            "recipients": self._recipients,
            "holds": self._holds,
            "providers": self._providers,
        }

    async def answer(self, call: WebCall) -> Answer:
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
                return await self._post(call, signed)
            first, rest = (call.path[0], call.path[1:]) if call.path else ("", ())
            if first not in self._shown or len(rest) > (2 if first == "campaigns" else 0):
                return told(404, "There is no such page.", frame)
            return await self._shown[first](call, signed)
        except UnknownName as unknown:
            return told(404, str(unknown), frame)
        except RequestProblem as problem:
            return told(problem.status, str(problem), frame)
        except OwnFault as fault:
            return told(503, str(fault), frame)
        except BulkmailError as error:
            return told(409, str(error), frame)

    def later(self, call: WebCall, status: int, seconds: int) -> Answer:
        """Return the answer that asks to come again; ``call`` is looked at by nobody here."""
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
            "can": [name for name, needed in NEEDED.items() if role >= needed],
        }

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
        if len(call.path) != 3 or call.path[0] != "campaigns" or call.path[2] not in NEEDED:
            return told(404, "There is no such page.", frame)
        name, action = call.path[1:]
        if signed.user.role < NEEDED[action]:
            needed = NEEDED[action].word
            return told(403, f"Your role is {signed.user.role.word}; to {action} a campaign takes {needed}.", frame)
        return await self._steer(call, signed, name, action)

    async def _steer(self, call: WebCall, signed: Signed, name: str, action: str) -> Answer:
        who, form = signed.user.name, call.form
        order = {"who": who}
        wanted = {"pause": ("reason", "provider", "for"), "resume": ("provider",), "cancel": ("reason",)}
        for field in wanted.get(action, ()):
            if form.get(field, "").strip():
                order[field] = form[field].strip()
        done = await self._ask(action, {"name": name}, order=order)
        told_of = f" to {order['provider']}" if "provider" in order else ""
        _log.info(
            "web: {who} from {client}: {action} {name!r}{of}: {reason}",
            who=who,
            client=signed.client,
            action=action,
            name=name,
            of=told_of,
            reason=order.get("reason", "no reason given"),
        )
        return see_other(f"{address('campaigns', name)}?done={done['done'] if done['done'] in _DONE else ''}")

    # for programs

    async def _metrics(self) -> Answer:
        try:
            campaigns = await self._ask("campaigns", query={"ended": str(CAMPAIGNS)})
            providers, health = await self._ask("providers"), await self._ask("health")
            body = await self._in_thread(lambda: metrics(campaigns, providers, health))
        except BulkmailError as error:
            return told(503, str(error), _NOBODY)
        return Answer(200, {**headers(), b"Content-Type": CONTENT_TYPE}, body)

    # pages

    async def _campaigns(self, call: WebCall, signed: Signed) -> Answer:
        asked = call.query.get("ended", "")
        most = min(int(asked), _MOST_ENDED) if asked.isdecimal() and len(asked) <= _DIGITS else _ENDED
        found = await self._ask("campaigns", query={"ended": str(most)})
        health = await self._ask("health")
        lines = [campaign_line(one) for one in reversed(found)]
        over = [line for line in lines if line["tone"] == "over"]
        going = [line for line in lines if line["tone"] != "over"]
        more = min(most * 10, _MOST_ENDED) if len(over) >= most < _MOST_ENDED else 0
        values = {
            "going": going,
            "over": over,
            "more": more,
            "fault": health["fault"],
            "fault_since": when(health["fault_since"]),
        }
        return await self._made("campaigns", {**self._frame(signed), **values})

    async def _campaign(self, call: WebCall, signed: Signed) -> Answer:
        frame = self._frame(signed)
        if len(call.path) < 2:
            return see_other("/")
        found = await self._ask("campaign", {"name": call.path[1]})
        line, actions = campaign_line(found), [one for one in possible(found) if one in frame["can"]]
        if len(call.path) == 3 and call.path[2] == "preview":
            shown = await self._in_thread(lambda: read_preview(found["folder"]))
            return told(404, "There is no preview here.", frame) if shown is None else preview_answer(shown)
        if len(call.path) == 3:
            if call.path[2] not in ("cancel", "approve"):
                return told(404, "There is no such page.", frame)
            if call.path[2] not in actions:
                return told(409, f"It cannot be done now: {found['situation']['sentence']}", frame)
            shown = call.path[2] == "approve" and await self._in_thread(lambda: read_preview(found["folder"]))
            return page("confirm", {**frame, "line": line, "action": call.path[2], "preview": bool(shown)})
        providers, recent = await self._ask("providers"), await self._ask("recent", {"name": call.path[1]})
        done = call.query.get("done", "")
        values = {
            "line": line,
            "actions": actions,
            "done": done if done in _DONE else "",
            "told": found,
            "counts": {status: count for status, count in found["by_status"].items() if count},
            "categories": sorted(found["by_category"].items(), key=lambda pair: (-pair[1], pair[0])),
            "matrix": matrix(found["by_provider"], providers, recent["providers"]),
            "recent": recent,
            "holds": holds_of([found]),
            "waiting": found["waiting_sites"],
        }
        return page("campaign", {**frame, **values})

    async def _recipients(self, call: WebCall, signed: Signed) -> Answer:
        email = call.query.get("email", "").strip()
        rows = await self._ask("recipients", query={"email": email}) if email else []
        found = [{**row, "tone": tone_of(row["status"])} for row in reversed(rows)]
        return await self._made("recipients", {**self._frame(signed), "email": email, "rows": found})

    async def _made(self, name: str, shown: Mapping[str, Any]) -> Answer:
        """Return a page that may be long: made outside of the event loop, which it would hold up."""
        made: Answer = await self._in_thread(lambda: page(name, shown))
        return made

    async def _holds(self, _call: WebCall, signed: Signed) -> Answer:
        found = await self._ask("campaigns", query={"ended": "0"})
        return page("holds", {**self._frame(signed), "holds": holds_of(found), "waiting": waiting_of(found)})

    async def _providers(self, _call: WebCall, signed: Signed) -> Answer:
        known = {one["provider"]: one for one in await self._ask("providers")}
        sites = await self._ask("sites", query={"most": str(_MOST_SITES)})
        busy = sorted({site["provider"] for site in sites if site["provider"]} & set(known))
        shown = [{**known[name], "sites": [one for one in sites if one["provider"] == name]} for name in busy]
        others = [site for site in sites if site["provider"] not in known]
        return page("providers", {**self._frame(signed), "providers": shown, "others": others})


def tone_of(status: str) -> str:
    """Return how a row's status is coloured."""
    return {"delivered": "good", "pending": "wait", "deferred": "wait"}.get(status, "over")
