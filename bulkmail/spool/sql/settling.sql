-- name: last_attempt
SELECT max(id) FROM attempt WHERE id BETWEEN ? AND ?

-- name: add_attempt
INSERT INTO attempt (id, recipient_id, at, number, result, category, smtp_code, enhanced, reply, stage, mx_host, mx_ip,
    source_ip, tls, duration_ms, next_attempt_at, tls_policy)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: set_outcome
REPLACE INTO outcome (recipient_id, status, category, provider, attempts, first_attempt_at, completed_at, date, bytes,
    attempt_id, doubt, note)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: borrow_reply
UPDATE outcome SET attempt_id = (SELECT attempt_id FROM outcome WHERE recipient_id = ?) WHERE recipient_id = ?

-- name: set_due
REPLACE INTO due (recipient_id, queue_id, next_at, date) VALUES (?, ?, ?, ?)

-- name: drop_due
DELETE FROM due WHERE recipient_id = ?

-- name: drop_claim
DELETE FROM claim WHERE id = ?

-- name: count_queue
UPDATE queue SET delivered = delivered + ?, failed = failed + ?, deferred = deferred + ? WHERE id = ?

-- name: campaign_due
SELECT d.recipient_id, d.queue_id, coalesce(d.date, 0.0), coalesce(o.attempts, 0), coalesce(o.first_attempt_at, 0.0),
    coalesce(o.status, 'pending'), coalesce(o.category, ''), coalesce(o.provider, ''), o.attempt_id,
    coalesce(o.bytes, 0), coalesce(o.doubt, 0)
FROM due d LEFT JOIN outcome o ON o.recipient_id = d.recipient_id
WHERE d.recipient_id BETWEEN ? AND ? AND d.next_at IS NOT NULL LIMIT ?
