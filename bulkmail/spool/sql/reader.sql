-- name: read_recipients
SELECT r.id & 1099511627775, r.file_no, r.row_in_file, r.email, coalesce(o.status, 'pending'), coalesce(o.category, ''),
    a.smtp_code, coalesce(a.enhanced, ''), coalesce(a.reply, ''), coalesce(a.stage, ''), coalesce(a.mx_host, ''),
    coalesce(a.mx_ip, ''), coalesce(a.source_ip, ''), coalesce(a.tls, ''), coalesce(o.attempts, 0), o.first_attempt_at,
    o.completed_at, coalesce(o.bytes, 0), coalesce(o.note, ''), r.fields
FROM recipient r LEFT JOIN outcome o ON o.recipient_id = r.id LEFT JOIN attempt a ON a.id = o.attempt_id
WHERE r.id > ? AND r.id <= ? ORDER BY r.id LIMIT ?

-- name: read_attempts
SELECT a.id, r.id & 1099511627775, r.file_no, r.row_in_file, r.email, a.at, a.number, a.result, a.category,
    a.smtp_code, a.enhanced, a.reply, a.stage, a.mx_host, a.mx_ip, a.source_ip, a.tls, a.duration_ms, a.next_attempt_at
FROM attempt a JOIN recipient r ON r.id = a.recipient_id
WHERE a.id > ? AND a.id <= ? ORDER BY a.id LIMIT ?
