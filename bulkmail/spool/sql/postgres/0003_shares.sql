-- Version 3: what one limit counts can be held in numbered shares, by several machines at once: `share` of `shares`.
ALTER TABLE lease ADD COLUMN share integer NOT NULL DEFAULT 1, ADD COLUMN shares integer NOT NULL DEFAULT 1;
ALTER TABLE lease DROP CONSTRAINT lease_pkey, ADD PRIMARY KEY (key, share);
