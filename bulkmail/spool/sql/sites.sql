-- name: site_facts
SELECT site, fact, value, learned_at, expires_at FROM site_facts WHERE expires_at > ?
ORDER BY learned_at DESC, site, fact LIMIT ?

-- name: facts_about
-- those of a key, whatever policy (~...) and source ( from ...) it has behind it; ! is the character behind the space
SELECT site, fact, value, learned_at, expires_at FROM site_facts
WHERE (site = :of OR (site > :of || ' ' AND site < :of || '!') OR (site > :of || '~' AND site < :of || char(127)))
    AND expires_at > :now ORDER BY learned_at DESC, site, fact LIMIT :most

-- name: drop_expired_facts
DELETE FROM site_facts WHERE expires_at <= ?

-- name: remember_fact
INSERT INTO site_facts (site, fact, value, learned_at, expires_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (site, fact) DO UPDATE SET value = excluded.value, learned_at = excluded.learned_at,
    expires_at = excluded.expires_at

-- name: forget_fact
DELETE FROM site_facts WHERE site = ? AND fact = ?

-- name: policies
SELECT domain, id, fetched_at, expires_at, policy FROM receiver_policy WHERE expires_at > ?
ORDER BY fetched_at DESC, domain LIMIT ?

-- name: drop_expired_policies
DELETE FROM receiver_policy WHERE expires_at <= ?

-- name: keep_policy
REPLACE INTO receiver_policy (domain, id, fetched_at, expires_at, policy) VALUES (?, ?, ?, ?, ?)

-- name: forget_site
-- by its whole key, or by the host that the key begins with
DELETE FROM site_facts WHERE site = ?1 OR substr(site, 1, length(?1) + 1) = ?1 || '~'

-- name: forget_sites
DELETE FROM site_facts
