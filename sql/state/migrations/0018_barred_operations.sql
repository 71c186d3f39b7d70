-- Operations whose every try something in front of Kartra has refused in one run, as HTTP 403: the same again in
-- another run is a refusal. One row per key.
CREATE TABLE barred_operations (
    scope_id INTEGER NOT NULL REFERENCES scopes,
    key TEXT NOT NULL,
    digest BLOB NOT NULL,
    barrier TEXT NOT NULL,
    run_id TEXT NOT NULL,
    PRIMARY KEY (scope_id, key)
) STRICT, WITHOUT ROWID;
