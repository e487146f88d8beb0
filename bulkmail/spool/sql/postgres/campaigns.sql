-- name: create_campaign
INSERT INTO campaign (name, folder, state, key, digests, on_unknown, created_at, list, kind)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
RETURNING id

-- name: set_campaign_key
UPDATE campaign SET key = %s WHERE id = %s

-- name: number_attempts
INSERT INTO attempt_number (campaign_id, last) VALUES (%s, %s) ON CONFLICT DO NOTHING

-- name: campaign_key
SELECT key FROM campaign WHERE id = %s

-- name: campaigns
SELECT id, name, folder, state, key, digests, on_unknown, created_at, started_at, ended_at, exit_status, import_done,
    input_rows, possibly_doubled, report_position, list, kind
FROM campaign ORDER BY id

-- name: campaign_by_name
SELECT id, name, folder, state, key, digests, on_unknown, created_at, started_at, ended_at, exit_status, import_done,
    input_rows, possibly_doubled, report_position, list, kind
FROM campaign WHERE name = %s

-- name: campaigns_before_lists
WITH campaign AS (SELECT c.*, c.name AS list, 'marketing' AS kind FROM campaign c)
-- then: campaigns

-- name: campaign_by_name_before_lists
WITH campaign AS (SELECT c.*, c.name AS list, 'marketing' AS kind FROM campaign c)
-- then: campaign_by_name

-- name: sending_campaigns
-- those that are running, and that nothing holds as a whole
SELECT id FROM campaign c
WHERE state = 'running' AND NOT EXISTS (SELECT 1 FROM hold h WHERE h.campaign_id = c.id AND h.provider = '') ORDER BY id

-- name: campaign_states
SELECT id, state FROM campaign ORDER BY id

-- name: campaign_on_unknown
SELECT id, on_unknown FROM campaign

-- name: set_snapshot
INSERT INTO snapshot (campaign_id, content) VALUES (%s, %s)
ON CONFLICT (campaign_id) DO UPDATE SET content = excluded.content

-- name: snapshot
SELECT content FROM snapshot WHERE campaign_id = %s

-- name: set_digests
UPDATE campaign SET digests = %s, on_unknown = %s, list = coalesce(%s, list), kind = coalesce(%s, kind) WHERE id = %s

-- name: drop_input_files
DELETE FROM input_file WHERE campaign_id = %s

-- name: add_input_file
INSERT INTO input_file (campaign_id, no, name, columns) VALUES (%s, %s, %s, %s)

-- name: input_files
SELECT no, name, columns FROM input_file WHERE campaign_id = %s ORDER BY no

-- name: set_state
-- A campaign that is being cancelled, or was, goes nowhere else.
UPDATE campaign SET state = %(state)s::text,
    started_at = CASE WHEN %(state)s::text = 'running' THEN coalesce(started_at, %(now)s) ELSE started_at END,
    ended_at = CASE WHEN %(ended)s THEN %(now)s ELSE NULL END,
    exit_status = %(exit_status)s
WHERE id = %(id)s AND (state NOT IN ('cancelling', 'cancelled') OR %(state)s::text IN ('cancelled', 'removing'))

-- name: set_report_position
UPDATE campaign SET report_position = %s WHERE id = %s

-- name: totals
SELECT provider, status, category, sum(count)::bigint FROM total WHERE campaign_id = %s
GROUP BY provider, status, category HAVING sum(count) <> 0

-- name: add_totals
INSERT INTO total AS t (campaign_id, provider, status, category, count, epoch)
SELECT w.*, %s FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::bigint[]) AS w
ON CONFLICT (campaign_id, epoch, provider, status, category) DO UPDATE SET count = t.count + excluded.count

-- name: add_possibly_doubled
UPDATE campaign SET possibly_doubled = possibly_doubled + %s WHERE id = %s

-- name: domains
SELECT domain, delivered, failed, deferred FROM queue WHERE campaign_id = %s
ORDER BY delivered + failed + deferred DESC, domain LIMIT %s

-- name: next_attempt
SELECT id, at FROM attempt WHERE id > %s AND id <= %s ORDER BY id LIMIT 1

-- name: count_attempts_since
-- delivery attempts: not what came back later
SELECT count(*) FROM attempt WHERE id > %s AND id <= %s AND at >= %s
    AND result IN ('delivered', 'failed', 'deferred', 'unknown')

-- name: last_outcomes
-- of the last attempts of a campaign: what a receiver has said for good
SELECT o.provider, o.status, o.category, page.at FROM (
    SELECT id, recipient_id, at, result, smtp_code FROM attempt WHERE id BETWEEN %s AND %s ORDER BY id DESC LIMIT %s) page
JOIN outcome o ON o.recipient_id = page.recipient_id
WHERE page.result IN ('delivered', 'failed') AND page.smtp_code IS NOT NULL ORDER BY page.id

-- name: remove_attempts
DELETE FROM attempt WHERE id IN (SELECT id FROM attempt WHERE id BETWEEN %s AND %s LIMIT %s)

-- name: remove_outcomes
DELETE FROM outcome WHERE recipient_id IN (
    SELECT recipient_id FROM outcome WHERE recipient_id BETWEEN %s AND %s ORDER BY recipient_id LIMIT %s)

-- name: remove_due
DELETE FROM due WHERE recipient_id IN (SELECT recipient_id FROM due WHERE recipient_id BETWEEN %s AND %s LIMIT %s)

-- name: remove_recipients
DELETE FROM recipient WHERE id IN (SELECT id FROM recipient WHERE id BETWEEN %s AND %s LIMIT %s)

-- name: remove_claims
DELETE FROM claim WHERE queue_id IN (SELECT id FROM queue WHERE campaign_id = %s)

-- name: remove_queues
DELETE FROM queue WHERE campaign_id = %s

-- name: remove_totals
DELETE FROM total WHERE campaign_id = %s

-- name: remove_reading
DELETE FROM reading WHERE campaign_id = %s

-- name: remove_snapshot
DELETE FROM snapshot WHERE campaign_id = %s

-- name: remove_attempt_number
DELETE FROM attempt_number WHERE campaign_id = %s

-- name: remove_campaign
DELETE FROM campaign WHERE id = %s

-- name: still_claimed
SELECT EXISTS (SELECT 1 FROM claim c JOIN queue q ON q.id = c.queue_id WHERE q.campaign_id = %s)
    OR EXISTS (SELECT 1 FROM due WHERE recipient_id BETWEEN %s AND %s AND next_at IS NULL)

-- name: count_attempts
SELECT count(*) FROM attempt WHERE id > %s AND id <= %s

-- name: set_plan
INSERT INTO meta (name, value) VALUES ('plan of campaign ' || %s::bigint::text, %s)
ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: plan
SELECT value FROM meta WHERE name = 'plan of campaign ' || %s::bigint::text

-- name: remove_plan
DELETE FROM meta WHERE name = 'plan of campaign ' || %s::bigint::text
