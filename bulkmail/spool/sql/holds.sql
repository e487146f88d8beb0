-- name: set_hold
INSERT INTO hold (campaign_id, provider, kind, reason, who, since, until) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (campaign_id, provider, kind) DO UPDATE SET reason = excluded.reason, who = excluded.who,
    until = excluded.until

-- name: drop_hold
DELETE FROM hold WHERE campaign_id = ? AND provider = ? AND kind = ?
RETURNING campaign_id, provider, kind, reason, who, since, until

-- name: drop_holds_until
DELETE FROM hold WHERE until <= ? RETURNING campaign_id, provider, kind, reason, who, since, until

-- name: holds
SELECT campaign_id, provider, kind, reason, who, since, until FROM hold ORDER BY campaign_id, provider, kind

-- name: held_times
SELECT campaign_id, provider, began, ended FROM held_time WHERE campaign_id = ? ORDER BY provider, began

-- name: drop_held_times
DELETE FROM held_time WHERE campaign_id = ?

-- name: add_held_time
INSERT INTO held_time (campaign_id, provider, began, ended) VALUES (?, ?, ?, ?)

-- name: campaign_state
SELECT state FROM campaign WHERE id = ?

-- name: add_cancel_request
INSERT INTO cancel_request (campaign_id, reason, who, since) VALUES (?, ?, ?, ?) ON CONFLICT (campaign_id) DO NOTHING

-- name: cancel_requests
SELECT campaign_id, reason, who, since FROM cancel_request ORDER BY campaign_id

-- name: add_whole_report
INSERT INTO whole_report (campaign_id) VALUES (?) ON CONFLICT (campaign_id) DO NOTHING

-- name: whole_report
SELECT 1 FROM whole_report WHERE campaign_id = ?

-- name: remove_holds
DELETE FROM hold WHERE campaign_id = ?

-- name: remove_cancel_request
DELETE FROM cancel_request WHERE campaign_id = ?

-- name: remove_whole_report
DELETE FROM whole_report WHERE campaign_id = ?

-- name: set_accept_request
INSERT INTO meta (name, value) VALUES ('accept changes of ' || ?, ?)
ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: accept_requests
SELECT value FROM meta WHERE name LIKE 'accept changes of %' ORDER BY name

-- name: drop_accept_request
DELETE FROM meta WHERE name = 'accept changes of ' || ?

-- name: whole_reports
SELECT campaign_id FROM whole_report

-- name: first_attempt_at
SELECT at FROM attempt WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1

-- name: set_winner
INSERT INTO meta (name, value) VALUES ('winner of campaign ' || ?, ?)
ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: winner
SELECT value FROM meta WHERE name = 'winner of campaign ' || ?

-- name: remove_winner
DELETE FROM meta WHERE name = 'winner of campaign ' || ?

-- name: waiting
SELECT recipient_id, queue_id, next_at, date FROM due
WHERE recipient_id > ? AND recipient_id <= ? AND next_at IS NOT NULL ORDER BY recipient_id LIMIT ?

-- name: deferred
SELECT d.recipient_id, o.doubt, o.provider, q.domain, coalesce(a.mx_host, '')
FROM due d JOIN outcome o ON o.recipient_id = d.recipient_id AND o.status = 'deferred'
    JOIN queue q ON q.id = d.queue_id LEFT JOIN attempt a ON a.id = o.attempt_id
WHERE d.recipient_id BETWEEN ? AND ? AND coalesce(a.at, 0.0) < ?
