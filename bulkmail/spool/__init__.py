"""The durable state: campaigns, recipients, claims, outcomes, attempts; and the journal beside it.

Room: what must still be true after a kill, a power cut or a full disk; the only SQL in the house.
Takes: input rows, claims, settlements, rows given back, and the journal's records for each message.
Gives: rows to send, each to one claimant at a time; what a start found; everything a report needs, to readers.
Never: sends, judges or schedules; forgets a row; replaces a file that it cannot read with a fresh one.

How is nothing lost and nothing sent twice?

A row of the input is in exactly one of four places, and the tables say which:

    pending   a `recipient` row behind its queue's cursor       never claimed
    claimed   inside an open `claim`, or in `due` without a time    this process may be sending it
    waiting   in `due` with a time                              deferred, or given back without a charge
    final     an `outcome` with a final status                  never claimed again

A claim moves the queue's cursor and is on the disk (synchronous=FULL) before its first row is handed out, so what may
be on the wire after a crash is always inside the claims that a start finds. A settlement is one transaction over up
to 500 rows: the attempts, the outcomes, the waiting rows, the totals and the end of the claims stand or fall
together, so the counts always sum to the input. Settling twice is settling once: a row that is not claimed (any more)
and an attempt that is already stored are passed over.

Between a receiver's 250 and the commit that records it there is a gap that no sender can close (RFC 1047); the journal
makes it as narrow as a system call. DOT is written before the final dot can leave, REPLY in the turn that read the
reply, both with write() and no fsync: they survive the death of the process, not that of the machine. A start reads
the journal before anything is claimed, and finds for each row left claimed one of

    a REPLY                   the row is settled with it, as if the commit had come in time
    a DOT and no REPLY        ambiguous: the receiver may have it. One attempt `unknown` is booked, and it is tried
                              again as `retry` says, or never (`on_unknown: keep`, or enough copies have left)
    neither (or taken back)   not sent: due at once. But when the journal is missing, damaged, or of another boot of
                              the machine, its silence proves nothing, and the row is ambiguous too

What comes back after a message was accepted (`late.py`) never writes to a row that is not final, and no settlement
looks for it: a report that is early waits in a table of its own. A line, a status, the totals and the suppression that
follow are one transaction too, so a row is suppressed from the moment that its report was said to be recorded; and a
token stays good after its campaign was removed, by a hash of its address.

There are two stores of one contract (`contract.py`), in `sqlite/` and `postgres/`; `opening.py` chooses. In PostgreSQL
the tables are the same, and several machines may have them in use: which of them has claimed what, and what is made of
a machine that ended, is described in `postgres/store.py`; how the end of a transaction is always known, in
`postgres/database.py`.

The Date is fixed by the first claim (an open claim's time is its rows' Date) and outlives crash and retry; Message-ID
and boundary are derived from the row; so the copies of an ambiguous message are the same to the byte, and a receiver
can drop the second.

What a failure means. Disk full, I/O error, database locked: the transaction is rolled back, nothing in memory changes,
the caller gets OwnFault; outcomes are kept in memory (and in the journal) and written again every five seconds, and
until they are, claims fail: sending stops of itself. The journal's DOT fails: the dot must not leave. Its REPLY fails:
the outcome still goes to the store; only a crash before the commit would make it ambiguous. The file is empty, damaged,
newer, behind its journal, or gone while its log or journal is there: refused, or recipients would get the mail again.
The file is older: copied, then brought up to date in one transaction. What is known of sites (`sites.py`) cannot be
read or written: that is logged, and sending goes on. A second daemon: refused by a lock that the kernel drops with its
holder. Readers are other connections, read-only, so that this process alone writes and checkpoints (SQLite before
3.51.3 can damage a file that two do).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkmail.lazily import later

if TYPE_CHECKING:
    from bulkmail.spool.address import has_password, public
    from bulkmail.spool.arrivals import Arrival, LateCounts, Recorded
    from bulkmail.spool.backing_up import back_up_spool
    from bulkmail.spool.budgeting import BudgetUse
    from bulkmail.spool.by_status import StatusRow
    from bulkmail.spool.campaigns import CANCELLED, CANCELLING, ENDED, READY, RUNNING
    from bulkmail.spool.copying import copy_spool
    from bulkmail.spool.front import Spool
    from bulkmail.spool.holding import TOGETHER, Tried, TryNow
    from bulkmail.spool.intake import ENDED_BY
    from bulkmail.spool.journal import Journal, Journalled, read_journal
    from bulkmail.spool.maintenance import (
        choose_winner,
        forget_sites,
        hold_campaign,
        lift_hold,
        remove_campaign,
        request_accept,
        request_cancel,
        try_now,
        unsent,
    )
    from bulkmail.spool.opening import open_spool
    from bulkmail.spool.place import estimate, free_bytes, in_use
    from bulkmail.spool.postgres.leases import Leases
    from bulkmail.spool.readers import find_reader, open_reader
    from bulkmail.spool.reading import Reading
    from bulkmail.spool.requests import check_held, check_not_ended, check_removable, chosen_by_hand, named
    from bulkmail.spool.rows import (
        HOLD_KINDS,
        AcceptRequest,
        Attempt,
        CampaignRow,
        CancelRequest,
        Claimed,
        DomainRows,
        EventBounds,
        HeldTime,
        Hold,
        ReceiverPolicy,
        RecentAttempt,
        Recovered,
        Settlement,
        Sign,
        SiteFact,
        StoredPlan,
        campaign_of,
        number_of,
        recipient_id,
    )
    from bulkmail.spool.scopes import (
        EVERYTHING,
        REASONS,
        Audience,
        Kind,
        Suppression,
        campaign_scope,
        is_scope,
        list_scope,
    )
    from bulkmail.spool.shared import OneOfMany
    from bulkmail.spool.sqlite.reader import Reader
    from bulkmail.spool.sqlite.store import SqliteStore
    from bulkmail.spool.standing import CampaignStanding
    from bulkmail.spool.stored import fingerprint
else:
    __getattr__ = later(
        __name__,
        {
            "address": "has_password public",
            "arrivals": "Arrival LateCounts Recorded",
            "backing_up": "back_up_spool",
            "budgeting": "BudgetUse",
            "by_status": "StatusRow",
            "campaigns": "CANCELLED CANCELLING ENDED READY RUNNING",
            "copying": "copy_spool",
            "front": "Spool",
            "holding": "TOGETHER Tried TryNow",
            "intake": "ENDED_BY",
            "journal": "Journal Journalled read_journal",
            "maintenance": (
                "choose_winner forget_sites hold_campaign lift_hold remove_campaign request_accept "
                "request_cancel try_now unsent"
            ),
            "opening": "open_spool",
            "place": "estimate free_bytes in_use",
            "postgres.leases": "Leases",
            "readers": "find_reader open_reader",
            "reading": "Reading",
            "requests": "check_held check_not_ended check_removable chosen_by_hand named",
            "rows": (
                "RecentAttempt HOLD_KINDS AcceptRequest Attempt CampaignRow CancelRequest Claimed "
                "DomainRows EventBounds HeldTime Hold ReceiverPolicy Recovered Settlement Sign SiteFact "
                "StoredPlan campaign_of number_of recipient_id"
            ),
            "scopes": "EVERYTHING REASONS Audience Kind Suppression campaign_scope is_scope list_scope",
            "shared": "OneOfMany",
            "sqlite.reader": "Reader",
            "sqlite.store": "SqliteStore",
            "standing": "CampaignStanding",
            "stored": "fingerprint",
        },
    )

__all__ = [
    "CANCELLED",
    "CANCELLING",
    "ENDED",
    "ENDED_BY",
    "EVERYTHING",
    "HOLD_KINDS",
    "READY",
    "REASONS",
    "RUNNING",
    "TOGETHER",
    "AcceptRequest",
    "Arrival",
    "Attempt",
    "Audience",
    "BudgetUse",
    "CampaignRow",
    "CampaignStanding",
    "CancelRequest",
    "Claimed",
    "DomainRows",
    "EventBounds",
    "HeldTime",
    "Hold",
    "Journal",
    "Journalled",
    "Kind",
    "LateCounts",
    "Leases",
    "OneOfMany",
    "Reader",
    "Reading",
    "ReceiverPolicy",
    "RecentAttempt",
    "Recorded",
    "Recovered",
    "Settlement",
    "Sign",
    "SiteFact",
    "Spool",
    "SqliteStore",
    "StatusRow",
    "StoredPlan",
    "Suppression",
    "Tried",
    "TryNow",
    "back_up_spool",
    "campaign_of",
    "campaign_scope",
    "check_held",
    "check_not_ended",
    "check_removable",
    "choose_winner",
    "chosen_by_hand",
    "copy_spool",
    "estimate",
    "find_reader",
    "fingerprint",
    "forget_sites",
    "free_bytes",
    "has_password",
    "hold_campaign",
    "in_use",
    "is_scope",
    "lift_hold",
    "list_scope",
    "named",
    "number_of",
    "open_reader",
    "open_spool",
    "public",
    "read_journal",
    "recipient_id",
    "remove_campaign",
    "request_accept",
    "request_cancel",
    "try_now",
    "unsent",
]
