-- The values of one custom field that new leads are to have (`type`: text or array, then as JSON), in the order of the
-- source, and how many have each.
CREATE TEMP TABLE new_values (
    place INTEGER PRIMARY KEY,
    type TEXT NOT NULL,
    value TEXT NOT NULL,
    leads INTEGER NOT NULL
) STRICT;
