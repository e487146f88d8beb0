-- Version 9: addresses and domains that are not mailed, and for which campaigns; as in the SQLite spool.
CREATE TABLE suppression (
    hash bigint NOT NULL,
    scope text NOT NULL,
    reason text NOT NULL,
    source text NOT NULL,
    at double precision NOT NULL,
    address text,
    PRIMARY KEY (hash, scope, reason)
);

ALTER TABLE campaign ADD COLUMN list text NOT NULL DEFAULT '';
ALTER TABLE campaign ADD COLUMN kind text NOT NULL DEFAULT 'marketing' CHECK (kind IN ('marketing', 'transactional'));
UPDATE campaign SET list = name;
