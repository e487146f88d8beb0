-- Version 1 of the spool. Ids: recipient = campaign << 40 | number of the row; attempt = campaign << 40 | sequence.
-- Times are float epoch seconds. A recipient without a row in `outcome` is pending and was never tried.
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: the id of a removed campaign never comes back, so a stale journal record cannot hit a new one.
CREATE TABLE campaign (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    folder TEXT NOT NULL,
    state TEXT NOT NULL,
    key BLOB NOT NULL,
    digests TEXT NOT NULL,
    on_unknown TEXT NOT NULL CHECK (on_unknown IN ('retry', 'keep')),
    created_at REAL NOT NULL,
    started_at REAL,
    ended_at REAL,
    exit_status INTEGER,
    import_done INTEGER NOT NULL DEFAULT 0,
    input_rows INTEGER NOT NULL DEFAULT 0,
    possibly_doubled INTEGER NOT NULL DEFAULT 0,
    report_position TEXT
) STRICT;

-- Apart from `campaign`, whose row changes every second: a snapshot with its attachments may be many megabytes.
CREATE TABLE snapshot (
    campaign_id INTEGER PRIMARY KEY,
    content BLOB NOT NULL
) STRICT;

-- Where reading the input stands, in the reader's own terms.
CREATE TABLE reading (
    campaign_id INTEGER PRIMARY KEY,
    state BLOB NOT NULL
) STRICT;

CREATE TABLE input_file (
    campaign_id INTEGER NOT NULL,
    no INTEGER NOT NULL,
    name TEXT NOT NULL,
    columns TEXT NOT NULL,
    PRIMARY KEY (campaign_id, no)
) STRICT, WITHOUT ROWID;

-- One per campaign and domain. `cursor`: the last recipient claimed as new; `has_new`: there are rows behind it;
-- `next_at`: the earliest unclaimed row in `due` (NULL: none).
CREATE TABLE queue (
    id INTEGER PRIMARY KEY,
    campaign_id INTEGER NOT NULL,
    domain TEXT NOT NULL,
    cursor INTEGER NOT NULL DEFAULT 0,
    has_new INTEGER NOT NULL,
    next_at REAL,
    delivered INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    deferred INTEGER NOT NULL DEFAULT 0,
    UNIQUE (campaign_id, domain)
) STRICT;
CREATE INDEX queue_new ON queue (campaign_id, id) WHERE has_new = 1;
CREATE INDEX queue_due ON queue (campaign_id, next_at, id) WHERE next_at IS NOT NULL;

-- Never changed after the import. queue_id NULL: never to be sent; negative: belongs to queue -queue_id, but held back
-- as a possible duplicate. The index holds the rowid too, so a queue's rows come out of it in input order.
CREATE TABLE recipient (
    id INTEGER PRIMARY KEY,
    queue_id INTEGER,
    file_no INTEGER NOT NULL,
    row_in_file INTEGER NOT NULL,
    email TEXT NOT NULL,
    fields TEXT NOT NULL
) STRICT;
CREATE INDEX recipient_queue ON recipient (queue_id) WHERE queue_id IS NOT NULL;

-- An open claim on new rows: those of the queue after after_id up to upto_id. Gone when each is settled or given back.
-- claimed_at is also the Date of their messages.
CREATE TABLE claim (
    id INTEGER PRIMARY KEY,
    queue_id INTEGER NOT NULL,
    after_id INTEGER NOT NULL,
    upto_id INTEGER NOT NULL,
    claimed_at REAL NOT NULL
) STRICT;

-- Rows waiting for a retry or given back. next_at NULL: claimed right now. date NULL: never claimed yet.
CREATE TABLE due (
    recipient_id INTEGER PRIMARY KEY,
    queue_id INTEGER NOT NULL,
    next_at REAL,
    date REAL
) STRICT;
CREATE INDEX due_next ON due (queue_id, next_at) WHERE next_at IS NOT NULL;

-- doubt: so many attempts had their final reply lost; at the second chance of a copy it is counted in possibly_doubled.
CREATE TABLE outcome (
    recipient_id INTEGER PRIMARY KEY,
    status TEXT NOT NULL,
    category TEXT NOT NULL,
    provider TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    first_attempt_at REAL,
    completed_at REAL,
    date REAL,
    bytes INTEGER NOT NULL,
    attempt_id INTEGER,
    doubt INTEGER NOT NULL,
    note TEXT NOT NULL
) STRICT;

CREATE TABLE attempt (
    id INTEGER PRIMARY KEY,
    recipient_id INTEGER NOT NULL,
    at REAL NOT NULL,
    number INTEGER NOT NULL,
    result TEXT NOT NULL,
    category TEXT NOT NULL,
    smtp_code INTEGER,
    enhanced TEXT NOT NULL,
    reply TEXT NOT NULL,
    stage TEXT NOT NULL,
    mx_host TEXT NOT NULL,
    mx_ip TEXT NOT NULL,
    source_ip TEXT NOT NULL,
    tls TEXT NOT NULL,
    duration_ms INTEGER NOT NULL,
    next_attempt_at REAL
) STRICT;

CREATE TABLE total (
    campaign_id INTEGER NOT NULL,
    provider TEXT NOT NULL,
    status TEXT NOT NULL,
    category TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (campaign_id, provider, status, category)
) STRICT, WITHOUT ROWID;

PRAGMA application_id = 1112363856;
PRAGMA user_version = 1;
