-- What stands between each staged lead and taking it over, one row per key.
CREATE TEMP TABLE adopting (
    key TEXT PRIMARY KEY,
    row INTEGER NOT NULL,
    standing TEXT NOT NULL
) STRICT, WITHOUT ROWID;
