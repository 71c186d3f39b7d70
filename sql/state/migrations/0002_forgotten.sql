-- People who asked to be forgotten: a keyed hash of their key and of their address, so that they are never
-- sent again. Nothing else is kept of them.
CREATE TABLE forgotten (
    hash BLOB PRIMARY KEY,
    forgotten_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The key of those hashes: one row, made with the first of them.
CREATE TABLE forgotten_salt (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    salt BLOB NOT NULL
) STRICT;
