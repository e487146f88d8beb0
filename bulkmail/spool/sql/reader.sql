-- name: signs
-- of processes; whether they are alive only the lock of the folder tells
SELECT value, 0 FROM meta WHERE substr(name, 1, length(:name)) = :name

-- name: new_rows_left
SELECT EXISTS (SELECT 1 FROM queue WHERE campaign_id = ? AND has_new = 1)

-- name: queues_of_domain
-- of the campaigns between two ids
SELECT c.id, q.id FROM campaign c CROSS JOIN queue q ON q.campaign_id = c.id AND q.domain = :domain
WHERE c.id BETWEEN :first AND :last

-- name: found_in_queue
-- rows of queue :queue, held back ones too, between two ids, whose cell matches :text
WITH RECURSIVE chunk(n, last) AS (
    SELECT :low >> 18, (SELECT max(id) FROM recipient WHERE id <= :high) >> 18
    UNION ALL SELECT n + 1, last FROM chunk WHERE n < last)
SELECT id, email FROM recipient
WHERE id >> 18 IN (SELECT n FROM chunk) AND queue_id IN (:queue, -:queue) AND id BETWEEN :low AND :high
    AND email LIKE :text ESCAPE '\'

-- name: found_unsent
-- rows that are never sent
SELECT id, email FROM recipient INDEXED BY recipient_unsent
WHERE queue_id IS NULL AND id BETWEEN :low AND :high AND email LIKE :text ESCAPE '\'

-- name: found_recipient
SELECT r.id & 1099511627775, r.file_no, r.row_in_file, r.email, coalesce(o.status, 'pending'), coalesce(o.category, ''),
    a.smtp_code, coalesce(a.enhanced, ''), coalesce(a.reply, ''), coalesce(a.stage, ''), coalesce(a.mx_host, ''),
    coalesce(a.mx_ip, ''), coalesce(a.source_ip, ''), coalesce(a.tls, ''), coalesce(o.attempts, 0), o.first_attempt_at,
    o.completed_at, coalesce(o.bytes, 0), coalesce(o.note, ''), r.fields,
    l.late_at, l.unsubscribed_at, l.complained_at, coalesce(a.tls_policy, ''), d.next_at
FROM recipient r LEFT JOIN outcome o ON o.recipient_id = r.id LEFT JOIN attempt a ON a.id = o.attempt_id
    LEFT JOIN late l ON l.recipient_id = r.id
    LEFT JOIN due d ON d.recipient_id = r.id
WHERE r.id = ?

-- name: found_recipient_before_policies
WITH attempt AS (SELECT a.*, NULL AS tls_policy FROM main.attempt a)
-- then: found_recipient

-- name: read_recipients
SELECT r.id & 1099511627775, r.file_no, r.row_in_file, r.email, coalesce(o.status, 'pending'), coalesce(o.category, ''),
    a.smtp_code, coalesce(a.enhanced, ''), coalesce(a.reply, ''), coalesce(a.stage, ''), coalesce(a.mx_host, ''),
    coalesce(a.mx_ip, ''), coalesce(a.source_ip, ''), coalesce(a.tls, ''), coalesce(o.attempts, 0), o.first_attempt_at,
    o.completed_at, coalesce(o.bytes, 0), coalesce(o.note, ''), r.fields,
    l.late_at, l.unsubscribed_at, l.complained_at, coalesce(a.tls_policy, '')
FROM recipient r LEFT JOIN outcome o ON o.recipient_id = r.id LEFT JOIN attempt a ON a.id = o.attempt_id
    LEFT JOIN late l ON l.recipient_id = r.id
WHERE r.id > ? AND r.id <= ? ORDER BY r.id LIMIT ?

-- name: read_recipients_before_policies
WITH attempt AS (SELECT a.*, NULL AS tls_policy FROM main.attempt a)
-- then: read_recipients

-- name: found_recipient_before_late
WITH attempt AS (SELECT a.*, NULL AS tls_policy FROM main.attempt a),
late AS (SELECT NULL AS recipient_id, NULL AS late_at, NULL AS unsubscribed_at, NULL AS complained_at WHERE false)
-- then: found_recipient

