-- Version 5: what keeps a campaign from being sent, and who asked for its end. All of it outlives the process.
-- `provider` '': all of the campaign. `until` NULL: until it is released. One hold of each kind at each provider.
CREATE TABLE hold (
    campaign_id INTEGER NOT NULL,
    provider TEXT NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    who TEXT NOT NULL,
    since REAL NOT NULL,
    until REAL,
    PRIMARY KEY (campaign_id, provider, kind)
) STRICT, WITHOUT ROWID;

-- Holds that are over: no retry clock counts this time.
CREATE TABLE held_time (
    campaign_id INTEGER NOT NULL,
    provider TEXT NOT NULL,
    began REAL NOT NULL,
    ended REAL NOT NULL,
    PRIMARY KEY (campaign_id, provider, began)
) STRICT, WITHOUT ROWID;

CREATE TABLE cancel_request (
    campaign_id INTEGER PRIMARY KEY,
    reason TEXT NOT NULL,
    who TEXT NOT NULL,
    since REAL NOT NULL
) STRICT;

-- Campaigns whose last report was written to its end. An earlier version did not say so; it is believed that it did it.
CREATE TABLE whole_report (
    campaign_id INTEGER PRIMARY KEY
) STRICT;
INSERT INTO whole_report (campaign_id) SELECT id FROM campaign WHERE state IN ('finished', 'cancelled');

PRAGMA user_version = 5;
