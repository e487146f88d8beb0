-- name: copy_last
SELECT max({key}) FROM {table}

-- name: copy_page
-- rows with the last key are all of it, however many
SELECT {columns} FROM {table} WHERE {key} > ? AND {key} <= (
    SELECT max(page.k) FROM (SELECT {key} AS k FROM {table} WHERE {key} > ? ORDER BY {key} LIMIT ?) AS page)
ORDER BY {key}

-- name: copy_all
SELECT {columns} FROM {table}

-- name: copy_totals
SELECT campaign_id, provider, status, category, count FROM total

-- name: copy_clear
DELETE FROM {table}

-- name: copy_add
INSERT INTO {table} ({columns}) VALUES ({marks})

-- name: copy_print
-- figures that change with every use of the spool
SELECT 'campaign', id, name, state, input_rows, import_done FROM campaign
UNION ALL SELECT 'attempt', max(id), '', '', count(*), 0 FROM attempt
UNION ALL SELECT 'due', max(recipient_id), '', '', count(*), 0 FROM due
UNION ALL SELECT 'claim', max(id), '', '', count(*), 0 FROM claim
UNION ALL SELECT 'claim', max(recipient_id), '', '', count(*), 0 FROM due WHERE next_at IS NULL
UNION ALL SELECT 'late', max(recipient_id), '', '', count(*), sum(lines) FROM late
UNION ALL SELECT 'click', max(campaign_id), '', '', count(*), sum(people + scanners) FROM click
UNION ALL SELECT 'gone', max(recipient_id), '', '', count(*), 0 FROM gone
UNION ALL SELECT 'event', max(seq), '', '', count(*), 0 FROM event
UNION ALL SELECT 'suppression', max(hash), '', '', count(*), 0 FROM suppression
UNION ALL SELECT 'outcome', max(recipient_id), '', '', count(*), sum(attempts) FROM outcome

-- name: drop_meta
DELETE FROM meta WHERE name = ?

-- name: copy_winners
SELECT name, value FROM meta WHERE name LIKE 'winner of campaign %' ORDER BY name
