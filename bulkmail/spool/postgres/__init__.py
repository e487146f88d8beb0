"""The store in PostgreSQL, which several machines may share.

Room: the tables in a database: transactions of a known end, claims under row locks, heartbeats, leases, take-over.
Takes: the contract of a store (`spool.contract`), and the parts that are the same in every database.
Gives: `PostgresStore`, its reader, and what a machine needs beside the others: heartbeat and leases.
Never: imports the SQLite store; lets a machine write whose claims were taken over.

All modules but `leases` need psycopg, which may be missing: they are imported by `address.postgres` alone.
"""
