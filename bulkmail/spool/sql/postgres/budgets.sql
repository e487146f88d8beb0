-- name: database_day
-- the database's own, whatever the clock of the machine that asks says
SELECT floor(extract(epoch FROM clock_timestamp()) / 86400)::bigint WHERE %s::float8 IS NOT NULL

-- name: begin_budget
INSERT INTO meta (name, value) VALUES ('warm-up of ' || %s::text, %s) ON CONFLICT (name) DO NOTHING

-- name: budget
SELECT value FROM meta WHERE name = 'warm-up of ' || %s::text FOR UPDATE

-- name: set_budget
UPDATE meta SET value = %s WHERE name = 'warm-up of ' || %s::text

-- name: budgets
SELECT substr(name, 12), value FROM meta WHERE starts_with(name, 'warm-up of ') ORDER BY name
