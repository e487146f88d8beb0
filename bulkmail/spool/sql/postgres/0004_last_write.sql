-- Version 4: each life's last writing transaction, counted by itself, so that a commit whose answer was lost can be asked
-- after on whichever server is there then. The number of a transaction will not do: one that never left a server that
-- crashed is given to another transaction by its successor.
CREATE TABLE last_write (
    epoch bigint PRIMARY KEY,
    number bigint NOT NULL
) WITH (fillfactor = 50);
