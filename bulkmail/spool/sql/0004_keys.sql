-- Version 4: what is stored of a campaign is JSON, and holds no private key. `scrubbing` changes what is there.
INSERT INTO meta (name, value) SELECT 'keys to take out', '1' WHERE EXISTS (SELECT 1 FROM snapshot);

PRAGMA user_version = 4;
