-- name: begin_incarnation
INSERT INTO machine (identity, name, boot, state, lease, expires_at)
VALUES (%s, %s, %s, 'live', %s, clock_timestamp() + make_interval(secs => %s)) RETURNING epoch

-- name: earlier_incarnations
SELECT epoch, boot, state = 'live' AND expires_at > clock_timestamp() FROM machine
WHERE identity = %s AND epoch <> %s AND state <> 'recovered' ORDER BY epoch

-- name: heartbeat
-- A machine that was silent for longer than its lease has, from here on, to beat for a whole one before it may say of
-- others that they are gone: after an outage of the database all were silent.
UPDATE machine SET heard_since = CASE WHEN expires_at < clock_timestamp() THEN clock_timestamp() ELSE heard_since END,
    expires_at = clock_timestamp() + make_interval(secs => lease)
WHERE epoch = %s AND state = 'live'
RETURNING heard_since + make_interval(secs => lease) < clock_timestamp()

-- name: end_silent
UPDATE machine SET state = 'ended', ended_at = clock_timestamp()
WHERE epoch IN (SELECT epoch FROM machine WHERE state = 'live' AND expires_at < clock_timestamp() FOR UPDATE SKIP LOCKED)
RETURNING epoch, name

-- name: end_incarnation
UPDATE machine SET state = 'ended', ended_at = clock_timestamp() WHERE epoch = %s AND state = 'live'

-- name: live_machines
SELECT epoch, name FROM machine WHERE state = 'live' ORDER BY epoch

-- name: lock_incarnation
-- waits for what that incarnation is writing, and fences it: see `fence`
SELECT state FROM machine WHERE epoch = %s FOR UPDATE

-- name: recoverable
SELECT epoch, name FROM machine
WHERE state = 'ended' AND ended_at + make_interval(secs => %s) < clock_timestamp() ORDER BY epoch LIMIT 10

-- name: incarnation_recovered
UPDATE machine SET state = 'recovered', ended_at = coalesce(ended_at, clock_timestamp()) WHERE epoch = %s

-- name: nothing_left_to_recover
UPDATE machine SET state = 'recovered' WHERE epoch = %(epoch)s
    AND NOT EXISTS (SELECT 1 FROM claim WHERE epoch = %(epoch)s)
    AND NOT EXISTS (SELECT 1 FROM due WHERE epoch = %(epoch)s AND next_at IS NULL)

-- name: open_claimed
SELECT r.id, c.queue_id, c.claimed_at
FROM claim c JOIN recipient r ON r.queue_id = c.queue_id AND r.id > c.after_id AND r.id <= c.upto_id
WHERE c.epoch = %s
    AND NOT EXISTS (SELECT 1 FROM outcome o WHERE o.recipient_id = r.id)
    AND NOT EXISTS (SELECT 1 FROM due d WHERE d.recipient_id = r.id)

-- name: due_claimed
SELECT d.recipient_id, d.queue_id, coalesce(d.date, 0.0), coalesce(o.attempts, 0), coalesce(o.first_attempt_at, 0.0),
    coalesce(o.status, 'pending'), coalesce(o.category, ''), coalesce(o.provider, ''), o.attempt_id,
    coalesce(o.bytes, 0), coalesce(o.doubt, 0)
FROM due d LEFT JOIN outcome o ON o.recipient_id = d.recipient_id
WHERE d.next_at IS NULL AND d.epoch = %s

-- name: drop_claims_of
DELETE FROM claim WHERE epoch = %s

-- name: lock_leases
-- One machine at a time, so that each sees what the others have taken. They take seldom, and for a moment.
SELECT pg_advisory_xact_lock(hashtext('bulkmail leases ' || current_schema()), 0)

-- name: take_leases
-- Of each key's shares ours and those that no machine alive holds, as many as are wanted altogether; none while a machine
-- holds it in another number of shares. `fresh`: the share was never held, nor the key divided otherwise.
WITH wanted AS (
    SELECT * FROM unnest(%(keys)s::text[], %(most)s::integer[], %(shares)s::integer[]) AS w (key, most, shares)
), held AS (
    SELECT l.key, l.share, l.shares, l.epoch FROM wanted w JOIN lease l USING (key)
        JOIN machine m ON m.epoch = l.epoch AND m.state = 'live'
), picked AS (
    SELECT w.key, n.share, w.shares, w.most, h.epoch,
        row_number() OVER (PARTITION BY w.key ORDER BY h.epoch NULLS LAST, n.share) AS place
    FROM wanted w CROSS JOIN LATERAL generate_series(1, w.shares) AS n (share)
        LEFT JOIN held h ON h.key = w.key AND h.share = n.share
    WHERE (h.epoch IS NULL OR h.epoch = %(epoch)s)
        AND NOT EXISTS (SELECT 1 FROM held o WHERE o.key = w.key AND o.shares <> w.shares)
)
INSERT INTO lease AS l (key, share, shares, epoch)
SELECT key, share, shares, %(epoch)s FROM picked WHERE place <= most OR epoch IS NOT NULL ORDER BY key, share
ON CONFLICT (key, share) DO UPDATE SET shares = excluded.shares, epoch = excluded.epoch, since = clock_timestamp()
RETURNING key, share,
    xmax = 0 AND NOT EXISTS (SELECT 1 FROM lease o WHERE o.key = l.key AND o.shares <> l.shares)

-- name: divided_otherwise
SELECT DISTINCT ON (w.key) w.key, l.shares, m.name
FROM unnest(%s::text[], %s::integer[]) AS w (key, shares) JOIN lease l ON l.key = w.key AND l.shares <> w.shares
    JOIN machine m ON m.epoch = l.epoch AND m.state = 'live'
ORDER BY w.key, l.share

-- name: let_shares_go
UPDATE lease l SET epoch = NULL FROM unnest(%s::text[], %s::integer[]) AS w (key, share)
WHERE l.epoch = %s AND l.key = w.key AND l.share = w.share

-- name: let_all_leases_go
UPDATE lease SET epoch = NULL WHERE epoch = %s

-- name: lease_holder
SELECT m.name FROM lease l JOIN machine m ON m.epoch = l.epoch AND m.state = 'live' WHERE l.key = %s ORDER BY l.share

-- name: attempts_known
SELECT r.id, coalesce(o.attempts, 0) FROM recipient r LEFT JOIN outcome o ON o.recipient_id = r.id WHERE r.id = ANY(%s)

-- name: last_campaign
-- the highest id that was ever given to one, removed ones included
SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('campaign', 'id')::regclass), 0)
