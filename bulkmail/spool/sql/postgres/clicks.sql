-- name: name_link
INSERT INTO click (campaign_id, link, variant, label, people, scanners) VALUES (%s, %s, '', %s, 0, 0)
ON CONFLICT (campaign_id, link, variant) DO UPDATE SET label = excluded.label

-- name: add_clicks
-- of a campaign that is there
INSERT INTO click (campaign_id, link, variant, label, people, scanners)
SELECT c.id, %s::text, %s::text, '', %s::bigint, %s::bigint FROM campaign c WHERE c.id = %s
ON CONFLICT (campaign_id, link, variant) DO UPDATE
SET people = click.people + excluded.people, scanners = click.scanners + excluded.scanners

-- name: clicks
SELECT link, variant, people, scanners, label FROM click WHERE campaign_id = %s ORDER BY link, variant

-- name: remove_clicks
DELETE FROM click WHERE campaign_id = %s
