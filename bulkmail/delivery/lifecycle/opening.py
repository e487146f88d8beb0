"""Whether a campaign may be sent, and from where: new, resumed, finished, or refused.

A campaign is its name in the spool. The same name from another folder is another campaign that must not be mixed with
the first; a change to anything that enters a message would make the recipients of one campaign get two different ones.
Both are refused with what differs; ``accept_changes`` takes the change for the rows that are not sent yet.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from errno import EACCES
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from bulkmail.campaign import ONE_FOR_ALL, Campaign, campaign_as_checked, changes, digests, picks, schedule_from
from bulkmail.delivery.run import Run
from bulkmail.files import Folder
from bulkmail.mail import Problem, Refused, Status, count_of, plain_problems, problems_of
from bulkmail.report import ATTEMPTS, NOTHING, Place, Position, has_attempts, has_report, reported_campaign
from bulkmail.shaping import moment
from bulkmail.spool import CANCELLING, ENDED, READY, Audience, CampaignRow, fingerprint
from bulkmail.yamlfile import YamlFile

if TYPE_CHECKING:
    from bulkmail.spool import Spool  # with the event loop, which a check has no need of

_log = Logger("bulkmail")


@dataclass(frozen=True)
class Prepared:
    """A campaign whose files were checked: ``content`` is everything that enters a message, its key still missing.

    ``content_hash``: what a person approves, see `campaign.content_hash`; "" where approval is not asked for.
    """

    campaign: Campaign
    content: dict[str, Any]
    columns: list[list[str]]
    input_bytes: int
    notices: tuple[Problem, ...] = ()
    content_hash: str = ""

    @property
    def files(self) -> list[tuple[str, list[str]]]:
        """Return the input files as campaign.yaml names them, with their columns."""
        return [(str(name), columns) for name, columns in zip(self.campaign.recipients, self.columns, strict=True)]

    @property
    def path(self) -> str:
        """Return the path of campaign.yaml, for messages to people."""
        return self.campaign.file.path

    @property
    def plain(self) -> dict[str, Any]:
        """Return it as plain data, for another process than the one that has made the check."""
        campaign, file = self.campaign, self.campaign.file
        return {
            "folder": (campaign.folder, campaign.opened.id),
            "file": (file.path, file.value, file.keys, file.values, file.texts),
            "lists": dict(campaign.lists),
            "content": self.content,
            "columns": self.columns,
            "input_bytes": self.input_bytes,
            "notices": plain_problems(self.notices),
            "content_hash": self.content_hash,
        }

    @classmethod
    def of(cls, plain: Mapping[str, Any], path: str, spool: str, *, follow: bool) -> Prepared:
        """Return what `plain` was made of; no file is looked at again. Raises Refused where its folder has changed.

        ``path``: of the folder, for messages to people. ``follow``: whether the folder may be a link.
        """
        where, known = plain["folder"]
        try:
            folder = Folder.open(where, known=known, follow=follow)
        except OSError as error:
            raise Refused([Problem(path, 0, 0, f"its folder cannot be opened ({error.strerror})")]) from None
        campaign = campaign_as_checked(YamlFile(*plain["file"]), folder, plain["lists"], spool)
        notices = tuple(problems_of(plain["notices"]))
        content, columns, size = plain["content"], plain["columns"], plain["input_bytes"]
        return cls(campaign, content, columns, size, notices, plain["content_hash"])


@dataclass(frozen=True)
class Report:
    """Where a report is written, and who counts the attempts that an earlier one there has behind a position.

    ``beyond`` is None for a rehearsal's, which always begins anew.
    """

    place: Place
    beyond: Callable[[Place, Position], Awaitable[int]] | None = None


@dataclass(frozen=True)
class Opened:
    """A campaign in the spool, ready to go on. ``finished``: nothing is left to send."""

    run: Run
    row: CampaignRow
    reading: Any
    finished: bool


def refusal(
    prepared: Prepared, row: CampaignRow, *, accept_changes: bool, sent: int = 0, goes_on: bool = False
) -> Refused | None:
    """Return why the campaign must not go on with what the spool has under its name; None when it may.

    ``sent``: how many rows have the message. ``goes_on``: it has ended, and is to be sent to new rows.
    """
    campaign = prepared.campaign
    name = campaign.name
    if not _same_folder(prepared, row) and not (_untouched(row) and not os.path.exists(row.folder)):
        remedy = "give this campaign another name"
        if not os.path.isdir(row.folder):
            remedy = f"that folder is gone: if this is the same campaign, move it back there; if not, {remedy}"
        words = f"name: {name!r} is already in the spool, sent from {row.folder}; {remedy}"
        return Refused([campaign.file.problem(("name",), words)])
    if _untouched(row) or ((row.state in ENDED or row.state == CANCELLING) and not goes_on):
        return None
    found = changes(row.digests, digests(campaign, prepared.content))
    if any(change.startswith(ONE_FOR_ALL) for change in found):
        words = (
            f"{name}: it was begun {'without' if prepared.content['same_for_all'] else 'as'} {ONE_FOR_ALL} (`to`, and "
            "nothing printed of a row), and that cannot be changed any more; put it back, or use another name"
        )
        return Refused([Problem(prepared.path, 0, 0, words)])
    if picked := [change for change in found if picks(change)]:
        read = count_of(row.input_rows, "row was", "rows were")
        words = (
            f"since it was started, and {read} read by what it was; put it back, or `bulkmail "
            f"cancel {name}` and send the rest as a campaign of another name (`recipients: {{rest_of: {name}}}`)"
        )
        return Refused(Problem(prepared.path, 0, 0, f"{name}: {change} {words}") for change in picked)
    if found and not accept_changes:
        told = f"{sent:,} of {row.input_rows:,} rows were sent as it was before" if sent else "no row has been sent yet"
        remedy = (
            "put back what it was, or take the change for the rows that are not sent yet: `bulkmail accept "
            f"{name}`, a file called ACCEPT in the folder, or --accept-changes at a start"
        )
        return Refused(
            Problem(prepared.path, 0, 0, f"{name}: {change} since it was started; {told}; {remedy}") for change in found
        )
    return None


def sent_of(totals: Mapping[tuple[str, str, str], int]) -> int:
    """Return how many rows have the message, or may have it, by a campaign's totals."""
    return sum(count for (_, status, _), count in totals.items() if status in (Status.DELIVERED, Status.UNKNOWN))


