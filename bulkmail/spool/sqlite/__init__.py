"""The store in one SQLite file.

Room: the tables in a file of this machine: opening, upgrading, claiming, recovering, reading.
Takes: the contract of a store (`spool.contract`), and the parts that are the same in every database.
Gives: `SqliteStore`, and `Reader` for other processes.
Never: imports the PostgreSQL store; is used by two processes at once.
"""
