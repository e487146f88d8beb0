-- name: input_rows
-- locked: two machines must not both store row 1
SELECT input_rows FROM campaign WHERE id = %s FOR NO KEY UPDATE

-- name: no_claims_meanwhile
-- Waits until no claim is looking for new rows of this campaign, and keeps new ones from concluding that a queue has run
-- dry (see try_no_import): rows that come in between would never be looked for.
SELECT pg_advisory_xact_lock(hashtext(current_schema()), %s)

-- name: set_input_rows
UPDATE campaign SET input_rows = %s, import_done = %s WHERE id = %s

-- name: set_reading
INSERT INTO reading (campaign_id, state) VALUES (%s, %s) ON CONFLICT (campaign_id) DO UPDATE SET state = excluded.state

-- name: reading
SELECT state FROM reading WHERE campaign_id = %s

-- name: queues_of_domains
SELECT domain, id, has_new FROM queue WHERE campaign_id = %s AND domain = ANY(%s)

-- name: add_queues
INSERT INTO queue (campaign_id, domain, has_new) SELECT %s, w.* FROM unnest(%s::text[], %s::integer[]) AS w
RETURNING domain, id

-- name: queues_have_new
UPDATE queue SET has_new = 1 WHERE id = ANY(%s)

-- name: copy_recipients
COPY recipient (id, queue_id, file_no, row_in_file, email, fields) FROM STDIN

-- name: held_back
SELECT r.id, r.queue_id FROM recipient r
WHERE r.id = ANY(%s) AND r.queue_id < 0
    AND NOT EXISTS (SELECT 1 FROM outcome o WHERE o.recipient_id = r.id)
    AND NOT EXISTS (SELECT 1 FROM due d WHERE d.recipient_id = r.id)

-- name: all_held_back
-- the + 0 keeps the planner from walking through the whole campaign instead of the few rows in the index below 0
SELECT r.id, r.queue_id FROM recipient r
WHERE r.queue_id < 0 AND r.id + 0 BETWEEN %s AND %s
    AND NOT EXISTS (SELECT 1 FROM outcome o WHERE o.recipient_id = r.id)
    AND NOT EXISTS (SELECT 1 FROM due d WHERE d.recipient_id = r.id)
LIMIT %s
