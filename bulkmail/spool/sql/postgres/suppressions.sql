-- name: has_suppressions
SELECT EXISTS (SELECT 1 FROM suppression)

-- name: suppressions_of
-- of these hashes, a JSON array as SQLite has it: as an array of PostgreSQL they are looked up in the index whatever the
-- planner knows of the table
SELECT address, scope, reason, source, at, hash FROM suppression
WHERE hash = ANY(translate(%(hashes)s, '[]', '{}')::bigint[])

-- name: suppressions
-- a page behind one entry; '' for any scope, any reason
SELECT address, scope, reason, source, at, hash FROM suppression
WHERE (hash, scope, reason) > (%(hash)s, %(after_scope)s, %(after_reason)s) AND (%(scope)s::text = '' OR scope = %(scope)s::text) AND (%(reason)s::text = '' OR reason = %(reason)s::text)
ORDER BY hash, scope, reason LIMIT %(limit)s

-- name: count_suppressions
SELECT scope, reason, count(*), count(address) FROM suppression GROUP BY scope, reason ORDER BY scope, reason

-- name: add_suppressions
-- what is known already stays as it is, with its time
INSERT INTO suppression (hash, scope, reason, source, at, address)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::double precision[], %s::text[])
ON CONFLICT DO NOTHING

-- name: drop_suppression
DELETE FROM suppression WHERE hash = %(hash)s AND (%(scope)s::text = '' OR scope = %(scope)s::text) AND (%(reason)s::text = '' OR reason = %(reason)s::text)

-- name: forget_suppressed
-- the address is gone; what is known of it stays
UPDATE suppression SET address = NULL WHERE hash = %(hash)s AND address IS NOT NULL
