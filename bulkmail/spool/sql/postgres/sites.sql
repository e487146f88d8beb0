-- name: site_facts
SELECT site, fact, value, learned_at, expires_at FROM site_facts WHERE expires_at > %s
ORDER BY learned_at DESC, site COLLATE "C", fact COLLATE "C" LIMIT %s

-- name: facts_about
-- those of a key, whatever policy (~...) and source ( from ...) it has behind it
SELECT site, fact, value, learned_at, expires_at FROM site_facts
WHERE (site = %(of)s OR starts_with(site, %(of)s || ' ') OR starts_with(site, %(of)s || '~')) AND expires_at > %(now)s
ORDER BY learned_at DESC, site COLLATE "C", fact COLLATE "C" LIMIT %(most)s

-- name: drop_expired_facts
DELETE FROM site_facts WHERE expires_at <= %s

-- name: remember_facts
-- in one order on all machines, so that two never wait for each other
INSERT INTO site_facts (site, fact, value, learned_at, expires_at)
SELECT * FROM unnest(%s::text[], %s::text[], %s::double precision[], %s::double precision[], %s::double precision[])
    AS w (site, fact, value, learned_at, expires_at) ORDER BY site, fact
ON CONFLICT (site, fact) DO UPDATE SET value = excluded.value, learned_at = excluded.learned_at,
    expires_at = excluded.expires_at

-- name: forget_facts
DELETE FROM site_facts USING unnest(%s::text[], %s::text[]) AS w (gone_site, gone_fact)
WHERE site = w.gone_site AND fact = w.gone_fact

-- name: policies
SELECT domain, id, fetched_at, expires_at, policy FROM receiver_policy WHERE expires_at > %s
ORDER BY fetched_at DESC, domain COLLATE "C" LIMIT %s

-- name: drop_expired_policies
DELETE FROM receiver_policy WHERE expires_at <= %s

-- name: keep_policy
INSERT INTO receiver_policy (domain, id, fetched_at, expires_at, policy) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (domain) DO UPDATE SET id = excluded.id, fetched_at = excluded.fetched_at,
    expires_at = excluded.expires_at, policy = excluded.policy

-- name: site_facts_of
SELECT site, fact, value, learned_at, expires_at FROM site_facts WHERE site = ANY(%s) AND expires_at > %s

-- name: forget_site
-- by its whole key, or by the host that the key begins with
DELETE FROM site_facts WHERE site = %(site)s OR starts_with(site, %(site)s || '~')

-- name: forget_sites
DELETE FROM site_facts
