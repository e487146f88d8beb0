-- Version 6: what is stored of a campaign is JSON, and of one that has ended it holds no private key. `scrubbing` changes
-- what is there.
INSERT INTO meta (name, value) SELECT 'keys to take out', '1' WHERE EXISTS (SELECT 1 FROM snapshot)
ON CONFLICT (name) DO NOTHING;
