-- Keys of records that cannot be used: their leads have not gone from the source. One row per key.
CREATE TEMP TABLE present (key TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
