-- Version 7: addresses and domains that are not mailed, and for which campaigns. `hash`: `mail.address_hash`; `address` NULL:
-- only the hash is kept. The reasons of one address are independent: what takes one of them back leaves the others.
CREATE TABLE suppression (
    hash INTEGER NOT NULL,
    scope TEXT NOT NULL,
    reason TEXT NOT NULL,
    source TEXT NOT NULL,
    at REAL NOT NULL,
    address TEXT,
    PRIMARY KEY (hash, scope, reason)
) STRICT, WITHOUT ROWID;

-- What people unsubscribe from, and whether that counts for the campaign at all.
ALTER TABLE campaign ADD COLUMN list TEXT NOT NULL DEFAULT '';
ALTER TABLE campaign ADD COLUMN kind TEXT NOT NULL DEFAULT 'marketing' CHECK (kind IN ('marketing', 'transactional'));
UPDATE campaign SET list = name;

PRAGMA user_version = 7;
