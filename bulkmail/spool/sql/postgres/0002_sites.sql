-- Version 2: what sites have taught us, each with its end; as in the SQLite spool.
CREATE TABLE site_facts (
    site text NOT NULL,
    fact text NOT NULL,
    value double precision NOT NULL,
    learned_at double precision NOT NULL,
    expires_at double precision NOT NULL,
    PRIMARY KEY (site, fact)
);
