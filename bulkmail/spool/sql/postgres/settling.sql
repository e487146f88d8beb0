-- name: take_numbers
UPDATE attempt_number SET last = last + %s WHERE campaign_id = %s RETURNING last - %s

-- name: add_attempts
INSERT INTO attempt (id, recipient_id, at, number, result, category, smtp_code, enhanced, reply, stage, mx_host, mx_ip,
    source_ip, tls, duration_ms, next_attempt_at, tls_policy)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::double precision[], %s::integer[], %s::text[], %s::text[],
    %s::integer[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[],
    %s::double precision[], %s::text[])

-- name: set_outcomes
INSERT INTO outcome (recipient_id, status, category, provider, attempts, first_attempt_at, completed_at, date, bytes,
    attempt_id, doubt, note)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::integer[], %s::double precision[],
    %s::double precision[], %s::double precision[], %s::bigint[], %s::bigint[], %s::integer[], %s::text[])
ON CONFLICT (recipient_id) DO UPDATE SET status = excluded.status, category = excluded.category,
    provider = excluded.provider, attempts = excluded.attempts, first_attempt_at = excluded.first_attempt_at,
    completed_at = excluded.completed_at, date = excluded.date, bytes = excluded.bytes,
    attempt_id = excluded.attempt_id, doubt = excluded.doubt, note = excluded.note

-- name: borrow_replies
UPDATE outcome SET attempt_id = lender.attempt_id
FROM unnest(%s::bigint[], %s::bigint[]) AS w (of_id, for_id) JOIN outcome lender ON lender.recipient_id = w.of_id
WHERE outcome.recipient_id = w.for_id

-- name: set_due
INSERT INTO due (recipient_id, queue_id, next_at, date)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::double precision[], %s::double precision[])
ON CONFLICT (recipient_id) DO UPDATE SET next_at = excluded.next_at, date = excluded.date, epoch = NULL

-- name: drop_due
DELETE FROM due WHERE recipient_id = ANY(%s)

-- name: drop_claims
DELETE FROM claim WHERE id = ANY(%s)

-- name: count_queues
UPDATE queue q SET delivered = q.delivered + w.delivered, failed = q.failed + w.failed,
    deferred = q.deferred + w.deferred
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[]) AS w (delivered, failed, deferred, id)
WHERE q.id = w.id

-- name: campaign_due
SELECT d.recipient_id, d.queue_id, coalesce(d.date, 0.0), coalesce(o.attempts, 0), coalesce(o.first_attempt_at, 0.0),
    coalesce(o.status, 'pending'), coalesce(o.category, ''), coalesce(o.provider, ''), o.attempt_id,
    coalesce(o.bytes, 0), coalesce(o.doubt, 0)
FROM due d LEFT JOIN outcome o ON o.recipient_id = d.recipient_id
WHERE d.recipient_id BETWEEN %s AND %s AND d.next_at IS NOT NULL LIMIT %s FOR NO KEY UPDATE OF d SKIP LOCKED
