"""The key ``schedule`` of campaign.yaml: checked, as plain data for the spool, and as the decision it stands for."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainValidator, ValidationInfo, WithJsonSchema, model_validator

from bulkmail.mail import Rate, UnitError, column_at, parse_rate
from bulkmail.shaping import EVERY_DAY, WHOLE_DAY, Hours, Opening, Schedule, instant, parse_days, parse_hours
from bulkmail.yamlfile import ErrorAt, Section
from bulkmail.zones import UnknownZoneError, zone, zone_names

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(Z|[+-]\d\d:\d\d)?", re.ASCII)
_LISTED = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
_ZONE_KEYS = ("column", "default")
_MOST_TOLD = 20


@dataclass(frozen=True)
class TimeZone:
    """Whose clocks count: those of ``name``, or for each row those of the zone in its ``column`` where there is one."""

    name: str
    column: str | None = None


def _time_zone(value: Any) -> TimeZone:
    given = {"default": value} if isinstance(value, str) else value
    if not isinstance(given, Mapping):
        raise ValueError("must be the name of a zone, such as Europe/Berlin, or {column: tz, default: Europe/Berlin}")  # noqa: TRY004
    for key in given:
        if key not in _ZONE_KEYS:
            raise ErrorAt((key,), f"is not a known key; known here: {', '.join(_ZONE_KEYS)}")
    for key in _ZONE_KEYS:
        text = given.get(key)
        if text is None and (key == "default" or isinstance(value, Mapping)):
            what = "the zone of rows without one" if key == "default" else "the column with each row's zone"
            raise ValueError(f"`{key}` is missing: add {what}, for example {{column: tz, default: Europe/Berlin}}")
        if text is not None and (not isinstance(text, str) or not text.strip()):
            raise ErrorAt((key,), "must be text")
    try:
        zone(given["default"])
    except UnknownZoneError as error:
        raise ErrorAt(() if isinstance(value, str) else ("default",), str(error)) from None
    return TimeZone(given["default"], given.get("column"))


def _moment(text: Any, info: ValidationInfo) -> float:
    """Return epoch seconds of ``2026-12-01T09:00+01:00``; without an offset it is a time of the schedule's zone."""
    found = _MOMENT.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"{text!r} is not a time; write it like 2026-12-01T09:00+01:00")
    if "timezone" not in info.data:
        return 0.0  # the zone is wrong, which is told
    time_zone = info.data["timezone"]
    if found[1] is None and time_zone is None:
        raise ValueError(f"{text!r} has no UTC offset; write {text}+01:00 or {text}Z, or add `timezone`")
    try:
        wall = datetime.fromisoformat(text)
        return wall.timestamp() if found[1] is not None else instant(wall, zone(time_zone.name))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is not a time ({error})") from None


def _rate(text: Any) -> Rate:
    try:
        return parse_rate(text)
    except UnitError as error:
        raise ValueError(str(error)) from None


def _texts(value: Any) -> Any:
    if isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value)):
        return value
    raise ValueError("must be text or a list of texts")


def _hours(value: Any) -> Hours:
    return parse_hours(_texts(value))


def _days(value: Any) -> frozenset[int]:
    return parse_days(_texts(value))


def _whole(value: Any) -> Any:
    if isinstance(value, str) and value.replace("_", "").isdigit():
        raise ValueError(f"must be a whole number without quotes: {value}")
    return value


_TIME = {"type": "string", "format": "date-time"}
_ZONES = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {key: {"type": "string"} for key in _ZONE_KEYS},
            "required": list(_ZONE_KEYS),
            "additionalProperties": False,
        },
    ]
}
Moment = Annotated[float, PlainValidator(_moment), WithJsonSchema(_TIME)]