def content_of(prepared: Prepared, row: CampaignRow) -> dict[str, Any]:
    """Return everything that enters the messages of a campaign that is in the spool."""
    return {**prepared.content, "key": row.key, "date": row.created_at}


def too_late(prepared: Prepared, now: float) -> Refused | None:
    """Return why the schedule lets nothing of a new campaign be sent from ``now`` on; None where something can be."""
    plain = prepared.content.get("schedule")
    if plain is None or not (schedule := schedule_from(plain)).never_opens(now):
        return None
    assert schedule.not_after is not None
    ends = moment(schedule.not_after, schedule.zone)
    words = f"schedule.not_after: {ends} has passed; nothing would be sent"
    if not schedule.over(now):
        words = f"schedule.not_after: no window of `days` and `hours` is left before {ends}; nothing would be sent"
    return Refused([prepared.campaign.file.problem(("schedule", "not_after"), words)])


def _same_folder(prepared: Prepared, row: CampaignRow) -> bool:
    return os.path.realpath(row.folder) == os.path.realpath(prepared.campaign.folder)


def _untouched(row: CampaignRow) -> bool:
    """Return whether nothing was read or sent: the campaign waits for its approval, its content may still change."""
    return row.state == READY and not row.input_rows


def _is_another(prepared: Prepared, row: CampaignRow, found: Mapping[str, str]) -> bool:
    """Return whether the spool has another content, nothing of which was read or sent: the campaign is made anew."""
    if not _untouched(row) or refusal(prepared, row, accept_changes=True) is not None:
        return False
    return bool(changes(row.digests, found)) or not _same_folder(prepared, row)


async def _remove(spool: Spool, row: CampaignRow) -> None:
    while not await spool.remove_campaign(row.id):
        pass


async def _check_report(spool: Spool, prepared: Prepared, row: CampaignRow | None, report: Report) -> None:
    """Refuse where no report can be written, or one tells of attempts that the spool has forgotten.

    The spool would make them again.
    """
    place = report.place
    try:
        place.probe()
    except OSError as error:
        remedy = f"; let the user of this process write there (uid {os.geteuid()})" if error.errno == EACCES else ""
        words = f"no report can be written here: {error.strerror}{remedy}"
        raise Refused([Problem(place.path, 0, 0, words)]) from None
    if not has_report(place):
        return
    if report.beyond is None:
        return
    told_of = reported_campaign(place)
    # the report of another campaign came with a copy of its folder, and is begun anew for this one
    if told_of != prepared.campaign.name and (row is None or (told_of and not row.report_position)):
        return
    position = tuple(row.report_position or NOTHING) if row else NOTHING
    # first what came last, which is little; then all of it: the file may have been edited
    for known_good in (position, NOTHING):
        told = await report.beyond(place, known_good) if has_attempts(place) else 0
        known = await spool.attempts_after(row.id, known_good[1]) if row and told else 0
        if told <= known:
            return
    what = "an older copy" if row else "another one, or a new one"
    words = (
        f"tells of {count_of(told - known, 'attempt')} that the spool does not know, so this spool is {what}, and they "
        "would be made again; restore the newest copy of the spool, or move the report away and send to those who are "
        "not `delivered` in it under another name"
    )
    raise Refused([Problem(str(place.file(ATTEMPTS)), 0, 0, words)])


