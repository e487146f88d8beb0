-- name: create_campaign
INSERT INTO campaign (name, folder, state, key, digests, on_unknown, created_at, list, kind)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
RETURNING id

-- name: set_campaign_key
UPDATE campaign SET key = ? WHERE id = ?

-- name: campaign_key
SELECT key FROM campaign WHERE id = ?

-- name: campaigns
SELECT id, name, folder, state, key, digests, on_unknown, created_at, started_at, ended_at, exit_status, import_done,
    input_rows, possibly_doubled, report_position, list, kind
FROM campaign ORDER BY id

-- name: campaign_by_name
SELECT id, name, folder, state, key, digests, on_unknown, created_at, started_at, ended_at, exit_status, import_done,
    input_rows, possibly_doubled, report_position, list, kind
FROM campaign WHERE name = ?

-- name: campaigns_before_lists
WITH campaign AS (SELECT c.*, c.name AS list, 'marketing' AS kind FROM main.campaign c)
-- then: campaigns

-- name: campaign_by_name_before_lists
WITH campaign AS (SELECT c.*, c.name AS list, 'marketing' AS kind FROM main.campaign c)
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
INSERT INTO snapshot (campaign_id, content) VALUES (?, ?)
ON CONFLICT (campaign_id) DO UPDATE SET content = excluded.content

-- name: snapshot
SELECT content FROM snapshot WHERE campaign_id = ?

-- name: set_digests
UPDATE campaign SET digests = ?, on_unknown = ?, list = coalesce(?, list), kind = coalesce(?, kind) WHERE id = ?

-- name: drop_input_files
DELETE FROM input_file WHERE campaign_id = ?

-- name: add_input_file
INSERT INTO input_file (campaign_id, no, name, columns) VALUES (?, ?, ?, ?)

-- name: input_files
SELECT no, name, columns FROM input_file WHERE campaign_id = ? ORDER BY no

-- name: set_state
-- A campaign that is being cancelled, or was, goes nowhere else.
UPDATE campaign SET state = :state,
    started_at = CASE WHEN :state = 'running' THEN coalesce(started_at, :now) ELSE started_at END,
    ended_at = CASE WHEN :ended THEN :now ELSE NULL END,
    exit_status = :exit_status
WHERE id = :id AND (state NOT IN ('cancelling', 'cancelled') OR :state IN ('cancelled', 'removing'))

-- name: set_report_position
UPDATE campaign SET report_position = ? WHERE id = ?

-- name: totals
SELECT provider, status, category, count FROM total WHERE campaign_id = ? AND count <> 0

-- name: add_total
INSERT INTO total (campaign_id, provider, status, category, count) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (campaign_id, provider, status, category) DO UPDATE SET count = count + excluded.count

-- name: add_possibly_doubled
UPDATE campaign SET possibly_doubled = possibly_doubled + ? WHERE id = ?

-- name: domains
SELECT domain, delivered, failed, deferred FROM queue WHERE campaign_id = ?
ORDER BY delivered + failed + deferred DESC, domain LIMIT ?

-- name: count_attempts
SELECT count(*) FROM attempt WHERE id > ? AND id <= ?

-- name: next_attempt
SELECT id, at FROM attempt WHERE id > ? AND id <= ? ORDER BY id LIMIT 1

-- name: count_attempts_since
-- delivery attempts: not what came back later
SELECT count(*) FROM attempt WHERE id > ? AND id <= ? AND at >= ?
    AND result IN ('delivered', 'failed', 'deferred', 'unknown')

-- name: last_outcomes
-- of the last attempts of a campaign: what a receiver has said for good
SELECT o.provider, o.status, o.category, page.at FROM (
    SELECT id, recipient_id, at, result, smtp_code FROM attempt WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?) page
JOIN outcome o ON o.recipient_id = page.recipient_id
WHERE page.result IN ('delivered', 'failed') AND page.smtp_code IS NOT NULL ORDER BY page.id

-- name: remove_attempts
DELETE FROM attempt WHERE id IN (SELECT id FROM attempt WHERE id BETWEEN ? AND ? LIMIT ?)

-- name: remove_outcomes
DELETE FROM outcome WHERE recipient_id IN (
    SELECT recipient_id FROM outcome WHERE recipient_id BETWEEN ? AND ? ORDER BY recipient_id LIMIT ?)

-- name: remove_due
DELETE FROM due WHERE recipient_id IN (SELECT recipient_id FROM due WHERE recipient_id BETWEEN ? AND ? LIMIT ?)

-- name: remove_recipients
DELETE FROM recipient WHERE id IN (SELECT id FROM recipient WHERE id BETWEEN ? AND ? LIMIT ?)

-- name: remove_claims
DELETE FROM claim WHERE queue_id IN (SELECT id FROM queue WHERE campaign_id = ?)

-- name: remove_queues
DELETE FROM queue WHERE campaign_id = ?

-- name: remove_totals
DELETE FROM total WHERE campaign_id = ?

-- name: remove_reading
DELETE FROM reading WHERE campaign_id = ?

-- name: remove_snapshot
DELETE FROM snapshot WHERE campaign_id = ?

-- name: remove_campaign
DELETE FROM campaign WHERE id = ?

-- name: set_plan
INSERT INTO meta (name, value) VALUES ('plan of campaign ' || ?, ?)
ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: plan
SELECT value FROM meta WHERE name = 'plan of campaign ' || ?

-- name: remove_plan
DELETE FROM meta WHERE name = 'plan of campaign ' || ?