class ScheduleKeys(Section):
    """When the campaign may send, and how much. Instants are epoch seconds."""

    timezone: Annotated[
        Annotated[TimeZone, PlainValidator(_time_zone), WithJsonSchema(_ZONES)] | None,
        Field(description="whose clocks count; or {column: tz, default: Europe/Berlin}", examples=["Europe/Berlin"]),
    ] = None
    not_before: Annotated[
        Moment | None, Field(description="nothing is sent before this time", examples=["2026-12-01T09:00+01:00"])
    ] = None
    not_after: Annotated[
        Moment | None, Field(description="rows not sent by then expire", examples=["2026-12-02T18:00+01:00"])
    ] = None
    hours: Annotated[
        Annotated[Hours, PlainValidator(_hours), WithJsonSchema(_LISTED)] | None,
        Field(description="nothing is sent outside of these hours", examples=["09:00-18:00"]),
    ] = None
    days: Annotated[
        Annotated[frozenset[int], PlainValidator(_days), WithJsonSchema(_LISTED)] | None,
        Field(description="nothing is sent on other days", examples=["mon-fri"]),
    ] = None
    rate: Annotated[
        Annotated[Rate, PlainValidator(_rate), WithJsonSchema({"type": "string"})] | None,
        Field(description="messages of this campaign, over all receivers", examples=["5000/h"]),
    ] = None
    per_day: Annotated[
        Annotated[int, BeforeValidator(_whole), Field(ge=1)] | None,
        Field(description="messages of this campaign in a day of the zone", examples=[20000]),
    ] = None

    @model_validator(mode="after")
    def _in_order(self) -> ScheduleKeys:
        if self.not_before is not None and self.not_after is not None and self.not_after <= self.not_before:
            raise ErrorAt(("not_after",), "must be later than not_before")
        for key in ("hours", "days"):
            if getattr(self, key) is not None and self.timezone is None:
                raise ErrorAt((key,), "needs a zone: add `timezone`, for example timezone: Europe/Berlin")
        if self.not_before is not None and self.decision.never_opens(self.not_before):
            raise ErrorAt(("not_before",), "no window of `days` and `hours` lies between not_before and not_after")
        return self

    @property
    def decision(self) -> Schedule:
        """The schedule of rows without a zone of their own."""
        return Schedule(
            zone=UTC if self.timezone is None else zone(self.timezone.name),
            not_before=self.not_before,
            not_after=self.not_after,
            hours=WHOLE_DAY if self.hours is None else self.hours,
            days=EVERY_DAY if self.days is None else self.days,
            rate=self.rate,
            per_day=self.per_day,
        )

    def plain(self) -> dict[str, Any]:
        """Return the keys as plain data; `schedule_from` takes it."""
        rate = self.rate
        return {
            "zone": None if self.timezone is None else self.timezone.name,
            "column": None if self.timezone is None else self.timezone.column,
            "not_before": self.not_before,
            "not_after": self.not_after,
            "hours": None if self.hours is None else [list(window) for window in self.hours],
            "days": None if self.days is None else sorted(self.days),
            "rate": None if rate is None else [rate.count, rate.period, rate.burst],
            "per_day": self.per_day,
        }


def schedule_from(plain: Mapping[str, Any]) -> Schedule:
    """Return the schedule of rows without a zone of their own, from what `ScheduleKeys.plain` gave.

    A zone that this version of the database does not have any more counts as UTC.
    """
    keys = ScheduleKeys.model_construct(
        timezone=None if plain["zone"] is None else TimeZone(plain["zone"]),
        not_before=plain["not_before"],
        not_after=plain["not_after"],
        hours=None if plain["hours"] is None else tuple((start, end) for start, end in plain["hours"]),
        days=None if plain["days"] is None else frozenset(plain["days"]),
        rate=None if plain["rate"] is None else Rate(*plain["rate"]),
        per_day=plain["per_day"],
    )
    return keys.decision


class RowZones:
    """The schedule of each row of a campaign whose rows name their zones in a column.

    ``columns``: the names of each input file's columns. A row without a zone, or with a name that is none, keeps the
    campaign's own; ``unknown`` are the first such names.
    """

    def __init__(self, schedule: Schedule, column: str, columns: Sequence[Sequence[str]]) -> None:
        self.unknown: dict[str, None] = {}
        self._own = schedule
        self._schedules: dict[str, Schedule] = {}
        self._openings: dict[tzinfo, Opening] = {}
        self._places = [column_at(column, names) for names in columns]

    def of(self, file_no: int, fields: str) -> Schedule:
        """Return the schedule of a row of the file ``file_no`` with the JSON array of its cells."""
        place = self._places[file_no] if file_no < len(self._places) else None
        if place is None:
            return self._own
        cells = json.loads(fields)
        name = cells[place].strip() if place < len(cells) else ""
        if name not in zone_names():
            if name and len(self.unknown) < _MOST_TOLD:
                self.unknown[name] = None
            return self._own
        if name not in self._schedules:
            self._schedules[name] = self._own.in_zone(zone(name))
        return self._schedules[name]

    def opening(self, file_no: int, fields: str, now: float) -> Opening:
        """Say whether a row may be sent at ``now``, and until when; no more messages a day are looked at."""
        schedule = self.of(file_no, fields)
        found = self._openings.get(schedule.zone)
        if found is None or (found.until is not None and found.until <= now):
            found = self._openings[schedule.zone] = schedule.at(now)
        return found

    def next_closing(self, now: float) -> float | None:
        """Return when the first of the zones that rows have had so far closes; None where none is open."""
        ends = [one.until for one in self._openings.values() if one.open and one.until is not None and one.until > now]
        return min(ends, default=None)


def column_problem(key: str, column: str, columns: Sequence[Sequence[str]]) -> str:
    """Return what is wrong with the column that ``key`` of campaign.yaml names; "" where a file has it."""
    if any(column_at(column, names) is not None for names in columns):
        return ""
    names = sorted({name for names in columns for name in names})
    near = difflib.get_close_matches(column, names, 1)
    hint = f"did you mean {near[0]}?" if near else f"the columns are {', '.join(names[:20])}"
    return f"{key}: no recipients file has a column {column!r}; {hint}"
