-- 1 where a lead is in Kartra by the word of `adopt` alone: taken over, and nothing was sent to it since.
ALTER TABLE leads ADD COLUMN taken_over INTEGER NOT NULL DEFAULT 0;

-- A lead whose number in Kartra nobody has seen yet is known by its address.
CREATE INDEX leads_by_address ON leads (scope_id, json_extract(snapshot, '$.email')) WHERE lead_id IS NULL;

-- What `export-import` wrote last to files for Kartra's own import: the wish of each lead, as a digest.
CREATE TABLE imports (
    scope_id INTEGER NOT NULL REFERENCES scopes,
    key TEXT NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (scope_id, key)
) STRICT, WITHOUT ROWID;
