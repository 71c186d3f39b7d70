-- Accounts and their scopes: what is known under which credentials, name and mode.

-- name: of(credentials)^
-- The account that these credentials were met with.
SELECT account, name FROM accounts WHERE credentials = :credentials;

-- name: every()
-- All credentials that accounts were ever reached with; an account stands under the first of its own.
SELECT credentials, account, name FROM accounts ORDER BY met_at;

-- name: keep(credentials, account, name, now)!
-- These credentials are those of this account; a name that is given stays until another is.
INSERT INTO accounts (credentials, account, name, met_at) VALUES (:credentials, :account, :name, :now)
ON CONFLICT (credentials) DO UPDATE SET
    account = excluded.account, name = coalesce(excluded.name, accounts.name);

-- name: scopes()
-- Every scope, with whether something was done under it; the one that ran last first.
SELECT scope_id, pipeline, account, mode, file,
       EXISTS (SELECT 1 FROM leads WHERE leads.scope_id = scopes.scope_id) AS has_leads,
       EXISTS (SELECT 1 FROM operations WHERE operations.scope_id = scopes.scope_id) AS has_operations,
       EXISTS (SELECT 1 FROM outbox
               WHERE outbox.scope_id = scopes.scope_id
                 AND state = 'sent' AND state <> 'settled') AS has_unknown  -- as the partial index says it
FROM scopes
ORDER BY (SELECT max(started_at) FROM runs WHERE runs.scope_id = scopes.scope_id) DESC, scope_id DESC;

-- name: known_leads(scope_id, count)
-- Leads of a scope that can be read back by their number, those that changed last first.
SELECT lead_id, json_extract(snapshot, '$.email') AS email
FROM leads
WHERE scope_id = :scope_id AND lead_id IS NOT NULL AND removed_at IS NULL
ORDER BY changed_at DESC LIMIT :count;

-- name: known_transactions(scope_id, count)
-- Transactions that operations of a scope have acted on, the newest first.
SELECT substr(target, length('transaction ') + 1) AS transaction_id
FROM operations
WHERE scope_id = :scope_id AND target LIKE 'transaction %' AND outcome IN ('done', 'already done')
ORDER BY settled_at DESC LIMIT :count;

-- name: move(scope_id, pipeline, mode)!
-- A scope that is that of another pipeline name or mode from now on.
UPDATE scopes SET pipeline = :pipeline, mode = :mode WHERE scope_id = :scope_id;

-- name: move_runs(scope_id, pipeline)!
-- Its runs go with it.
UPDATE runs SET pipeline = :pipeline WHERE scope_id = :scope_id;

-- name: unused(pipeline, account, mode)$
-- The scope of that name, if nothing was done under it.
SELECT scope_id FROM scopes
WHERE pipeline = :pipeline AND account = :account AND mode = :mode
  AND NOT EXISTS (SELECT 1 FROM leads WHERE leads.scope_id = scopes.scope_id)
  AND NOT EXISTS (SELECT 1 FROM operations WHERE operations.scope_id = scopes.scope_id)
  AND NOT EXISTS (SELECT 1 FROM outbox
                  WHERE outbox.scope_id = scopes.scope_id AND state = 'sent' AND state <> 'settled');

-- name: shared(other_scope)$
-- How many staged records have the key of a lead that another scope knows.
SELECT count(*) FROM staged
WHERE EXISTS (SELECT 1 FROM leads
              WHERE leads.scope_id = :other_scope AND leads.key = staged.key AND leads.removed_at IS NULL);

-- name: mode_shown(account)^
-- The mode that the stored addresses of an account have shown last.
SELECT mode, shown_at FROM modes WHERE account = :account;

-- name: keep_mode(account, mode, now)!
-- What a lead that was read back has shown.
INSERT INTO modes (account, mode, shown_at) VALUES (:account, :mode, :now)
ON CONFLICT (account) DO UPDATE SET mode = excluded.mode, shown_at = excluded.shown_at;

-- name: known_before(scope_id, keys, count)
-- Leads of a scope that can be read back by their number, without these keys (a JSON array), those that changed last
-- first.
SELECT lead_id, json_extract(snapshot, '$.email') AS email
FROM leads
WHERE scope_id = :scope_id AND lead_id IS NOT NULL AND origin = 'created'
  AND key NOT IN (SELECT value FROM json_each(:keys))
ORDER BY changed_at DESC LIMIT :count;

-- name: leads_handed(scope_id, keys)
-- The keys of leads that are to belong to another scope: these (a JSON array), or all where it is null.
SELECT key FROM leads
WHERE scope_id = :scope_id AND (:keys IS NULL OR key IN (SELECT value FROM json_each(:keys)));

-- name: forget_hashes(scope_id, keys)!
-- The records of these leads (a JSON array) are to be mapped anew.
DELETE FROM raw_hashes WHERE scope_id = :scope_id AND key IN (SELECT value FROM json_each(:keys));

-- name: forget_looks(scope_id, keys)!
-- What looks at these leads (a JSON array) have found.
DELETE FROM drift WHERE scope_id = :scope_id AND key IN (SELECT value FROM json_each(:keys));

-- name: hand_over(scope_id, other_scope, keys)!
-- These leads (a JSON array) belong to another scope, unless it knows their keys.
UPDATE leads SET scope_id = :other_scope
WHERE scope_id = :scope_id AND key IN (SELECT value FROM json_each(:keys))
  AND NOT EXISTS (SELECT 1 FROM leads AS other WHERE other.scope_id = :other_scope AND other.key = leads.key);

-- name: drop_handed(scope_id, keys)!
-- Those of them that it knew.
DELETE FROM leads WHERE scope_id = :scope_id AND key IN (SELECT value FROM json_each(:keys));
