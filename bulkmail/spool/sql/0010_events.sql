-- Version 10: the stream of events, which `bulkmail tail` reads. It holds what the other tables do not tell of an event
-- later; the rest stands in the rows that it names. AUTOINCREMENT: a number never comes back, for readers remember it.
-- `recipient_id` has the row number 0 where it is of the campaign itself.
CREATE TABLE event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    event TEXT NOT NULL,
    recipient_id INTEGER NOT NULL,
    attempt_id INTEGER,
    provider TEXT NOT NULL,
    category TEXT NOT NULL,
    site TEXT NOT NULL,
    note TEXT NOT NULL
) STRICT;

PRAGMA user_version = 10;
