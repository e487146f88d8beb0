-- Version 7: what keeps a campaign from being sent, and who asked for its end; as in the SQLite spool.
CREATE TABLE hold (
    campaign_id bigint NOT NULL,
    provider text NOT NULL,
    kind text NOT NULL,
    reason text NOT NULL,
    who text NOT NULL,
    since double precision NOT NULL,
    until double precision,
    PRIMARY KEY (campaign_id, provider, kind)
);

CREATE TABLE held_time (
    campaign_id bigint NOT NULL,
    provider text NOT NULL,
    began double precision NOT NULL,
    ended double precision NOT NULL,
    PRIMARY KEY (campaign_id, provider, began)
);

CREATE TABLE cancel_request (
    campaign_id bigint PRIMARY KEY,
    reason text NOT NULL,
    who text NOT NULL,
    since double precision NOT NULL
);

CREATE TABLE whole_report (
    campaign_id bigint PRIMARY KEY
);
INSERT INTO whole_report (campaign_id) SELECT id FROM campaign WHERE state IN ('finished', 'cancelled');
