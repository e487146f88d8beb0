-- Version 8: what comes back after a message was accepted. One row for each recipient of whom something came back;
-- `late_at`: when the report came that its status is from. `lines`: its events in `attempt`; `seen`: their marks.
CREATE TABLE late (
    recipient_id INTEGER PRIMARY KEY,
    late_at REAL,
    unsubscribed_at REAL,
    complained_at REAL,
    lines INTEGER NOT NULL,
    seen TEXT NOT NULL
) STRICT;

-- Reports of failures of rows that were not final: they are judged when the row is. `attempt_id`: the report's line.
CREATE TABLE late_waiting (
    recipient_id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    status TEXT NOT NULL,
    category TEXT NOT NULL,
    attempt_id INTEGER
) STRICT;

-- What was returned from an address (its hash), over all campaigns: once for each message. `soft` 1: it said nothing
-- lasting of the address.
CREATE TABLE bounce (
    hash INTEGER NOT NULL,
    recipient_id INTEGER NOT NULL,
    at REAL NOT NULL,
    soft INTEGER NOT NULL,
    PRIMARY KEY (hash, recipient_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX bounce_at ON bounce (at) WHERE soft = 1;

-- Whose token it is after the campaign was removed: an unsubscribe still counts. No address is kept, only its hash.
CREATE TABLE gone (
    recipient_id INTEGER PRIMARY KEY,
    hash INTEGER NOT NULL
) STRICT;
CREATE TABLE gone_campaign (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    list TEXT NOT NULL,
    kind TEXT NOT NULL
) STRICT;

PRAGMA user_version = 8;
