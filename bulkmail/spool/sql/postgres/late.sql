-- name: one_late_at_a_time
-- of all machines, until the transaction ends: two events of one row are weighed one after the other
SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' late', 0))

-- name: late_recipients
-- what is known of rows, and what has come back of them; the outcome's columns in the order of their table
SELECT r.id, coalesce(r.queue_id, 0), r.email, coalesce(o.status, 'pending'), coalesce(o.category, ''),
    coalesce(o.provider, ''), coalesce(o.attempts, 0), o.first_attempt_at, o.completed_at, o.date,
    coalesce(o.bytes, 0), o.attempt_id, coalesce(o.doubt, 0), coalesce(o.note, ''),
    l.late_at, l.unsubscribed_at, l.complained_at, coalesce(l.lines, 0), coalesce(l.seen, '')
FROM recipient r LEFT JOIN outcome o ON o.recipient_id = r.id LEFT JOIN late l ON l.recipient_id = r.id
WHERE r.id IN (SELECT value::bigint FROM json_array_elements_text(%(ids)s::json))

-- name: members
-- the rows from the first to the last that are at the first one's domain
SELECT id, email FROM recipient WHERE queue_id = (SELECT queue_id FROM recipient WHERE id = %(first)s)
    AND id BETWEEN %(first)s AND %(last)s LIMIT %(limit)s

-- name: gone_recipients
SELECT g.recipient_id, g.hash, l.late_at, l.unsubscribed_at, l.complained_at, coalesce(l.lines, 0), coalesce(l.seen, '')
FROM gone g LEFT JOIN late l ON l.recipient_id = g.recipient_id
WHERE g.recipient_id IN (SELECT value::bigint FROM json_array_elements_text(%(ids)s::json))

-- name: late_campaigns
SELECT id, name, list, kind, 1 FROM campaign WHERE id IN (SELECT value::bigint FROM json_array_elements_text(%(ids)s::json))
UNION ALL SELECT id, name, list, kind, 0 FROM gone_campaign WHERE id IN (SELECT value::bigint FROM json_array_elements_text(%(ids)s::json))

-- name: set_late
INSERT INTO late (recipient_id, late_at, unsubscribed_at, complained_at, lines, seen) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (recipient_id) DO UPDATE SET late_at = excluded.late_at, unsubscribed_at = excluded.unsubscribed_at,
    complained_at = excluded.complained_at, lines = excluded.lines, seen = excluded.seen

-- name: add_late_waiting
-- the first one counts
INSERT INTO late_waiting (recipient_id, at, status, category, attempt_id) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (recipient_id) DO NOTHING

-- name: ended_late_waiting
SELECT w.recipient_id, w.at, w.status, w.category, w.attempt_id
FROM late_waiting w JOIN outcome o ON o.recipient_id = w.recipient_id
WHERE o.status NOT IN ('pending', 'deferred') ORDER BY w.recipient_id LIMIT %s

-- name: late_waits
SELECT EXISTS (SELECT 1 FROM late_waiting)

-- name: drop_late_waiting
DELETE FROM late_waiting WHERE recipient_id = %s

-- name: late_counts
SELECT count(late_at), count(unsubscribed_at), count(complained_at) FROM late WHERE recipient_id BETWEEN %s AND %s

-- name: late_by_provider
SELECT o.provider, o.status, sum(CASE WHEN l.late_at <= %s THEN 1 ELSE 0 END),
    sum(CASE WHEN l.complained_at <= %s THEN 1 ELSE 0 END)
FROM late l JOIN outcome o ON o.recipient_id = l.recipient_id WHERE l.recipient_id BETWEEN %s AND %s
GROUP BY o.provider, o.status

-- name: add_bounce
-- once for each message; a hard one stands
INSERT INTO bounce (hash, recipient_id, at, soft) VALUES (%s, %s, %s, %s)
ON CONFLICT (hash, recipient_id) DO UPDATE SET soft = least(bounce.soft, excluded.soft)

-- name: bounces
SELECT count(*) FILTER (WHERE soft = 0), count(*) FILTER (WHERE soft = 1 AND at >= %(since)s) FROM bounce
WHERE hash = %(hash)s

-- name: drop_old_bounces
DELETE FROM bounce WHERE soft = 1 AND at < %s

-- name: add_gone
INSERT INTO gone (recipient_id, hash) SELECT * FROM unnest(%s::bigint[], %s::bigint[]) ON CONFLICT (recipient_id) DO NOTHING

-- name: add_gone_campaign
INSERT INTO gone_campaign (id, name, list, kind) SELECT id, name, list, kind FROM campaign WHERE id = %s
ON CONFLICT (id) DO NOTHING

-- name: sent_outcomes
-- of the rows that `remove_outcomes` removes next, those that were sent to
SELECT r.id, r.email FROM (
    SELECT recipient_id, attempts FROM outcome WHERE recipient_id BETWEEN %s AND %s ORDER BY recipient_id LIMIT %s) AS page
    JOIN recipient r ON r.id = page.recipient_id
WHERE page.attempts > 0

-- name: remove_late
DELETE FROM late WHERE recipient_id IN (
    SELECT recipient_id FROM late WHERE recipient_id BETWEEN %s AND %s LIMIT %s)

-- name: remove_late_waiting
DELETE FROM late_waiting WHERE recipient_id IN (
    SELECT recipient_id FROM late_waiting WHERE recipient_id BETWEEN %s AND %s LIMIT %s)
