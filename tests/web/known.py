"""An API that answers by rote, with hostile words wherever others could have written them."""

from __future__ import annotations

from typing import Any

from bulkmail.control import RequestProblem
from bulkmail.mail import Status, UnknownName

HOSTILE = "<script>document.title='x'</script>'\"&amp;\x1b[31m\u202egnp.exe\x00<img src=x onerror=alert(1)>"
NAME = "spring</h1><script>alert(1)</script>"
AT = "2026-12-02T03:31:00.000Z"


def campaign(name: str = "spring", word: str = "sending", **changed: Any) -> dict[str, Any]:
    """One campaign as the API tells it."""
    situation = {"word": word, "sentence": f"{word}: {HOSTILE}", "reason": HOSTILE, "since": AT, "fault": ""}
    by_status = dict.fromkeys(("pending", "duplicate", "invalid", "suppressed", "cancelled"), 0)
    by_status |= {"pending": 600, "delivered": 300, "deferred": 60, "bounced": 20, "blocked": 15, "expired": 4}
    return {
        "campaign": name,
        "state": "running",
        "situation": {**situation, "next_attempt_at": None, "alive": True},
        "folder": f"/srv/{HOSTILE}",
        "input_rows": 1000,
        "input_complete": True,
        "report_whole": False,
        "by_status": {**by_status, "unknown": 1},
        "by_category": {"bad-mailbox": 20, "policy": 15, "greylisted": 60},
        "by_provider": {"google": {"delivered": 200, "deferred": 10}, HOSTILE[:40]: {"delivered": 100, "bounced": 20}},
        "possibly_doubled": 1,
        "late": {"returned": 0, "unsubscribed": 0, "complained": 0},
        "clicks": {"people": 3, "scanners": 1},
        "holds": [],
        "in_flight": {"google": 7, "yahoo": 1},
        "rate": 12.5,
        "seconds_left": 7500,
        "waiting_sites": [{"site": "mx.example", "why": f"421 {HOSTILE}", "since": AT, "until": AT}],
        "started_at": AT,
        "ended_at": None,
        "exit_status": None,
        **changed,
    }


def hold(kind: str = "paused", provider: str = "") -> dict[str, Any]:
    """One hold as the API tells it."""
    return {"kind": kind, "provider": provider, "reason": HOSTILE, "who": HOSTILE, "since": AT, "until": None}


SITE = {
    "site": "mx.google.example",
    "key": "mx.google.example~1",
    "provider": "google",
    "state": "backing-off",
    "why": f"421 {HOSTILE}",
    "since": AT,
    "until": AT,
    "claimed": 3,
    "in_flight": 2,
    "connections": 1,
    "source": "",
}
HOST = {
    "host": f"mx.{HOSTILE}",
    "ip": "192.0.2.7",
    "source": HOSTILE,
    "state": "failed",
    "tls": "TLSv1.3",
    "cipher": "TLS_AES_128_GCM_SHA256",
    "group": "X25519MLKEM768",
    "tls_policy": "opportunistic",
    "ready_at": AT,
    "failed_at": AT,
    "why": f"421 {HOSTILE}",
    "until": AT,
    "learnt": [HOSTILE],
}
DOMAIN = {"domain": HOSTILE, "rows": 900, "waiting": 400, "delivered": 300, "deferred": 150, "failed": 50}
UNFETCHED = {
    "domain": HOSTILE,
    "provider": "google",
    "why": f"HTTP status 404 {HOSTILE}",
    "at": AT,
    "in_force": False,
    "words": HOSTILE,
}
RECIPIENT = {
    "campaign": NAME,
    "row": f"{HOSTILE}:7",
    "email": "<script>@example.com",
    "status": "bounced",
    "category": "bad-mailbox",
    "attempts": 1,
    "reply": f"550 {HOSTILE}",
    "smtp_code": 550,
    "enhanced_code": "5.1.1",
    "stage": "rcpt",
    "mx_host": HOSTILE,
    "first_attempt_at": AT,
    "completed_at": AT,
    "next_attempt_at": None,
    "late_at": None,
    "unsubscribed_at": None,
    "complained_at": None,
    "note": HOSTILE,
    "history": [
        {
            "at": AT,
            "attempt": 1,
            "result": "failed",
            "category": "bad-mailbox",
            "smtp_code": 550,
            "reply": HOSTILE,
            "stage": "rcpt",
            "mx_host": HOSTILE,
            "mx_ip": "192.0.2.7",
            "source_ip": "192.0.2.1",
            "tls": "TLSv1.3",
            "duration_ms": 1234,
            "next_attempt_at": AT,
        }
    ],
}
ROW = {
    **{name: value for name, value in RECIPIENT.items() if name not in ("campaign", "history")},
    "domain": HOSTILE,
    "provider": HOSTILE,
}
PROVIDER = {
    "provider": "google",
    "mx": [".google.com"],
    "connections": 5,
    "messages_per_connection": 50,
    "rate": "100/s",
    "connection_rate": "100/m",
    "idle": 60.0,
    "tls": "required",
    "rate_factor": 0.5,
    "connections_factor": 0.5,
    "open": 1,
}


