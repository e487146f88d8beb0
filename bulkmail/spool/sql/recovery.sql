-- name: left_claimed
SELECT EXISTS (SELECT 1 FROM claim) OR EXISTS (SELECT 1 FROM due WHERE next_at IS NULL)

-- name: open_claimed
-- rows of open claims that were neither settled nor given back
SELECT r.id, c.queue_id, c.claimed_at
FROM claim c CROSS JOIN recipient r ON r.queue_id = c.queue_id AND r.id > c.after_id AND r.id <= c.upto_id
    AND r.id >> 18 IN (
        WITH RECURSIVE chunk(n) AS (
            SELECT max(c.after_id, c.upto_id & ~1099511627775) >> 18
            UNION ALL SELECT n + 1 FROM chunk WHERE n < c.upto_id >> 18)
        SELECT n FROM chunk)
WHERE NOT EXISTS (SELECT 1 FROM outcome o WHERE o.recipient_id = r.id)
    AND NOT EXISTS (SELECT 1 FROM due d WHERE d.recipient_id = r.id)

-- name: due_claimed
SELECT d.recipient_id, d.queue_id, coalesce(d.date, 0.0), coalesce(o.attempts, 0), coalesce(o.first_attempt_at, 0.0),
    coalesce(o.status, 'pending'), coalesce(o.category, ''), coalesce(o.provider, ''), o.attempt_id,
    coalesce(o.bytes, 0), coalesce(o.doubt, 0)
FROM due d LEFT JOIN outcome o ON o.recipient_id = d.recipient_id
WHERE d.next_at IS NULL

-- name: attempts_known
-- of one recipient; no row: there is no such recipient
SELECT coalesce(o.attempts, 0) FROM recipient r LEFT JOIN outcome o ON o.recipient_id = r.id WHERE r.id = ?

-- name: last_campaign
-- the highest id that was ever given to one, removed ones included
SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'campaign'

-- name: drop_claims
DELETE FROM claim
