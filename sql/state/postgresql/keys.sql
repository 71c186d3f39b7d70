-- A changed sync key, where PostgreSQL has its own words.

-- name: create_known()!
-- What is known under keys of the former sync key: leads, and keys of which only a refusal or an open call is known.
CREATE TEMP TABLE known_keys (
    key TEXT PRIMARY KEY,
    address TEXT,
    counts boolean NOT NULL
) STRICT, WITHOUT ROWID;
