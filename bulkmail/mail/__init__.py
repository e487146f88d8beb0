"""The vocabulary of the house: what every other room speaks of.

Room: words: recipients, replies, outcomes, errors, durations and rates.
Takes: plain values.
Gives: frozen values, and parsers that refuse with a sentence a person can act on.
Never: waits, opens a file or a socket, reads a clock, keeps state.
"""

from __future__ import annotations

from bulkmail.mail.address import (
    Address,
    address_in,
    domain_key,
    local_in,
    parse_address,
    unguarded,
    unseen,
    without_invisible,
)
from bulkmail.mail.errors import (
    AddressError,
    BulkmailError,
    OwnFault,
    Problem,
    Refused,
    UnitError,
    UnknownName,
    WrongState,
)
from bulkmail.mail.groups import names_of, provider_behind
from bulkmail.mail.identity import (
    BOUNCES,
    COMPLAINTS,
    TOKEN_SIZE,
    UNSUBSCRIBE,
    address_hash,
    campaign_key,
    message_id,
    new_key,
    own_address,
    read_token,
    token,
    token_bytes,
)
from bulkmail.mail.late import (
    FAILURES,
    MOST_LINES,
    Found,
    Late,
    LateEvent,
    LateResult,
    ReturnPath,
    Weighed,
    is_repeated,
    overwrites,
    tidied,
    weigh,
)
from bulkmail.mail.lines import complete_lines, plain_lines
from bulkmail.mail.outcome import NOWHERE, Category, Fate, Outcome, Peer, Stage, Status, can_be_tried_again, is_to_leave
from bulkmail.mail.patterns import JUDGED, Pattern, Scope, line_of, parse_pattern
from bulkmail.mail.reply import Reply
from bulkmail.mail.rows import OWN_NAME, RECIPIENT_COLUMNS, SELECTION_COLUMNS, AttemptRow, RecipientRow
from bulkmail.mail.situation import Held, Situation, Standing, Word, clock, is_late, situation
from bulkmail.mail.units import Divided, Rate, format_duration, parse_duration, parse_rate
from bulkmail.mail.variants import REST, WHOLE, Variants

__all__ = [
    "BOUNCES",
    "COMPLAINTS",
    "FAILURES",
    "JUDGED",
    "MOST_LINES",
    "NOWHERE",
    "OWN_NAME",
    "RECIPIENT_COLUMNS",
    "REST",
    "SELECTION_COLUMNS",
    "TOKEN_SIZE",
    "UNSUBSCRIBE",
    "WHOLE",
    "Address",
    "AddressError",
    "AttemptRow",
    "BulkmailError",
    "Category",
    "Divided",
    "Fate",
    "Found",
    "Held",
    "Late",
    "LateEvent",
    "LateResult",
    "Outcome",
    "OwnFault",
    "Pattern",
    "Peer",
    "Problem",
    "Rate",
    "RecipientRow",
    "Refused",
    "Reply",
    "ReturnPath",
    "Scope",
    "Situation",
    "Stage",
    "Standing",
    "Status",
    "UnitError",
    "UnknownName",
    "Variants",
    "Weighed",
    "Word",
    "WrongState",
    "address_hash",
    "address_in",
    "campaign_key",
    "can_be_tried_again",
    "clock",
    "complete_lines",
    "domain_key",
    "format_duration",
    "is_late",
    "is_repeated",
    "is_to_leave",
    "line_of",
    "local_in",
    "message_id",
    "names_of",
    "new_key",
    "overwrites",
    "own_address",
    "parse_address",
    "parse_duration",
    "parse_pattern",
    "parse_rate",
    "plain_lines",
    "provider_behind",
    "read_token",
    "situation",
    "tidied",
    "token",
    "token_bytes",
    "unguarded",
    "unseen",
    "weigh",
    "without_invisible",
]