async def _keys_differ(spool: Spool, row: CampaignRow, content: dict[str, Any]) -> bool:
    """Return whether the spool has not the DKIM keys that the settings have now; which of them is another one is told.

    A key that was exchanged under its selector is no change of the message: its record was exchanged too.
    """
    stored = (await spool.content(row.id)).get("dkim", [])
    known = {(entry["domain"], entry["selector"]): fingerprint(entry) for entry in stored}
    for entry in content["dkim"]:
        if known.get((entry["domain"], entry["selector"]), fingerprint(entry)) != fingerprint(entry):
            _log.warn(
                "{campaign}: the DKIM key of {domain}, selector {selector}, is another one than when the campaign was "
                "started; the rows not sent yet are signed with it, so its record must be the new one",
                campaign=row.name,
                domain=entry["domain"],
                selector=entry["selector"],
            )
    lacking = spool.leases is not None and any("pem" not in entry for entry in stored)  # others sign with these
    return lacking or known != {(entry["domain"], entry["selector"]): fingerprint(entry) for entry in content["dkim"]}


async def _create(
    spool: Spool, prepared: Prepared, found: dict[str, str], now: float
) -> tuple[CampaignRow, dict[str, Any]]:
    campaign = prepared.campaign
    content = {**prepared.content, "date": now}
    row = await spool.create_campaign(
        campaign.name,
        campaign.folder,
        content=content,
        digests=found,
        files=prepared.files,
        now=now,
        on_unknown=campaign.on_unknown,
        list=campaign.listed,
        kind=campaign.kind,
    )
    return row, {**content, "key": row.key}


async def open_campaign(
    spool: Spool,
    prepared: Prepared,
    *,
    now: float,
    accept_changes: bool,
    report: Report | None = None,
    goes_on: bool = False,
) -> Opened:
    """Find or make the campaign in the spool. ``report``: where its report is written. Raises Refused, OwnFault.

    ``goes_on``: a finished one has new rows, and is sent to these.
    """
    campaign = prepared.campaign
    row = await spool.campaign(campaign.name)
    if report is not None:
        await _check_report(spool, prepared, row, report)
    found = digests(campaign, prepared.content)
    if row is not None and _is_another(prepared, row, found):
        await _remove(spool, row)
        row = None
    if row is None:
        late = too_late(prepared, now)
        if late is not None:
            raise late
        row, content = await _create(spool, prepared, found, now)
    else:
        sent = sent_of(await spool.totals(row.id))
        refused = refusal(prepared, row, accept_changes=accept_changes, sent=sent, goes_on=goes_on)
        if refused is not None:
            raise refused
        content = content_of(prepared, row)
        open_again = goes_on or row.state not in {*ENDED, CANCELLING}
        other_keys = open_again and await _keys_differ(spool, row, content)
        if goes_on or (open_again and (other_keys or row.digests != found)):
            await spool.update_content(
                row.id,
                content,
                found,
                prepared.files,
                on_unknown=campaign.on_unknown,
                audience=Audience(campaign.listed, campaign.name, campaign.kind),
            )
    run = Run(
        id=row.id,
        name=row.name,
        folder=campaign.folder,
        content=content,
        on_unknown=campaign.on_unknown,
        started_at=row.started_at or now,
        input_rows=row.input_rows,
        import_done=False,
        list_name=row.list,
        kind=row.kind,
    )
    finished = row.state in ENDED and not goes_on
    await _take_figures(spool, run, finished=finished)
    return Opened(run, row, await spool.import_state(row.id), finished)


async def _take_figures(spool: Spool, run: Run, *, finished: bool) -> None:
    """Give a campaign the figures that the spool has of it."""
    totals = await spool.totals(run.id)
    run.add_to_totals(Counter({key: count for key, count in totals.items() if key[1] != Status.PENDING}))
    run.late = await spool.late_counts(run.id)
    if finished:
        run.import_done = True
        run.plan = await spool.plan(run.id)
