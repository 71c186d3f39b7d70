-- Staged records whose address another one speaks for. One row per record.
CREATE TEMP TABLE sharing (row INTEGER PRIMARY KEY) STRICT;
