-- name: has_suppressions
SELECT EXISTS (SELECT 1 FROM suppression)

-- name: suppressions_of
-- of these hashes
SELECT address, scope, reason, source, at, hash FROM suppression
WHERE hash IN (SELECT value FROM json_each(:hashes))

-- name: suppressions
-- a page behind one entry; '' for any scope, any reason
SELECT address, scope, reason, source, at, hash FROM suppression
WHERE (hash, scope, reason) > (:hash, :after_scope, :after_reason) AND (:scope = '' OR scope = :scope) AND (:reason = '' OR reason = :reason)
ORDER BY hash, scope, reason LIMIT :limit

-- name: count_suppressions
SELECT scope, reason, count(*), count(address) FROM suppression GROUP BY scope, reason ORDER BY scope, reason

-- name: add_suppression
-- what is known already stays as it is, with its time
INSERT OR IGNORE INTO suppression (hash, scope, reason, source, at, address) VALUES (?, ?, ?, ?, ?, ?)

-- name: drop_suppression
DELETE FROM suppression WHERE hash = :hash AND (:scope = '' OR scope = :scope) AND (:reason = '' OR reason = :reason)

-- name: forget_suppressed
-- the address is gone; what is known of it stays
UPDATE suppression SET address = NULL WHERE hash = :hash AND address IS NOT NULL
