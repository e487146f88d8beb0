-- Version 12: the policies that receivers publish (MTA-STS), each with its end: a restart must not forget what a forger
-- of DNS answers could then suppress. `id`: of the record that announced it; `policy`: its file.
CREATE TABLE receiver_policy (
    domain TEXT PRIMARY KEY,
    id TEXT NOT NULL,
    fetched_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    policy TEXT NOT NULL
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 12;
