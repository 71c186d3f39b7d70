-- Up to where a query was read, and everything before it settled: the highest value of its column, as JSON.
-- `source` is a hash of the query: another one begins anew.
CREATE TABLE watermarks (
    scope_id INTEGER PRIMARY KEY REFERENCES scopes,
    source BLOB NOT NULL,
    highest TEXT NOT NULL,
    full_at TEXT NOT NULL,
    moved_at TEXT NOT NULL
) STRICT;
