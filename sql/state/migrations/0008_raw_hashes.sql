-- The hash of the record that a lead was acknowledged for (see `pipelines/raw_hash.py`): while both are as they
-- were, the record need not be mapped again. One row per lead; none is no more than a record to be mapped.
CREATE TABLE raw_hashes (
    scope_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    raw BLOB NOT NULL,
    PRIMARY KEY (scope_id, key),
    FOREIGN KEY (scope_id, key) REFERENCES leads ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Whoever changes what is acknowledged of a lead, its record has to be looked at again.
CREATE TRIGGER raw_hash_of_another_wish AFTER UPDATE OF digest, origin, removed_at ON leads
WHEN old.digest <> new.digest OR old.origin <> new.origin OR old.removed_at IS NOT new.removed_at
BEGIN
    DELETE FROM raw_hashes WHERE scope_id = old.scope_id AND key = old.key;
END;
