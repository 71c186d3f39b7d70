-- Operations, one row per key, for good: a key that is known is never carried out again. `sent` may have
-- been carried out and has no outcome yet, `settled` has one. `digest` is of what the row asked for.
-- `target` is what it acts on, such as "transaction 738474"; `lead` is "id:" or "email:" and who it is.
-- `intent` (JSON, while sent) is what reading back needs: what was asked for, and how it was before.
-- `amount` is the money of a refund, exact, as text; `refund_id` Kartra's row of it.
CREATE TABLE operations (
    scope_id INTEGER NOT NULL REFERENCES scopes,
    key TEXT NOT NULL,
    digest BLOB NOT NULL,
    run_id TEXT NOT NULL,
    row INTEGER,
    do TEXT NOT NULL,
    target TEXT NOT NULL,
    lead TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('sent', 'settled')),
    intent TEXT,
    attempts INTEGER NOT NULL DEFAULT 1,
    sent_at TEXT,
    settled_at TEXT,
    outcome TEXT CHECK (outcome IN ('done', 'already done', 'refused', 'parked')),
    type TEXT,
    reason TEXT,
    amount TEXT,
    refund_id TEXT,
    PRIMARY KEY (scope_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX operations_open ON operations (scope_id, target) WHERE state = 'sent' OR outcome = 'parked';
CREATE INDEX operations_by_refund ON operations (refund_id) WHERE refund_id IS NOT NULL;
