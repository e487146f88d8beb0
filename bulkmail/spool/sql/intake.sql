-- name: input_rows
SELECT input_rows FROM campaign WHERE id = ?

-- name: set_input_rows
UPDATE campaign SET input_rows = ?, import_done = ? WHERE id = ?

-- name: set_reading
INSERT INTO reading (campaign_id, state) VALUES (?, ?) ON CONFLICT (campaign_id) DO UPDATE SET state = excluded.state

-- name: reading
SELECT state FROM reading WHERE campaign_id = ?

-- name: queues_of_domains
SELECT domain, id, has_new FROM queue WHERE campaign_id = ? AND domain IN (SELECT value FROM json_each(?))

-- name: add_queue
INSERT INTO queue (campaign_id, domain, has_new, cursor) VALUES (?, ?, ?, ?)

-- name: queue_has_new
UPDATE queue SET has_new = 1 WHERE id = ?

-- name: add_recipient
INSERT INTO recipient (id, queue_id, file_no, row_in_file, email, fields) VALUES (?, ?, ?, ?, ?, ?)

-- name: held_back
SELECT r.id, r.queue_id FROM recipient r
WHERE r.id = ? AND r.queue_id < 0
    AND NOT EXISTS (SELECT 1 FROM outcome o WHERE o.recipient_id = r.id)
    AND NOT EXISTS (SELECT 1 FROM due d WHERE d.recipient_id = r.id)

-- name: all_held_back
-- the rows of one campaign of which it is not known yet whether they are duplicates: few, in an index of their own
SELECT r.id, r.queue_id FROM recipient r INDEXED BY recipient_held
WHERE r.queue_id < 0 AND r.id BETWEEN ? AND ?
    AND NOT EXISTS (SELECT 1 FROM outcome o WHERE o.recipient_id = r.id)
    AND NOT EXISTS (SELECT 1 FROM due d WHERE d.recipient_id = r.id)
LIMIT ?
