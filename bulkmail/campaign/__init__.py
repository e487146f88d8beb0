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

from typing import TYPE_CHECKING

from bulkmail.lazily import later

if TYPE_CHECKING:
    from bulkmail.campaign.attempts import attempts_in
    from bulkmail.campaign.browsing import ListRows
    from bulkmail.campaign.canary import canary_rules
    from bulkmail.campaign.copying import copy_campaign
    from bulkmail.campaign.differences import ONE_FOR_ALL, changes, content_hash, digests, picks
    from bulkmail.campaign.entries import keys_of
    from bulkmail.campaign.files import PLAN_FILE, EarlierList, is_ours
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
    from bulkmail.campaign.jobs import INGEST, LEFT_OUT, reading_options
    from bulkmail.campaign.load import campaign_as_checked, load_campaign, schema
    from bulkmail.campaign.model import TAKEN_AGAIN, Campaign
    from bulkmail.campaign.naming import check_campaign_name, is_campaign_name, nearest_name
    from bulkmail.campaign.preflight import survey
    from bulkmail.campaign.query import NotNow, ToBeAskedError, reached
    from bulkmail.campaign.reading import OperatorSettings, content_notices, sender_domain, snapshot
    from bulkmail.campaign.sample import try_rows
    from bulkmail.campaign.schedule import RowZones, ScheduleKeys, schedule_from
    from bulkmail.campaign.starter import starter_files
    from bulkmail.campaign.suppression import listed
    from bulkmail.campaign.unsubscribing import BUILT_IN, ways_out
else:
    __getattr__ = later(
        __name__,
        {
            "attempts": "attempts_in",
            "browsing": "ListRows",
            "canary": "canary_rules",
            "copying": "copy_campaign",
            "differences": "ONE_FOR_ALL changes content_hash digests picks",
            "entries": "keys_of",
            "files": "PLAN_FILE EarlierList is_ours",
            "folder": (
                "Action DropFolder FolderState check_no_pause_file put_aside read_status said_by scan "
                "write_beside write_status write_status_in"
            ),
            "ingest": "Ingest",
            "jobs": "INGEST LEFT_OUT reading_options",
            "load": "campaign_as_checked load_campaign schema",
            "model": "TAKEN_AGAIN Campaign",
            "naming": "check_campaign_name is_campaign_name nearest_name",
            "preflight": "survey",
            "query": "NotNow ToBeAskedError reached",
            "reading": "OperatorSettings content_notices sender_domain snapshot",
            "sample": "try_rows",
            "schedule": "RowZones ScheduleKeys schedule_from",
            "starter": "starter_files",
            "suppression": "listed",
            "unsubscribing": "BUILT_IN ways_out",
        },
    )

__all__ = [
    "BUILT_IN",
    "INGEST",
    "LEFT_OUT",
    "ONE_FOR_ALL",
    "PLAN_FILE",
    "TAKEN_AGAIN",
    "Action",
    "Campaign",
    "DropFolder",
    "EarlierList",
    "FolderState",
    "Ingest",
    "ListRows",
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
