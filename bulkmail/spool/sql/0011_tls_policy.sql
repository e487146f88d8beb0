-- Version 11: how much TLS an attempt asked for, and by whose word: that of the settings, or of the receiver.
ALTER TABLE attempt ADD COLUMN tls_policy TEXT NOT NULL DEFAULT '';

PRAGMA user_version = 11;
