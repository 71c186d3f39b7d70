-- The state of all pipelines that share this file. Times are ISO 8601 in UTC.

-- One row per pipeline, Kartra account (a hash) and mode: a Test run never marks a Live lead as done.
CREATE TABLE scopes (
    scope_id INTEGER PRIMARY KEY,
    pipeline TEXT NOT NULL,
    account TEXT NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('live', 'test')),
    UNIQUE (pipeline, account, mode)
) STRICT;

-- The snapshot: what Kartra acknowledged, per sync key. `digest` is that of the wish that was settled
-- in full, empty while something of it is still owed.
CREATE TABLE leads (
    scope_id INTEGER NOT NULL REFERENCES scopes,
    key TEXT NOT NULL,
    lead_id TEXT,
    origin TEXT NOT NULL CHECK (origin IN ('created', 'adopted', 'skipped')),
    digest BLOB NOT NULL,
    snapshot TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    removed_at TEXT,
    PRIMARY KEY (scope_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX leads_by_id ON leads (scope_id, lead_id);

-- What is not sent again until its wish changes: refused by Kartra for good, or parked for a person.
CREATE TABLE refusals (
    scope_id INTEGER NOT NULL REFERENCES scopes,
    key TEXT NOT NULL,
    digest BLOB NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('rejected', 'parked')),
    type TEXT,
    reason TEXT NOT NULL,
    refused_at TEXT NOT NULL,
    PRIMARY KEY (scope_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    run_id TEXT PRIMARY KEY,
    pipeline TEXT NOT NULL,
    scope_id INTEGER NOT NULL REFERENCES scopes,
    started_at TEXT NOT NULL,
    finished_at TEXT,
    status TEXT NOT NULL,
    message TEXT,
    summary TEXT
) STRICT;
CREATE INDEX runs_by_start ON runs (pipeline, started_at);

-- One running load per pipeline.
CREATE TABLE leases (
    pipeline TEXT PRIMARY KEY,
    run_id TEXT NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    process_started REAL NOT NULL,
    taken_at TEXT NOT NULL,
    heartbeat_at TEXT NOT NULL
) STRICT;

-- Changes written down. `planned` was not sent; `sent` may have been executed and has no outcome yet;
-- `settled` has one. `change` is what the open try is to effect, `done` how it ended, in words.
CREATE TABLE outbox (
    entry_id INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs,
    scope_id INTEGER NOT NULL REFERENCES scopes,
    key TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('load', 'removal')),
    row INTEGER,
    line INTEGER,
    digest BLOB NOT NULL,
    wish TEXT,
    state TEXT NOT NULL CHECK (state IN ('planned', 'sent', 'settled')),
    change TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    sent_at TEXT,
    settled_at TEXT,
    outcome TEXT CHECK (outcome IN ('unchanged', 'created', 'edited', 'removed', 'skipped',
                                    'rejected', 'parked', 'deferred', 'recovered')),
    type TEXT,
    reason TEXT,
    done TEXT
) STRICT;
CREATE INDEX outbox_by_key ON outbox (scope_id, key);
CREATE INDEX outbox_by_run ON outbox (run_id, state);
-- Of open entries alone, which are few beside the journal. SQLite takes a partial index only for a query that repeats
-- its condition: hence `state = 'sent' AND state <> 'settled'` where the first half says it all.
CREATE INDEX outbox_open ON outbox (scope_id, entry_id) WHERE state <> 'settled';

-- Records that did not become leads, with their original text, for the last runs.
CREATE TABLE rejects (
    run_id TEXT NOT NULL REFERENCES runs,
    row INTEGER NOT NULL,
    line INTEGER,
    kind TEXT NOT NULL CHECK (kind IN ('invalid', 'duplicate', 'blocked', 'rejected', 'parked')),
    type TEXT,
    reason TEXT NOT NULL,
    record TEXT
) STRICT;
CREATE INDEX rejects_by_run ON rejects (run_id, row);

-- Names and custom fields the account has, as Kartra listed them last.
CREATE TABLE inventories (
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    content TEXT NOT NULL,
    read_at TEXT NOT NULL,
    PRIMARY KEY (account, kind)
) STRICT, WITHOUT ROWID;
