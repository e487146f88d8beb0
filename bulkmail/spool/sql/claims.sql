-- name: backlog
SELECT id, campaign_id, domain FROM queue
WHERE campaign_id = ? AND has_new = 1 AND id > ? ORDER BY id LIMIT ?

-- name: due_queues
SELECT id, campaign_id, domain, next_at FROM queue
WHERE campaign_id = ? AND next_at IS NOT NULL AND next_at <= ? AND (next_at, id) > (?, ?)
ORDER BY next_at, id LIMIT ?

-- name: next_due
SELECT min(next_at) FROM queue WHERE campaign_id = ? AND next_at IS NOT NULL

-- name: running_queue
-- no row: its campaign is not running, or is held as a whole
SELECT q.campaign_id, q.cursor, q.has_new, q.next_at
FROM queue q JOIN campaign c ON c.id = q.campaign_id AND c.state = 'running'
WHERE q.id = ? AND NOT EXISTS (SELECT 1 FROM hold h WHERE h.campaign_id = q.campaign_id AND h.provider = '')

-- name: cursor
SELECT cursor FROM queue WHERE id = ?

-- name: due_rows
SELECT r.id, r.email, r.fields, r.file_no, d.date, coalesce(o.attempts, 0), coalesce(o.first_attempt_at, 0.0),
    coalesce(o.status, 'pending'), coalesce(o.category, ''), coalesce(o.provider, ''), o.attempt_id,
    coalesce(o.bytes, 0), coalesce(o.doubt, 0)
FROM due d JOIN recipient r ON r.id = d.recipient_id LEFT JOIN outcome o ON o.recipient_id = d.recipient_id
WHERE d.queue_id = ? AND d.next_at IS NOT NULL AND d.next_at <= ?
ORDER BY d.next_at, d.recipient_id LIMIT ?

-- name: new_rows
-- behind row ?1, the last id of the campaign being below ?2; ordered as the index has it, for a queue may be long
WITH RECURSIVE chunk(n, last) AS (
    SELECT ?1 >> 18, (SELECT max(id) FROM recipient WHERE id <= ?2) >> 18
    UNION ALL SELECT n + 1, last FROM chunk WHERE n < last)
SELECT id, email, fields, file_no FROM recipient
WHERE id >> 18 IN (SELECT n FROM chunk) AND queue_id = ?3 AND id > ?1 ORDER BY id >> 18, id LIMIT ?4

-- name: claim_due
UPDATE due SET next_at = NULL, date = ? WHERE recipient_id = ?

-- name: add_claim
INSERT INTO claim (queue_id, after_id, upto_id, claimed_at) VALUES (?, ?, ?, ?)

-- name: move_cursor
UPDATE queue SET cursor = ?, has_new = ? WHERE id = ?

-- name: set_next_at
UPDATE queue SET next_at = (SELECT min(next_at) FROM due WHERE queue_id = ?1 AND next_at IS NOT NULL) WHERE id = ?1

-- name: lower_next_at
UPDATE queue SET next_at = min(coalesce(next_at, ?1), ?1) WHERE id = ?2

-- name: bring_rows_forward
UPDATE due SET next_at = :latest WHERE next_at > :latest

-- name: bring_queues_forward
UPDATE queue SET next_at = :latest WHERE next_at > :latest
