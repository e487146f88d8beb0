-- Version 14: the policies that receivers publish (MTA-STS); as in the SQLite spool.
CREATE TABLE receiver_policy (
    domain text PRIMARY KEY,
    id text NOT NULL,
    fetched_at double precision NOT NULL,
    expires_at double precision NOT NULL,
    policy text NOT NULL
);
