-- name: begin
BEGIN

-- name: commit
COMMIT

-- name: rollback
ROLLBACK

-- name: server_version
SELECT current_setting('server_version_num')::integer, current_setting('server_encoding')

-- name: one_at_a_time
-- machines that start together must not make the tables twice
SELECT pg_advisory_xact_lock(hashtext('bulkmail ' || current_schema()), 0)

-- name: has_tables
SELECT to_regclass('meta') IS NOT NULL, to_regclass('campaign') IS NOT NULL

-- name: meta
SELECT value FROM meta WHERE name = %s

-- name: set_meta
INSERT INTO meta (name, value) VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: fence
-- Held until the commit: whoever wants to end this life's claims waits for what it is writing. Heartbeats do not wait.
SELECT state, pg_current_xact_id()::text FROM machine WHERE epoch = %s FOR KEY SHARE

-- name: fate
-- committed, aborted, in progress, or NULL when it was so long ago that nobody knows
SELECT pg_xact_status(%s::xid8)

-- name: notify
SELECT pg_notify('bulkmail_' || current_schema(), %s)

-- name: channel
SELECT 'bulkmail_' || current_schema()

-- name: listen
LISTEN {channel}
