-- What somebody changed in Kartra of what it had acknowledged, as the last look at a lead found it: a JSON
-- array, empty where nothing was. It goes with its lead.
CREATE TABLE drift (
    scope_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    looked_at TEXT NOT NULL,
    found TEXT NOT NULL,
    PRIMARY KEY (scope_id, key),
    FOREIGN KEY (scope_id, key) REFERENCES leads ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
