-- name: database_day
SELECT CAST(? / 86400 AS INTEGER)

-- name: begin_budget
INSERT INTO meta (name, value) VALUES ('warm-up of ' || ?, ?) ON CONFLICT (name) DO NOTHING

-- name: budget
SELECT value FROM meta WHERE name = 'warm-up of ' || ?

-- name: set_budget
UPDATE meta SET value = ? WHERE name = 'warm-up of ' || ?

-- name: budgets
SELECT substr(name, 12), value FROM meta WHERE name LIKE 'warm-up of %' ORDER BY name
