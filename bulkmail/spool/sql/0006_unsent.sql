-- Version 6: the rows that are never sent (invalid, suppressed, duplicate) have an index of their own, so that all rows of
-- one address are found without reading the others: the rest of them is found by the queue of its domain.
CREATE INDEX recipient_unsent ON recipient (id) WHERE queue_id IS NULL;

PRAGMA user_version = 6;