-- name: read_recipients_before_late
WITH attempt AS (SELECT a.*, NULL AS tls_policy FROM main.attempt a),
late AS (SELECT NULL AS recipient_id, NULL AS late_at, NULL AS unsubscribed_at, NULL AS complained_at WHERE false)
-- then: read_recipients

-- name: read_attempts
SELECT a.id, r.id & 1099511627775, r.file_no, r.row_in_file, r.email, a.at, a.number, a.result, a.category,
    a.smtp_code, a.enhanced, a.reply, a.stage, a.mx_host, a.mx_ip, a.source_ip, a.tls, a.duration_ms, a.next_attempt_at
FROM attempt a JOIN recipient r ON r.id = a.recipient_id
WHERE a.id > ? AND a.id <= ? ORDER BY a.id LIMIT ?

-- name: attempts_of
-- all attempts of one recipient, oldest first, read up to its last one
SELECT a.id, r.id & 1099511627775, r.file_no, r.row_in_file, r.email, a.at, a.number, a.result, a.category,
    a.smtp_code, a.enhanced, a.reply, a.stage, a.mx_host, a.mx_ip, a.source_ip, a.tls, a.duration_ms, a.next_attempt_at
FROM attempt a JOIN recipient r ON r.id = a.recipient_id
WHERE a.recipient_id = ? AND a.id BETWEEN ? AND ? ORDER BY a.id LIMIT ?

-- name: attempt_sums
-- of the next attempts of a campaign: how many to each provider came to what in each span of so many seconds, and within
-- how many milliseconds those were accepted; and the last one of them
SELECT max(page.id), CAST(at / :width AS INTEGER), coalesce(nullif(o.provider, ''), 'other'), result,
    CASE WHEN result <> 'delivered' THEN 0
        WHEN duration_ms < 10 THEN 10 WHEN duration_ms < 20 THEN 20 WHEN duration_ms < 50 THEN 50
        WHEN duration_ms < 100 THEN 100 WHEN duration_ms < 150 THEN 150 WHEN duration_ms < 200 THEN 200
        WHEN duration_ms < 300 THEN 300 WHEN duration_ms < 500 THEN 500 WHEN duration_ms < 700 THEN 700
        WHEN duration_ms < 1000 THEN 1000 WHEN duration_ms < 1500 THEN 1500 WHEN duration_ms < 2000 THEN 2000
        WHEN duration_ms < 3000 THEN 3000 WHEN duration_ms < 5000 THEN 5000 WHEN duration_ms < 7000 THEN 7000
        WHEN duration_ms < 10000 THEN 10000 WHEN duration_ms < 15000 THEN 15000
        WHEN duration_ms < 20000 THEN 20000 WHEN duration_ms < 30000 THEN 30000
        WHEN duration_ms < 60000 THEN 60000 WHEN duration_ms < 120000 THEN 120000 ELSE 600000 END, count(*)
FROM (SELECT id, recipient_id, at, result, duration_ms FROM attempt
    WHERE id > :after AND id <= :high ORDER BY id LIMIT :limit) page
LEFT JOIN outcome o ON o.recipient_id = page.recipient_id GROUP BY 2, 3, 4, 5

-- name: rows_by_domain
-- counted in the index over the chunks; the rows themselves are not read
WITH RECURSIVE chunk(n, last) AS (
    SELECT :low >> 18, (SELECT max(id) FROM recipient WHERE id <= :high) >> 18
    UNION ALL SELECT n + 1, last FROM chunk WHERE n < last),
counted(queue_id, rows) AS (
    SELECT queue_id, count(*) FROM recipient WHERE id >> 18 IN (SELECT n FROM chunk) AND queue_id > 0 GROUP BY queue_id)
SELECT q.domain, c.rows, q.delivered + q.failed FROM counted c JOIN queue q ON q.id = c.queue_id
WHERE q.campaign_id = :campaign ORDER BY c.rows DESC, q.domain LIMIT :limit

