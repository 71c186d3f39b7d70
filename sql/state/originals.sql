-- Staged records as they stand in the source, many in a blob (see `pipelines/originals.py`): one row for those from
-- row `first` up to the next.
CREATE TEMP TABLE originals (first INTEGER PRIMARY KEY, packed BLOB NOT NULL) STRICT;
