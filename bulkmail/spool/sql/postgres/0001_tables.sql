-- Version 1 of a spool in PostgreSQL: the tables of the SQLite one, and who of several machines holds what.
-- Ids: recipient = campaign << 40 | number of the row; attempt = campaign << 40 | sequence. Times of rows are float
-- epoch seconds, written by the machines' clocks; those of machines and leases are this database's own.

CREATE TABLE meta (
    name text PRIMARY KEY,
    value text NOT NULL
);

-- One life of one machine's process. Its number fences: what it writes counts while its state says so, and nothing that
-- it held is taken from it before that has changed. `live`: heartbeats come. `ended`: closed, or not heard of for longer
-- than its lease; it may still settle what it claimed. `recovered`: what it had claimed was taken from it.
CREATE TABLE machine (
    epoch bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    identity text NOT NULL,
    name text NOT NULL,
    boot text NOT NULL,
    state text NOT NULL CHECK (state IN ('live', 'ended', 'recovered')),
    lease double precision NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    heard_since timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE INDEX machine_open ON machine (state) WHERE state <> 'recovered';

-- Who may send to what one limit counts. The row stays when it is let go: the next holder must begin with an empty burst.
CREATE TABLE lease (
    key text PRIMARY KEY,
    epoch bigint,
    since timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE campaign (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    folder text NOT NULL,
    state text NOT NULL,
    key bytea NOT NULL,
    digests text NOT NULL,
    on_unknown text NOT NULL CHECK (on_unknown IN ('retry', 'keep')),
    created_at double precision NOT NULL,
    started_at double precision,
    ended_at double precision,
    exit_status integer,
    import_done integer NOT NULL DEFAULT 0,
    input_rows bigint NOT NULL DEFAULT 0,
    possibly_doubled bigint NOT NULL DEFAULT 0,
    report_position text
);

-- Attempts are numbered under this row's lock, held until the commit: so they become visible in the order of their ids,
-- and a report that has read up to one of them has missed none.
CREATE TABLE attempt_number (
    campaign_id bigint PRIMARY KEY,
    last bigint NOT NULL
);

CREATE TABLE snapshot (
    campaign_id bigint PRIMARY KEY,
    content bytea NOT NULL
);

CREATE TABLE reading (
    campaign_id bigint PRIMARY KEY,
    state bytea NOT NULL
);

CREATE TABLE input_file (
    campaign_id bigint NOT NULL,
    no integer NOT NULL,
    name text NOT NULL,
    columns text NOT NULL,
    PRIMARY KEY (campaign_id, no)
);

-- One per campaign and domain. `cursor`: the last recipient claimed as new; `has_new`: there are rows behind it;
-- `next_at`: the earliest unclaimed row in `due` (NULL: none).
CREATE TABLE queue (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    campaign_id bigint NOT NULL,
    domain text NOT NULL,
    cursor bigint NOT NULL DEFAULT 0,
    has_new integer NOT NULL,
    next_at double precision,
    delivered bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    deferred bigint NOT NULL DEFAULT 0,
    UNIQUE (campaign_id, domain)
) WITH (fillfactor = 70);
CREATE INDEX queue_new ON queue (campaign_id, id) WHERE has_new = 1;
CREATE INDEX queue_due ON queue (campaign_id, next_at, id) WHERE next_at IS NOT NULL;

-- Never changed after the import. queue_id NULL: never to be sent; negative: belongs to queue -queue_id, but held back
-- as a possible duplicate.
CREATE TABLE recipient (
    id bigint PRIMARY KEY,
    queue_id bigint,
    file_no integer NOT NULL,
    row_in_file bigint NOT NULL,
    email text NOT NULL,
    fields text NOT NULL
);
CREATE INDEX recipient_queue ON recipient (queue_id, id) WHERE queue_id IS NOT NULL;

-- An open claim on new rows: those of the queue after after_id up to upto_id. Gone when each is settled or given back.
CREATE TABLE claim (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue_id bigint NOT NULL,
    after_id bigint NOT NULL,
    upto_id bigint NOT NULL,
    claimed_at double precision NOT NULL,
    epoch bigint NOT NULL
);

-- Rows waiting for a retry or given back. next_at NULL: claimed right now, by `epoch`. date NULL: never claimed yet.
CREATE TABLE due (
    recipient_id bigint PRIMARY KEY,
    queue_id bigint NOT NULL,
    next_at double precision,
    date double precision,
    epoch bigint
) WITH (fillfactor = 80);
CREATE INDEX due_next ON due (queue_id, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX due_claimed ON due (epoch) WHERE next_at IS NULL;

CREATE TABLE outcome (
    recipient_id bigint PRIMARY KEY,
    status text NOT NULL,
    category text NOT NULL,
    provider text NOT NULL,
    attempts integer NOT NULL,
    first_attempt_at double precision,
    completed_at double precision,
    date double precision,
    bytes bigint NOT NULL,
    attempt_id bigint,
    doubt integer NOT NULL,
    note text NOT NULL
);

CREATE TABLE attempt (
    id bigint PRIMARY KEY,
    recipient_id bigint NOT NULL,
    at double precision NOT NULL,
    number integer NOT NULL,
    result text NOT NULL,
    category text NOT NULL,
    smtp_code integer,
    enhanced text NOT NULL,
    reply text NOT NULL,
    stage text NOT NULL,
    mx_host text NOT NULL,
    mx_ip text NOT NULL,
    source_ip text NOT NULL,
    tls text NOT NULL,
    duration_ms bigint NOT NULL,
    next_attempt_at double precision
);

-- Each machine counts in rows of its own, so that no two wait for each other; the sum is the total.
CREATE TABLE total (
    campaign_id bigint NOT NULL,
    epoch bigint NOT NULL,
    provider text NOT NULL,
    status text NOT NULL,
    category text NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (campaign_id, epoch, provider, status, category)
);
