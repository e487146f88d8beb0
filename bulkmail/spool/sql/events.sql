-- name: one_event_at_a_time
-- there is one writer
SELECT 1

-- name: add_event
INSERT INTO event (at, event, recipient_id, attempt_id, provider, category, site, note)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: drop_old_events
-- of so many of the oldest those before that time
DELETE FROM event WHERE seq <= (
    SELECT max(page.seq) FROM (SELECT page.seq, page.at FROM event page ORDER BY page.seq LIMIT ?) page WHERE page.at < ?)

-- name: drop_most_events
-- all but the newest so many, of so many of the oldest
DELETE FROM event WHERE seq <= (SELECT max(seq) FROM event) - ? AND seq < (SELECT min(seq) FROM event) + ?

-- name: read_events
SELECT e.seq, e.at, e.event, e.recipient_id >> 40, e.recipient_id & 1099511627775, coalesce(c.name, g.name, ''),
    r.file_no, r.row_in_file, r.email, e.provider, e.category, e.site,
    coalesce(nullif(e.note, ''), o.note, ''), a.number, a.smtp_code, a.enhanced,
    a.reply, a.stage, a.mx_host, a.mx_ip, a.source_ip, a.tls, o.bytes,
    a.tls_policy, h.hash
FROM event e LEFT JOIN campaign c ON c.id = e.recipient_id >> 40
    LEFT JOIN gone_campaign g ON g.id = e.recipient_id >> 40
    LEFT JOIN gone h ON h.recipient_id = e.recipient_id
    LEFT JOIN recipient r ON r.id = e.recipient_id LEFT JOIN outcome o ON o.recipient_id = e.recipient_id
    LEFT JOIN attempt a ON a.id = e.attempt_id
WHERE e.seq > ? ORDER BY e.seq LIMIT ?

-- name: read_events_before_policies
WITH attempt AS (SELECT a.*, NULL AS tls_policy FROM main.attempt a)
-- then: read_events

-- name: event_span
-- the oldest event that is there, and the last number given
SELECT (SELECT min(seq) FROM event), coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'event'), 0)
