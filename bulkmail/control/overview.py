"""How the campaigns of a spool stand, as `bulkmail status` and the API tell it: from the spool and a live process.

The command asks the running service for it where there is one, and makes it itself where there is none: the words are
the same, and only what a living process alone knows (rates, sites) is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any

from bulkmail.mail import ClickCount, Held, Situation, Standing, Status, situation
from bulkmail.spool import RUNNING, CampaignRow, CampaignStanding, Hold, Reading, Sign
from bulkmail.zones import zone

if TYPE_CHECKING:
    from bulkmail.delivery import LiveCampaign, LiveSite

WAITING_SITES = 20
"""So many sites that cannot be used are told."""
_SILENT = 30.0  # seconds without a sign of a process that is there


def stamp(at: float | None) -> str | None:
    """Return an epoch time as RFC 3339 in UTC, to the millisecond."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plain_situation(found: Situation) -> dict[str, Any]:
    """Return a situation as the API gives it."""
    times = ("since", "next_attempt_at", "planned_end_at", "expected_end_at")
    return {**found.plain(), **{name: stamp(getattr(found, name)) for name in times}}


def overview(
    reader: Reading,
    now: float,
    name: str | None = None,
    live: Mapping[str, LiveCampaign] | None = None,
    sites: Iterable[LiveSite] = (),
    timezone: str = "UTC",
    ended: int | None = None,
    skip: int = 0,
) -> list[dict[str, Any]]:
    """Return all campaigns, or the one called ``name``, as `campaign_models.CampaignAnswer` has them.

    ``live``: the campaigns that the asked process sends; None where no process was asked. ``sites``: those it sends to.
    ``timezone``: of the times in sentences. ``ended``: of those that have ended only so many, the newest;
    ``skip``: so many of the newest are left out before. Raises OwnFault where the spool cannot be read.
    """
    signs, holds, whole = reader.signs(), reader.holds(), reader.whole_reports()
    waiting = [_site(site) for site in sites if site.until is not None and site.claimed is not None][:WAITING_SITES]
    found = []
    for row in _rows(reader, name, ended, skip):
        own = [hold for hold in holds if hold.campaign_id == row.id]
        stands = reader.standing(row)
        known = (live or {}).get(row.name)
        report = row.id in whole
        if known is not None:
            told = known.situation
        else:
            told = _situation(row, stands, own, signs, now, zone(timezone), report_whole=report)
        one = _campaign(row, stands, own, told, known, waiting if known is not None else [])
        found.append({**one, "report_whole": report})
    return found


def _rows(reader: Reading, name: str | None, ended: int | None, skip: int) -> list[CampaignRow]:
    if name is None:
        return reader.campaigns(ended, skip)
    row = reader.campaign(name)
    return [] if row is None else [row]


def _situation(
    row: CampaignRow,
    stands: CampaignStanding,
    holds: list[Hold],
    signs: list[Sign],
    now: float,
    people: tzinfo,
    *,
    report_whole: bool,
) -> Situation:
    """Return what a campaign is doing by what the spool knows."""
    by_status, outlook, plan = _by_status(stands.totals), stands.outlook, stands.plan
    alive = [sign for sign in signs if sign.alive]
    last = max((sign.at for sign in signs if sign.at), default=None)
    fault = next((sign for sign in alive if sign.fault), None)
    words = "" if fault is None else fault.fault
    since = None if fault is None else fault.fault_since
    if alive and not fault and last is not None and all(sign.at < now - _SILENT for sign in alive if sign.at):
        words, since = "its process is there and gives no sign of life", last
    due = outlook.next_due if outlook.next_due is not None and outlook.next_due > now else None
    return situation(
        Standing(
            state=row.state,
            alive=bool(alive),
            pending=by_status[Status.PENDING],
            deferred=by_status[Status.DEFERRED],
            input_complete=row.import_done,
            held=[held(hold) for hold in holds],
            resting=due is not None and not outlook.new_rows,
            fault=words,
            fault_since=since,
            next_try_at=due if row.state == RUNNING else None,
            started_at=row.started_at,
            ended_at=row.ended_at,
            last_sign=last,
            report_whole=report_whole,
            planned_from=None if plan is None else plan.begins_at,
            planned_end=None if plan is None else plan.ends_at,
        ),
        now,
        people,
    )


def held(hold: Hold) -> Held:
    """Return a hold of the spool as a situation tells it."""
    return Held(hold.kind, hold.provider, hold.reason, hold.who, hold.since, hold.until)


def _campaign(
    row: CampaignRow,
    stands: CampaignStanding,
    holds: list[Hold],
    told: Situation,
    known: LiveCampaign | None,
    waiting: list[dict[str, Any]],
) -> dict[str, Any]:
    by_category: dict[str, int] = {}
    by_provider: dict[str, dict[str, int]] = {}
    for (provider, status, category), count in stands.totals.items():
        if category:
            by_category[category] = by_category.get(category, 0) + count
        if status not in (Status.PENDING, Status.INVALID, Status.DUPLICATE, Status.SUPPRESSED):
            of = by_provider.setdefault(provider or "other", {})
            of[status] = of.get(status, 0) + count
    return {
        "campaign": row.name,
        "state": row.state,
        "situation": plain_situation(told),
        "folder": row.folder,
        "input_rows": row.input_rows,
        "input_complete": row.import_done,
        "by_status": _by_status(stands.totals),
        "by_category": by_category,
        "by_provider": by_provider,
        "possibly_doubled": row.possibly_doubled,
        "late": stands.late._asdict(),
        "clicks": _clicks(stands.clicks),
        "holds": [_hold(hold) for hold in holds],
        "in_flight": None if known is None else {one or "other": count for one, count in known.in_flight.items()},
        "rate": None if known is None else round(known.rate, 1),
        "seconds_left": None if known is None else known.seconds_left,
        "waiting_sites": waiting,
        "started_at": stamp(row.started_at),
        "ended_at": stamp(row.ended_at),
        "exit_status": row.exit_status,
    }


def _clicks(counts: list[ClickCount]) -> dict[str, int] | None:
    if not counts:
        return None
    return {"people": sum(one.people for one in counts), "scanners": sum(one.scanners for one in counts)}


def _by_status(totals: Mapping[tuple[str, str, str], int]) -> dict[str, int]:
    by_status = {str(status): 0 for status in Status}
    for (_, status, _), count in totals.items():
        by_status[status] += count
    return by_status


def _hold(hold: Hold) -> dict[str, Any]:
    told = {name: getattr(hold, name) for name in ("kind", "provider", "reason", "who")}
    return {**told, "since": stamp(hold.since), "until": stamp(hold.until)}


def _site(site: LiveSite) -> dict[str, Any]:
    return {"site": site.site, "why": site.why, "since": stamp(site.since), "until": stamp(site.until)}
