-- name: one_late_at_a_time
-- there is one writer
SELECT 1

-- name: late_recipients
-- what is known of rows, and what has come back of them; the outcome's columns in the order of their table
SELECT r.id, coalesce(r.queue_id, 0), r.email, coalesce(o.status, 'pending'), coalesce(o.category, ''),
    coalesce(o.provider, ''), coalesce(o.attempts, 0), o.first_attempt_at, o.completed_at, o.date,
    coalesce(o.bytes, 0), o.attempt_id, coalesce(o.doubt, 0), coalesce(o.note, ''),
    l.late_at, l.unsubscribed_at, l.complained_at, coalesce(l.lines, 0), coalesce(l.seen, '')
FROM recipient r LEFT JOIN outcome o ON o.recipient_id = r.id LEFT JOIN late l ON l.recipient_id = r.id
WHERE r.id IN (SELECT value FROM json_each(:ids))

-- name: members
-- the rows from the first to the last that are at the first one's domain
WITH RECURSIVE chunk(n) AS (SELECT :first >> 18 UNION ALL SELECT n + 1 FROM chunk WHERE n < :last >> 18)
SELECT id, email FROM recipient WHERE id >> 18 IN (SELECT n FROM chunk)
    AND queue_id = (SELECT queue_id FROM recipient WHERE id = :first) AND id BETWEEN :first AND :last LIMIT :limit

-- name: gone_recipients
SELECT g.recipient_id, g.hash, l.late_at, l.unsubscribed_at, l.complained_at, coalesce(l.lines, 0), coalesce(l.seen, '')
FROM gone g LEFT JOIN late l ON l.recipient_id = g.recipient_id
WHERE g.recipient_id IN (SELECT value FROM json_each(:ids))

-- name: late_campaigns
SELECT id, name, list, kind, 1 FROM campaign WHERE id IN (SELECT value FROM json_each(:ids))
UNION ALL SELECT id, name, list, kind, 0 FROM gone_campaign WHERE id IN (SELECT value FROM json_each(:ids))

-- name: set_late
INSERT INTO late (recipient_id, late_at, unsubscribed_at, complained_at, lines, seen) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (recipient_id) DO UPDATE SET late_at = excluded.late_at, unsubscribed_at = excluded.unsubscribed_at,
    complained_at = excluded.complained_at, lines = excluded.lines, seen = excluded.seen

-- name: add_late_waiting
-- the first one counts
INSERT INTO late_waiting (recipient_id, at, status, category, attempt_id) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (recipient_id) DO NOTHING

-- name: ended_late_waiting
SELECT w.recipient_id, w.at, w.status, w.category, w.attempt_id
FROM late_waiting w JOIN outcome o ON o.recipient_id = w.recipient_id
WHERE o.status NOT IN ('pending', 'deferred') ORDER BY w.recipient_id LIMIT ?

-- name: late_waits
SELECT EXISTS (SELECT 1 FROM late_waiting)

-- name: drop_late_waiting
DELETE FROM late_waiting WHERE recipient_id = ?

-- name: late_counts
SELECT count(late_at), count(unsubscribed_at), count(complained_at) FROM late WHERE recipient_id BETWEEN ? AND ?

-- name: late_by_provider
SELECT o.provider, o.status, sum(CASE WHEN l.late_at <= ? THEN 1 ELSE 0 END),
    sum(CASE WHEN l.complained_at <= ? THEN 1 ELSE 0 END)
FROM late l JOIN outcome o ON o.recipient_id = l.recipient_id WHERE l.recipient_id BETWEEN ? AND ?
GROUP BY o.provider, o.status

-- name: add_bounce
-- once for each message; a hard one stands
INSERT INTO bounce (hash, recipient_id, at, soft) VALUES (?, ?, ?, ?)
ON CONFLICT (hash, recipient_id) DO UPDATE SET soft = min(bounce.soft, excluded.soft)

-- name: bounces
SELECT count(*) FILTER (WHERE soft = 0), count(*) FILTER (WHERE soft = 1 AND at >= :since) FROM bounce
WHERE hash = :hash

-- name: drop_old_bounces
DELETE FROM bounce WHERE soft = 1 AND at < ?

-- name: add_gone
INSERT INTO gone (recipient_id, hash) VALUES (?, ?) ON CONFLICT (recipient_id) DO NOTHING

-- name: add_gone_campaign
INSERT INTO gone_campaign (id, name, list, kind) SELECT id, name, list, kind FROM campaign WHERE id = ?
ON CONFLICT (id) DO NOTHING

-- name: sent_outcomes
-- of the rows that `remove_outcomes` removes next, those that were sent to
SELECT r.id, r.email FROM (
    SELECT recipient_id, attempts FROM outcome WHERE recipient_id BETWEEN ? AND ? ORDER BY recipient_id LIMIT ?) AS page
    JOIN recipient r ON r.id = page.recipient_id
WHERE page.attempts > 0

-- name: remove_late
DELETE FROM late WHERE recipient_id IN (
    SELECT recipient_id FROM late WHERE recipient_id BETWEEN ? AND ? LIMIT ?)

-- name: remove_late_waiting
DELETE FROM late_waiting WHERE recipient_id IN (
    SELECT recipient_id FROM late_waiting WHERE recipient_id BETWEEN ? AND ? LIMIT ?)
