-- Version 3: the index over the queues' rows goes by chunks of 262,144 rows. Rows come in at random over the queues: in
-- one index over all, each batch of a long list changes nearly as many pages as it has rows (measured: 0.9 KB written
-- for a row in a list of 300,000, 5.7 KB at 1.8 million and rising). A chunk's part of it stays in the cache, and is
-- not changed any more once the chunk is full; so a row costs the same at 10 million. `new_rows` looks into chunk after
-- chunk.
DROP INDEX recipient_queue;
CREATE INDEX recipient_chunk ON recipient (id >> 18, queue_id) WHERE queue_id IS NOT NULL;
CREATE INDEX recipient_held ON recipient (id) WHERE queue_id < 0;

PRAGMA user_version = 3;
