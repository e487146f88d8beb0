-- Version 13: how much TLS an attempt asked for, and by whose word; as in the SQLite spool.
ALTER TABLE attempt ADD COLUMN tls_policy text NOT NULL DEFAULT '';
