-- name: copy_last
SELECT max({key}) FROM {table}

-- name: copy_page
-- rows with the last key are all of it, however many
SELECT {columns} FROM {table} WHERE {key} > %s AND {key} <= (
    SELECT max(page.k) FROM (SELECT {key} AS k FROM {table} WHERE {key} > %s ORDER BY {key} LIMIT %s) AS page)
ORDER BY {key}

-- name: copy_all
SELECT {columns} FROM {table}

-- name: copy_totals
SELECT campaign_id, provider, status, category, sum(count)::bigint FROM total
GROUP BY campaign_id, provider, status, category HAVING sum(count) <> 0

-- name: copy_clear
DELETE FROM {table}

-- name: copy_add
COPY {table} ({columns}) FROM STDIN

-- name: copy_print
-- figures that change with every use of the spool
SELECT 'campaign', id, name, state, input_rows, import_done FROM campaign
UNION ALL SELECT 'attempt', max(id), '', '', count(*), 0 FROM attempt
UNION ALL SELECT 'due', max(recipient_id), '', '', count(*), 0 FROM due
UNION ALL SELECT 'claim', max(id), '', '', count(*), 0 FROM claim
UNION ALL SELECT 'claim', max(recipient_id), '', '', count(*), 0 FROM due WHERE next_at IS NULL
UNION ALL SELECT 'late', max(recipient_id), '', '', count(*), sum(lines)::bigint FROM late
UNION ALL SELECT 'click', max(campaign_id), '', '', count(*), sum(people + scanners)::bigint FROM click
UNION ALL SELECT 'gone', max(recipient_id), '', '', count(*), 0 FROM gone
UNION ALL SELECT 'event', max(seq), '', '', count(*), 0 FROM event
UNION ALL SELECT 'suppression', max(hash), '', '', count(*), 0 FROM suppression
UNION ALL SELECT 'outcome', max(recipient_id), '', '', count(*), sum(attempts)::bigint FROM outcome

-- name: drop_meta
DELETE FROM meta WHERE name = %s

-- name: copy_numbers
INSERT INTO attempt_number (campaign_id, last)
SELECT c.id, coalesce((SELECT max(a.id) FROM attempt a WHERE a.id BETWEEN c.id << 40 AND (c.id + 1) << 40), c.id << 40)
FROM campaign c
ON CONFLICT (campaign_id) DO UPDATE SET last = excluded.last

-- name: copy_sequences
SELECT setval(pg_get_serial_sequence('campaign', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM campaign), false),
    setval(pg_get_serial_sequence('queue', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM queue), false),
    setval(pg_get_serial_sequence('event', 'seq'), (SELECT coalesce(max(seq), 0) + 1 FROM event), false)

-- name: copy_busy
SELECT count(*) FROM machine WHERE state = 'live' AND expires_at > clock_timestamp()

-- name: copy_winners
SELECT name, value FROM meta WHERE starts_with(name, 'winner of campaign ') ORDER BY name
