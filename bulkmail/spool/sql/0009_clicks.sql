-- Version 9: clicks, by campaign and link, never by person. `variant`: of the message that the link stood in, or "".
-- `label`: the link as its template has it; rows with no clicks keep the labels.
CREATE TABLE click (
    campaign_id INTEGER NOT NULL,
    link TEXT NOT NULL,
    variant TEXT NOT NULL,
    label TEXT NOT NULL,
    people INTEGER NOT NULL,
    scanners INTEGER NOT NULL,
    PRIMARY KEY (campaign_id, link, variant)
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 9;
