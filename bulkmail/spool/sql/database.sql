-- name: begin
BEGIN IMMEDIATE

-- name: begin_reading
BEGIN

-- name: commit
COMMIT

-- name: rollback
ROLLBACK

-- name: application_id
PRAGMA application_id

-- name: user_version
PRAGMA user_version

-- name: use_wal
PRAGMA journal_mode = WAL

-- name: synchronous
-- every commit is on the disk when it returns; NORMAL may forget the last ones at a power cut
PRAGMA synchronous = FULL

-- name: cache_size
-- 6 MB of pages: an import over 100,000 domains writes as much and takes the same CPU time as with 16 MB
PRAGMA cache_size = -6144

-- name: autocheckpoint
-- 16 MB of log between two checkpoints: a page that changes often is written home once
PRAGMA wal_autocheckpoint = 4000

-- name: journal_size_limit
PRAGMA journal_size_limit = 67108864

-- name: temp_store
PRAGMA temp_store = MEMORY

-- name: checkpoint
PRAGMA wal_checkpoint(TRUNCATE)

-- name: vacuum
VACUUM

-- name: query_only
PRAGMA query_only = ON

-- name: meta
SELECT value FROM meta WHERE name = ?

-- name: set_meta
INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: keep_meta
INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING
