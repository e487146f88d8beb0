-- Version 5: `rested` is 1 when the site of a queue could not be used since the campaign was last started, by whichever
-- machine tried: then its rows have had their turn, as far as `--once` is concerned.
ALTER TABLE queue ADD COLUMN rested integer NOT NULL DEFAULT 0;