RECENT = {
    "campaign": NAME,
    "attempts": 5000,
    "whole": False,
    "accepted_ms": (130, 950),
    "providers": [
        {"provider": "google", "last": 50, "delivered": 12, "accepted_ms": (120, 900), "next_try_at": AT},
        {"provider": HOSTILE[:40], "last": 50, "delivered": 50, "accepted_ms": None, "next_try_at": None},
    ],
    "replies": [
        {
            "provider": "google",
            "category": "rate-limited",
            "wording": "0123456789abcdef",
            "reply": f"421 {HOSTILE}",
            "count": 38,
            "last_at": AT,
        }
    ],
}
BEST = {"campaign": NAME, "minute": {"at": AT, "accepted": 1234}, "hour": {"at": AT, "accepted": 56_789}}
VARIANTS = {
    "campaign": NAME,
    "written_at": AT,
    "variants": [
        {
            "variant": variant,
            "by_status": {"pending": 5, "delivered": 90, "bounced": 3, "blocked": 2},
            "clicked": clicked,
            "unsubscribed": 2,
            "complained": 1,
        }
        for variant, clicked in (("a", 30), (HOSTILE, None))
    ],
    "winner": {"variant": "a", "why": HOSTILE},
}
EXPLAINED: dict[str, Any] = {
    "of": "provider google",
    "key": "",
    "site": "provider google",
    "provider": "google",
    "hosts": [".google.com"],
    "addresses": {},
    "ip": "IPv4",
    "limits": [{"limit": "rate", "value": "100/s", "from": f"/etc/{HOSTILE}:3:4"}],
    "learnt": [f"lets us use half; {HOSTILE}"],
    "binds": "rate",
    "since": None,
    "until": None,
    "ceiling": 3600,
    "policy_problem": "",
    "warmup": [{"source": HOSTILE, "words": f"day 3 {HOSTILE}"}],
    "sentence": f"Our own limit of the rate binds: {HOSTILE}.",
}


