-- Version 2 of the spool: what sites have taught us, each with its end. `site`: the site's key, an address, or what a
-- limit counts. What `fact` and `value` mean is the writer's business.
CREATE TABLE site_facts (
    site TEXT NOT NULL,
    fact TEXT NOT NULL,
    value REAL NOT NULL,
    learned_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    PRIMARY KEY (site, fact)
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 2;
