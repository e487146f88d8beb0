"""A plan for people, as lines of text, and for programs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bulkmail.mail import count_of, format_duration
from bulkmail.preflight.planned import COMPOSED, Plan
from bulkmail.shaping import SECONDS_A_MESSAGE, ClockChange, Leg, format_days, format_hours, moment

_OPENINGS = 7
_CHANGES_AHEAD = 400 * 86400.0  # seconds


def plan_lines(plan: Plan) -> list[str]:
    """Return the plan as lines: who, where, when, and what binds it."""
    return [*_rows(plan), *_destinations(plan), *_when(plan), *_schedule(plan), *_notes(plan), *_assumed()]


def plain_plan(plan: Plan) -> dict[str, Any]:
    """Return the plan as JSON has it; times are RFC 3339 in UTC."""
    flow = plan.flow
    return {
        "campaign": plan.campaign,
        "rows": plan.rows,
        "mailed": plan.mailed,
        "suppressed": plan.suppressed,
        "invalid": plan.invalid,
        "duplicates": plan.duplicates,
        "unroutable": plan.unroutable,
        "domains": plan.domains,
        "fault": plan.fault,
        "begins_at": _utc(flow.begins),
        "ends_at": _utc(flow.ends),
        "sending_seconds": round(flow.sending, 1),
        "not_sent": flow.left,
        "binds": flow.binds,
        "notes": list(plan.notes),
        "timezone": str(plan.schedule.zone),
        "openings": [[_utc(start), _utc(end)] for start, end in _openings(plan)],
        "clock_changes": [_utc(change.at) for change in _changes(plan)],
        "destinations": [
            {
                "name": leg.demand.name,
                "recipients": leg.demand.recipients,
                "sites": leg.demand.sites,
                "per_second": round(leg.pace, 3),
                "binds": leg.binds,
                "begins_at": _utc(leg.begins),
                "ends_at": _utc(leg.ends),
                "not_sent": leg.left,
            }
            for leg in flow.legs
        ],
    }


def _rows(plan: Plan) -> list[str]:
    parts = [("suppressed", plan.suppressed), ("duplicate", plan.duplicates), ("invalid", plan.invalid)]
    left_out = ", ".join(f"{count:,} {what}" for what, count in parts if count)
    are, domains = "is" if plan.mailed == 1 else "are", count_of(plan.domains, "domain")
    lines = [f"{plan.campaign}: {plan.mailed:,} of {count_of(plan.rows, 'row')} {are} to be sent to, at {domains}"]
    if left_out:
        lines.append(f"  left out: {left_out}")
    if plan.unroutable:
        are = count_of(plan.unroutable, "of them is", "of them are")
        lines.append(f"  {are} at domains that mail cannot be sent to now")
    if plan.fault:
        lines.append(f"  not all domains could be looked up: {plan.fault}")
    return lines


def _destinations(plan: Plan) -> list[str]:
    legs = plan.flow.legs
    if not legs:
        return []
    width = max(len(leg.demand.name) for leg in legs)
    lines = ["", f"{'destination':{width}}  {'rows':>10}  {'at most':>10}  what binds it"]
    for leg in legs:
        figures = f"{leg.demand.name:{width}}  {leg.demand.recipients:>10,}  {_pace(leg.pace):>10}"
        lines += [f"{figures}  {_binds(leg)}; {_end(plan, leg)}"]
    return lines


def _binds(leg: Leg) -> str:
    limits = leg.demand.limits
    words = {
        "connections": f"connections: {limits.connections}",
        "rate": f"rate: {limits.rate}",
        "connection_rate": f"connection_rate: {limits.connection_rate}, {limits.messages_per_connection} messages each",
    }
    return words.get(leg.binds, leg.binds)


def _end(plan: Plan, leg: Leg) -> str:
    if leg.ends is None:
        return f"{leg.left:,} not sent"
    return f"through {moment(round(leg.ends), plan.schedule.zone)}"


def _when(plan: Plan) -> list[str]:
    flow, zone = plan.flow, plan.schedule.zone
    if not flow.recipients:
        return ["", "There is nothing to send."]
    lines = [""]
    if flow.begins is None:
        lines.append("Nothing can be sent: its schedule does not open any more.")
    else:
        lines.append(f"It begins {moment(round(flow.begins), zone)}.")
    if flow.ends is not None and flow.begins is not None:
        took = format_duration(max(1.0, flow.ends - flow.begins))
        sending = format_duration(max(1.0, flow.sending))
        lines.append(f"It ends about {moment(round(flow.ends), zone)}: after {took}, {sending} of it sending.")
    elif flow.left:
        until = plan.schedule.not_after
        end = "within a year" if until is None else f"by schedule.not_after, {moment(until, zone)}, and expire"
        lines.append(f"{count_of(flow.left, 'message is', 'messages are')} not sent {end}.")
    lines.append(f"What binds it: {flow.binds}.")
    return lines


def _schedule(plan: Plan) -> list[str]:
    schedule, zone = plan.schedule, plan.schedule.zone
    openings = _openings(plan)
    lines = []
    if openings:
        shown = f"{format_days(schedule.days)} {format_hours(schedule.hours)} {zone}"
        lines += ["", f"It is open ({shown}):"]
        for start, end in openings:
            lines.append(f"  {moment(start, zone)} to " + ("its end" if end is None else moment(end, zone)))
    if plan.own_zones:
        lines.append("Each row goes by the clocks of its own zone; the plan goes by the default's.")
    for change in _changes(plan):
        lines.append(f"The clocks change: {_change(change, plan)}")
    return lines


def _change(change: ClockChange, plan: Plan) -> str:
    what = "do not exist" if change.skipped else "come twice; the first time counts"
    first, last = sorted((change.before, change.after))
    at = moment(change.at, plan.schedule.zone)
    return f"{at}: on {change.before:%Y-%m-%d} the times from {first:%H:%M} to {last:%H:%M} {what}."


def _notes(plan: Plan) -> list[str]:
    return ["", *plan.notes] if plan.notes else []


def _assumed() -> list[str]:
    each, composed = f"{SECONDS_A_MESSAGE:g} s for each message on a connection", f"{COMPOSED:,.0f} messages a second"
    return ["", f"Assumed: {each}, {composed} of each compose process, and no retries."]


def _openings(plan: Plan) -> list[tuple[float, float | None]]:
    """Return the openings that the plan goes through, some at most; none where it is always open."""
    flow, schedule = plan.flow, plan.schedule
    found = schedule.openings(plan.now, _OPENINGS)
    if found == [(plan.now, None)]:
        return []
    end = flow.ends
    return [opening for n, opening in enumerate(found) if n == 0 or end is None or opening[0] <= end]


def _changes(plan: Plan) -> list[ClockChange]:
    """Return the changes of the clocks while it is sent."""
    ends = plan.flow.ends
    if ends is None:
        ends = plan.schedule.not_after or plan.now
    return plan.schedule.clock_changes(plan.now, min(ends, plan.now + _CHANGES_AHEAD))


def _pace(rate: float) -> str:
    return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s" if rate >= 0.1 else f"{rate * 3600:,.0f}/h"


def _utc(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
