-- Staged leads that nothing is known of, set apart: one row per lead, none before they are found.
CREATE TEMP TABLE new_leads (row INTEGER PRIMARY KEY, shape BLOB NOT NULL) STRICT;
