-- Hashes that were kept and did not come again, where known records were not staged. One row per hash.
CREATE TEMP TABLE unseen (raw BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
