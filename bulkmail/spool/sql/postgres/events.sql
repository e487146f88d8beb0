-- name: one_event_at_a_time
-- Held until the commit, so that numbers are seen in their order: who has read one has read all below it.
SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' event', 0))

-- name: add_events
INSERT INTO event (at, event, recipient_id, attempt_id, provider, category, site, note)
SELECT * FROM unnest(%s::double precision[], %s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::text[],
    %s::text[], %s::text[])

-- name: drop_old_events
-- of so many of the oldest those before that time
DELETE FROM event WHERE seq <= (
    SELECT max(page.seq) FROM (SELECT page.seq, page.at FROM event page ORDER BY page.seq LIMIT %s) page WHERE page.at < %s)

-- name: drop_most_events
-- all but the newest so many, of so many of the oldest
DELETE FROM event WHERE seq <= (SELECT max(seq) FROM event) - %s AND seq < (SELECT min(seq) FROM event) + %s

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
WHERE e.seq > %s ORDER BY e.seq LIMIT %s

-- name: read_events_before_policies
WITH attempt AS (SELECT a.*, NULL AS tls_policy FROM attempt a)
-- then: read_events

-- name: event_span
-- the oldest event that is there, and the last number given
SELECT (SELECT min(seq) FROM event), CASE WHEN s.is_called THEN s.last_value ELSE 0 END FROM event_seq_seq s