class Api:
    """``asked``: the operations, but for those that only read."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.refuses = False  # all that is asked for but what is only read
        self.campaigns = [
            campaign("autumn", "finished", rate=None, seconds_left=None, ended_at=AT, waiting_sites=[]),
            campaign(HOSTILE[:60], "finished", rate=None, ended_at=AT, waiting_sites=[]),
            campaign("waiting", "waiting for approval", holds=[hold("approval")], rate=None, waiting_sites=[]),
            campaign(NAME, "paused", holds=[hold(), hold("rule", "google")]),
            campaign(),
        ]

    async def __call__(self, name: str, path: Any = None, *, query: Any = None, order: Any = None) -> Any:
        """Answer."""
        if name == "campaigns":
            self.ended, self.skip = query["ended"], query.get("skip", "0")
            return self.campaigns
        if name == "campaign":
            found = [one for one in self.campaigns if one["campaign"] == path["name"]]
            if not found:
                raise UnknownName("campaign", path["name"], ["spring"])
            return found[0]
        if name == "health":
            service = {"version": "0.1.0", "machine": "mta1", "process": 42, "started_at": AT, "campaigns": 3}
            return {**service, "fault": HOSTILE, "fault_since": AT, "unattributed": {}}
        if name == "recent":
            return {**RECENT, "campaign": path["name"]}
        if name == "best":
            return {**BEST, "campaign": path["name"]}
        if name == "bests":
            return [{**BEST, "campaign": one["campaign"]} for one in self.campaigns]
        if name == "variants":
            return {**VARIANTS, "campaign": path["name"]}
        if name in ("rows", "rows_of"):
            if path["status"] not in (known := list(map(str, Status))):
                raise UnknownName("status", path["status"], known)
            self.before = query.get("before", "")
            rows = [] if self.before == "1" else [ROW] * 2
            return {"campaign": path["name"], "status": path["status"], "rows": rows, "next": 1 if rows else None}
        if name == "domains":
            rows = [DOMAIN, {**DOMAIN, "domain": "gmail.example", "rows": None, "waiting": None}]
            return {"campaign": path["name"], "provider": path["provider"], "domains": rows, "whole": False}
        if name == "replied":
            return self._replied(path, int(query.get("skip", "0")), int(query.get("most", "2")))
        if name.startswith("over_time"):
            bucket = {"at": AT, "delivered": 600, "failed": 3, "deferred": 30, "unknown": 0, "accepted_ms": (50, 900)}
            later = {**bucket, "at": "2026-12-02T03:32:00.000Z", "delivered": 0, "accepted_ms": None}
            return {"campaign": path["name"], "provider": "", "width": 60, "buckets": [bucket, later]}
        if name == "explain":
            of = query["of"]
            if of.startswith("provider "):
                return EXPLAINED
            key = of if "~" in of else "" if of == "gone.example" else "mx.google.example~1"
            hosts = ["mx.google.example"] if key else []
            return {**EXPLAINED, "of": of, "key": key, "site": hosts[0] if key else "", "hosts": hosts}
        if name in ("unfetched", "unfetched_of"):
            return [UNFETCHED] * min(int(query["most"]), 1000 if path else 1)
        if name == "hosts_of":
            return [HOST] * min(2, int(query["most"]))
        if name in ("sites", "sites_of", "providers"):
            return [PROVIDER if name == "providers" else SITE]
        if name == "recipients":
            return [RECIPIENT] if "@b." in query["email"] else []
        if self.refuses or order.get("reason") == "refuse":
            raise RequestProblem(409, f"refused: {HOSTILE}")
        self.asked.append((name, order["of"] if path is None else path["name"], dict(order)))
        if path is None:
            return {"of": order["of"], "done": "paced" if name == "pace" else "forgotten", "count": 1}
        if name == "try_now":
            return {"campaign": path["name"], "done": "tried now", "situation": None, "rows": 59, "doubtful": 1}
        done = {"pause": "paused", "resume": "resumed", "cancel": "cancelled", "approve": "approved"}
        return {"campaign": path["name"], "done": done[name], "situation": None}

    def _replied(self, path: Any, skip: int, most: int) -> dict[str, Any]:
        """Three rows, two in an answer unless more are asked for; none with other words."""
        there = 3 if path["wording"] == RECENT["replies"][0]["wording"] else 0
        row = {**ROW, "times": 2, "said": f"421 {HOSTILE}", "said_code": 421, "said_at": AT}
        rows = [row] * min(most, max(0, there - skip))
        told = {"campaign": path["name"], "provider": path["provider"], "category": "rate-limited" if there else ""}
        told |= {"reply": f"421 {HOSTILE}" if there else "", "attempts": 5000, "whole": False, "count": 2 * there}
        return {**told, "recipients": there, "rows": rows, "next": skip + most if skip + most < there else None}
