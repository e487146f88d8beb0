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
-- Held until the commit: a machine that takes over this incarnation's claims waits for what it writes. Heartbeats do
-- not wait.
WITH counted AS (
    INSERT INTO last_write AS l (epoch, number) VALUES (%(epoch)s, %(number)s)
    ON CONFLICT (epoch) DO UPDATE SET number = excluded.number
)
SELECT state FROM machine WHERE epoch = %(epoch)s FOR KEY SHARE

-- name: last_write
-- Waits for the end of a transaction whose client is lost; and because it locks, it is a write itself, so that with
-- synchronous replication it is not answered before the standby has what it tells of.
SELECT number FROM last_write WHERE epoch = %s FOR UPDATE

-- name: notify
SELECT pg_notify('bulkmail_' || current_schema(), %s)

-- name: channel
SELECT 'bulkmail_' || current_schema()

-- name: listen
LISTEN {channel}

-- name: keep_meta
INSERT INTO meta (name, value) VALUES (%s, %s) ON CONFLICT (name) DO NOTHING
