-- Plans that were kept to be applied as they are. `basis` is JSON: hashes of what the plan was made from. `counts` is
-- JSON: what it would do. `applying` may have sent some of its changes, `applied` has sent all that it could.
CREATE TABLE plans (
    plan_id TEXT PRIMARY KEY,
    scope_id INTEGER NOT NULL REFERENCES scopes,
    made_at TEXT NOT NULL,
    made_by TEXT NOT NULL,
    expires_at TEXT,
    basis TEXT NOT NULL,
    counts TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('saved', 'applying', 'applied')),
    applied_at TEXT,
    applied_by TEXT
) STRICT, WITHOUT ROWID;

-- The changes of a plan in its order, each with what Kartra had acknowledged of the lead when it was made. They go
-- once the plan is applied.
CREATE TABLE plan_changes (
    plan_id TEXT NOT NULL REFERENCES plans ON DELETE CASCADE,
    place INTEGER NOT NULL,
    key TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('load', 'removal')),
    row INTEGER,
    line INTEGER,
    digest BLOB NOT NULL,
    outcome TEXT NOT NULL,
    change TEXT NOT NULL,
    lead_id TEXT,
    origin TEXT,
    snapshot TEXT,
    PRIMARY KEY (plan_id, place)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX plan_changes_by_key ON plan_changes (plan_id, key);

-- The runs that applied a plan: more than one where the first was cut short.
CREATE TABLE plan_runs (
    plan_id TEXT NOT NULL REFERENCES plans ON DELETE CASCADE,
    run_id TEXT NOT NULL,
    PRIMARY KEY (plan_id, run_id)
) STRICT, WITHOUT ROWID;