-- name: count_domains
SELECT count(*) FROM queue WHERE campaign_id = ?

-- name: domains_at
-- of the domains of a campaign with the most outcomes those at a provider, which is that of their first rows. The index
-- over the rows of a queue goes by chunks
WITH RECURSIVE chunk(n, last) AS (
    SELECT :low >> 18, (SELECT max(id) FROM recipient WHERE id <= :high) >> 18
    UNION ALL SELECT n + 1, last FROM chunk WHERE n < last),
busy AS (
    SELECT id, domain, delivered, failed, deferred FROM queue
    WHERE campaign_id = :campaign AND delivered + failed + deferred > 0
    ORDER BY delivered + failed + deferred DESC, domain LIMIT :among)
SELECT id, domain, delivered, failed, deferred FROM busy WHERE :provider = coalesce((
    SELECT o.provider FROM (
        SELECT r.id FROM recipient r WHERE r.id >> 18 IN (SELECT n FROM chunk) AND r.queue_id = busy.id
        ORDER BY r.id >> 18, r.id LIMIT 5) row
    JOIN outcome o ON o.recipient_id = row.id WHERE o.provider <> '' LIMIT 1), 'other')
ORDER BY delivered + failed + deferred DESC, domain LIMIT :limit

-- name: count_tried_domains
SELECT count(*) FROM (
    SELECT 1 FROM queue WHERE campaign_id = :campaign AND delivered + failed + deferred > 0 LIMIT :limit) page

-- name: rows_of_queue
WITH RECURSIVE chunk(n, last) AS (
    SELECT :low >> 18, (SELECT max(id) FROM recipient WHERE id <= :high) >> 18
    UNION ALL SELECT n + 1, last FROM chunk WHERE n < last)
SELECT count(*) FROM recipient WHERE id >> 18 IN (SELECT n FROM chunk) AND queue_id = :queue

-- name: read_received
SELECT r.id & 1099511627775, r.email FROM recipient r JOIN outcome o ON o.recipient_id = r.id
WHERE r.id > ? AND r.id <= ? AND o.status IN ('delivered', 'unknown') ORDER BY r.id LIMIT ?

-- name: recent_attempts
-- what came of the last attempts of a campaign, the newest first
SELECT o.provider, page.result, page.category, page.smtp_code, page.reply, page.at, page.duration_ms,
    page.recipient_id & 1099511627775 FROM (
    SELECT id, recipient_id, result, category, smtp_code, reply, at, duration_ms FROM attempt
    WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?) page
JOIN outcome o ON o.recipient_id = page.recipient_id ORDER BY page.id DESC

-- name: next_tries
-- the domains of a campaign whose rows wait, the first due first, each with when that is and the provider of that row
SELECT q.next_at, coalesce((SELECT o.provider FROM due d JOIN outcome o ON o.recipient_id = d.recipient_id
    WHERE d.queue_id = q.id AND d.next_at IS NOT NULL ORDER BY d.next_at LIMIT 1), '')
FROM queue q WHERE q.campaign_id = ? AND q.next_at > 0 ORDER BY q.next_at LIMIT ?

-- name: last_row
SELECT max(id) FROM recipient WHERE id BETWEEN ? AND ?

-- name: rows_of_status
-- those between two ids (at a provider, '' at any), the last first; in the order of the primary key, since no index has the status
SELECT recipient_id, provider FROM outcome
WHERE recipient_id BETWEEN :low AND :high AND status = :status
    AND (:provider = '' OR coalesce(nullif(provider, ''), 'other') = :provider)
ORDER BY recipient_id DESC LIMIT :limit

-- name: pending_rows
-- the same of those that were not tried: they have no outcome, or one that says so
SELECT r.id, coalesce(o.provider, '') FROM recipient r LEFT JOIN outcome o ON o.recipient_id = r.id
WHERE r.id BETWEEN :low AND :high AND coalesce(o.status, 'pending') = :status
    AND (:provider = '' OR coalesce(nullif(o.provider, ''), 'other') = :provider)
ORDER BY r.id DESC LIMIT :limit
