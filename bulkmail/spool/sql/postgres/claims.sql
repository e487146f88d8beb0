-- name: backlog
SELECT q.id, q.campaign_id, q.domain FROM queue q JOIN campaign c ON c.id = q.campaign_id
WHERE c.state = 'running' AND NOT EXISTS (SELECT 1 FROM hold h WHERE h.campaign_id = c.id AND h.provider = '')
    AND q.has_new = 1 AND q.id > %s
ORDER BY q.id LIMIT %s

-- name: backlog_of
SELECT q.id, q.campaign_id, q.domain FROM queue q JOIN campaign c ON c.id = q.campaign_id
WHERE q.campaign_id = %s AND c.state = 'running' AND NOT EXISTS (SELECT 1 FROM hold h WHERE h.campaign_id = c.id AND h.provider = '')
    AND q.has_new = 1 AND q.id > %s
ORDER BY q.id LIMIT %s

-- name: campaign_backlog
SELECT id FROM queue WHERE campaign_id = %s AND has_new = 1 ORDER BY id LIMIT %s

-- name: due_queues
SELECT q.id, q.campaign_id, q.domain, q.next_at FROM queue q JOIN campaign c ON c.id = q.campaign_id
WHERE c.state = 'running' AND NOT EXISTS (SELECT 1 FROM hold h WHERE h.campaign_id = c.id AND h.provider = '')
    AND q.next_at IS NOT NULL AND q.next_at <= %s AND (q.next_at, q.id) > (%s, %s)
ORDER BY q.next_at, q.id LIMIT %s

-- name: due_queues_of
SELECT q.id, q.campaign_id, q.domain, q.next_at FROM queue q JOIN campaign c ON c.id = q.campaign_id
WHERE q.campaign_id = %s AND c.state = 'running' AND NOT EXISTS (SELECT 1 FROM hold h WHERE h.campaign_id = c.id AND h.provider = '')
    AND q.next_at IS NOT NULL AND q.next_at <= %s AND (q.next_at, q.id) > (%s, %s)
ORDER BY q.next_at, q.id LIMIT %s

-- name: next_due
SELECT min(next_at) FROM queue WHERE campaign_id = %s AND next_at IS NOT NULL

-- name: try_no_import
-- Whether no batch of rows is being stored just now, for each running campaign that the queues belong to; while this
-- transaction lasts none is. Where one is, its queues are not to be called dry: that batch's end notifies all machines.
SELECT c.id, pg_try_advisory_xact_lock_shared(hashtext(current_schema()), c.id::integer)
FROM campaign c
WHERE c.state = 'running' AND NOT EXISTS (SELECT 1 FROM hold h WHERE h.campaign_id = c.id AND h.provider = '')
    AND c.id IN (SELECT q.campaign_id FROM queue q WHERE q.id = ANY(%s))

-- name: lock_queues
SELECT id, campaign_id, cursor, has_new, next_at FROM queue WHERE id = ANY(%s) AND campaign_id = ANY(%s)
ORDER BY id FOR NO KEY UPDATE

-- name: claim_due
WITH wanted AS (
    SELECT * FROM unnest(%(queues)s::bigint[], %(rooms)s::integer[]) AS w (queue_id, room)
), picked AS (
    SELECT d.recipient_id, d.next_at FROM wanted w CROSS JOIN LATERAL (
        SELECT recipient_id, next_at FROM due WHERE due.queue_id = w.queue_id AND next_at IS NOT NULL AND next_at <= %(now)s
        ORDER BY next_at, recipient_id LIMIT w.room FOR NO KEY UPDATE SKIP LOCKED) d
), taken AS (
    UPDATE due d SET next_at = NULL, epoch = %(epoch)s, date = coalesce(d.date, %(now)s)
    FROM picked p WHERE d.recipient_id = p.recipient_id
    RETURNING d.recipient_id, d.queue_id, d.date, p.next_at AS was_due
)
SELECT r.id, t.queue_id, r.email, r.fields, r.file_no, t.date, coalesce(o.attempts, 0),
    coalesce(o.first_attempt_at, 0.0), coalesce(o.status, 'pending'), coalesce(o.category, ''),
    coalesce(o.provider, ''), o.attempt_id, coalesce(o.bytes, 0), coalesce(o.doubt, 0)
FROM taken t JOIN recipient r ON r.id = t.recipient_id LEFT JOIN outcome o ON o.recipient_id = t.recipient_id
ORDER BY t.was_due, r.id

-- name: new_rows
-- one row more than asked for tells whether the queue has run dry
SELECT r.id, w.queue_id, r.email, r.fields, r.file_no
FROM unnest(%s::bigint[], %s::bigint[], %s::integer[]) AS w (queue_id, after_id, room) CROSS JOIN LATERAL (
    SELECT id, email, fields, file_no FROM recipient
    WHERE recipient.queue_id = w.queue_id AND id > w.after_id ORDER BY id LIMIT w.room + 1) r
ORDER BY r.id

-- name: add_claims
INSERT INTO claim (epoch, claimed_at, queue_id, after_id, upto_id)
SELECT %s, %s, w.* FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS w
RETURNING queue_id, id

-- name: move_cursors
UPDATE queue q SET cursor = w.upto, has_new = w.has_new
FROM unnest(%s::bigint[], %s::bigint[], %s::integer[]) AS w (id, upto, has_new) WHERE q.id = w.id

-- name: set_next_at
UPDATE queue q SET next_at = (SELECT min(d.next_at) FROM due d WHERE d.queue_id = q.id AND d.next_at IS NOT NULL)
WHERE q.id = ANY(%s)

-- name: lower_next_at
UPDATE queue q SET next_at = least(coalesce(q.next_at, w.at), w.at)
FROM unnest(%s::bigint[], %s::double precision[]) AS w (id, at) WHERE q.id = w.id

-- name: rest_queues
UPDATE queue SET rested = 1 WHERE id IN (
    SELECT id FROM queue WHERE id = ANY(%s) AND rested = 0 ORDER BY id FOR NO KEY UPDATE)

-- name: wake_queues
UPDATE queue SET rested = 0 WHERE id IN (
    SELECT id FROM queue WHERE campaign_id = %s AND rested = 1 ORDER BY id FOR NO KEY UPDATE)

-- name: first_round_over
-- Nothing that was never tried is claimed by a machine, nor waits for anything but a site that cannot be used. (What was
-- given back for later, untried, waits for that.)
SELECT NOT EXISTS (SELECT 1 FROM queue WHERE campaign_id = %(campaign)s AND has_new = 1 AND rested = 0)
    AND NOT EXISTS (SELECT 1 FROM claim c JOIN queue q ON q.id = c.queue_id WHERE q.campaign_id = %(campaign)s)
    AND NOT EXISTS (
        SELECT 1 FROM due d JOIN queue q ON q.id = d.queue_id LEFT JOIN outcome o ON o.recipient_id = d.recipient_id
        WHERE d.recipient_id BETWEEN %(low)s AND %(high)s AND (d.next_at IS NULL OR q.rested = 0 AND d.next_at <= %(now)s)
            AND coalesce(o.attempts, 0) = 0)

-- name: bring_rows_forward
UPDATE due SET next_at = %(latest)s WHERE next_at > %(latest)s

-- name: bring_queues_forward
UPDATE queue SET next_at = %(latest)s WHERE next_at > %(latest)s
