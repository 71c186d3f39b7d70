-- The source of one run, on disk and gone with its connection. One row per record with a sync key; the `record`
-- itself is null where it is among the originals.
CREATE TEMP TABLE staged (
    row INTEGER PRIMARY KEY,
    line INTEGER NOT NULL,
    key TEXT NOT NULL,
    rank REAL NOT NULL,
    digest BLOB NOT NULL,
    wish TEXT NOT NULL,
    blocked TEXT,
    record TEXT,
    raw BLOB NOT NULL,
    shape BLOB NOT NULL
) STRICT;
