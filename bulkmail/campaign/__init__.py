"""A campaign's folder: what the marketing team hands in, checked and read.

Room: from files to campaigns and recipients.
Takes: a folder with campaign.yaml, templates, attachments and lists; for the service, a folder of such folders.
Gives: a `Campaign`, the snapshot of everything that enters its messages, and Refused with every problem at once.
Never: opens a file outside the folder, waits for one, writes into it (except STATUS.txt, and what a database answered),
compiles a template.

Reading goes in two steps. `load_campaign` checks the keys and that every file named is there, readable, regular and
inside the folder. `snapshot` then reads what enters a message, once, and has it checked; from there on the files may
change without touching a message. `digests` and `changes` tell a later run what differs. The lists are read by a
worker process of their own (`bulkmail.campaign.ingest`), which is started by its name.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bulkmail.campaign.attempts import attempts_in
    from bulkmail.campaign.browsing import ListRows
    from bulkmail.campaign.canary import canary_rules
    from bulkmail.campaign.copying import copy_campaign
    from bulkmail.campaign.differences import ONE_FOR_ALL, changes, content_hash, digests, picks
    from bulkmail.campaign.entries import keys_of
    from bulkmail.campaign.files import EarlierList, is_ours
    from bulkmail.campaign.folder import (
        Action,
        DropFolder,
        FolderState,
        check_no_pause_file,
        put_aside,
        read_status,
        said_by,
        scan,
        write_beside,
        write_status,
        write_status_in,
    )
    from bulkmail.campaign.ingest import Ingest
    from bulkmail.campaign.jobs import LEFT_OUT, reading_options
    from bulkmail.campaign.load import campaign_as_checked, load_campaign, schema
    from bulkmail.campaign.model import TAKEN_AGAIN, Campaign
    from bulkmail.campaign.naming import check_campaign_name, is_campaign_name, nearest_name
    from bulkmail.campaign.preflight import Lists, survey
    from bulkmail.campaign.query import NotNow, ToBeAskedError, reached
    from bulkmail.campaign.reading import OperatorSettings, content_notices, sender_domain, snapshot
    from bulkmail.campaign.sample import try_rows
    from bulkmail.campaign.schedule import RowZones, ScheduleKeys, schedule_from
    from bulkmail.campaign.starter import starter_files
    from bulkmail.campaign.suppression import listed
    from bulkmail.campaign.unsubscribing import BUILT_IN, ways_out

__all__ = [
    "BUILT_IN",
    "LEFT_OUT",
    "ONE_FOR_ALL",
    "TAKEN_AGAIN",
    "Action",
    "Campaign",
    "DropFolder",
    "EarlierList",
    "FolderState",
    "Ingest",
    "ListRows",
    "Lists",
    "NotNow",
    "OperatorSettings",
    "RowZones",
    "ScheduleKeys",
    "ToBeAskedError",
    "attempts_in",
    "campaign_as_checked",
    "canary_rules",
    "changes",
    "check_campaign_name",
    "check_no_pause_file",
    "content_hash",
    "content_notices",
    "copy_campaign",
    "digests",
    "is_campaign_name",
    "is_ours",
    "keys_of",
    "listed",
    "load_campaign",
    "nearest_name",
    "picks",
    "put_aside",
    "reached",
    "read_status",
    "reading_options",
    "said_by",
    "scan",
    "schedule_from",
    "schema",
    "sender_domain",
    "snapshot",
    "starter_files",
    "survey",
    "try_rows",
    "ways_out",
    "write_beside",
    "write_status",
    "write_status_in",
]

_WHERE = {
    "attempts_in": "attempts",
    "keys_of": "entries",
    "listed": "suppression",
    "LEFT_OUT": "jobs",
    "reading_options": "jobs",
    "TAKEN_AGAIN": "model",
    "check_campaign_name": "naming",
    "copy_campaign": "copying",
    "Action": "folder",
    "Campaign": "model",
    "DropFolder": "folder",
    "EarlierList": "files",
    "FolderState": "folder",
    "Ingest": "ingest",
    "ListRows": "browsing",
    "Lists": "preflight",
    "NotNow": "query",
    "ToBeAskedError": "query",
    "reached": "query",
    "ONE_FOR_ALL": "differences",
    "OperatorSettings": "reading",
    "RowZones": "schedule",
    "ScheduleKeys": "schedule",
    "campaign_as_checked": "load",
    "canary_rules": "canary",
    "changes": "differences",
    "content_hash": "differences",
    "content_notices": "reading",
    "digests": "differences",
    "is_campaign_name": "naming",
    "is_ours": "files",
    "load_campaign": "load",
    "nearest_name": "naming",
    "picks": "differences",
    "scan": "folder",
    "schedule_from": "schedule",
    "schema": "load",
    "sender_domain": "reading",
    "snapshot": "reading",
    "starter_files": "starter",
    "survey": "preflight",
    "try_rows": "sample",
    "BUILT_IN": "unsubscribing",
    "ways_out": "unsubscribing",
    "check_no_pause_file": "folder",
    "put_aside": "folder",
    "read_status": "folder",
    "said_by": "folder",
    "write_beside": "folder",
    "write_status": "folder",
    "write_status_in": "folder",
}


def __getattr__(name: str) -> Any:
    """What is asked for, read then: the process that reads the lists needs none of it, and no Pydantic."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"bulkmail.campaign.{_WHERE[name]}"), name)
