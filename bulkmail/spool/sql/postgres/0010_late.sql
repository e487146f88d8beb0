-- Version 10: what comes back after a message was accepted; as in the SQLite spool.
CREATE TABLE late (
    recipient_id bigint PRIMARY KEY,
    late_at double precision,
    unsubscribed_at double precision,
    complained_at double precision,
    lines integer NOT NULL,
    seen text NOT NULL
);

CREATE TABLE late_waiting (
    recipient_id bigint PRIMARY KEY,
    at double precision NOT NULL,
    status text NOT NULL,
    category text NOT NULL,
    attempt_id bigint
);

CREATE TABLE bounce (
    hash bigint NOT NULL,
    recipient_id bigint NOT NULL,
    at double precision NOT NULL,
    soft integer NOT NULL,
    PRIMARY KEY (hash, recipient_id)
);
CREATE INDEX bounce_at ON bounce (at) WHERE soft = 1;

CREATE TABLE gone (
    recipient_id bigint PRIMARY KEY,
    hash bigint NOT NULL
);
CREATE TABLE gone_campaign (
    id bigint PRIMARY KEY,
    name text NOT NULL,
    list text NOT NULL,
    kind text NOT NULL
);
