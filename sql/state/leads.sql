-- Snapshots: what Kartra acknowledged, by key; and the hashes of the records that ask for just that.

-- name: get(scope_id, key)^
-- One lead.
SELECT lead_id, origin, digest, snapshot, removed_at FROM leads
WHERE scope_id = :scope_id AND key = :key;

-- name: acknowledge(scope_id, key, lead_id, origin, digest, snapshot, unproven, now, removed_at)!
-- The snapshot of a lead after what Kartra acknowledged. The time is that of the last answer that changed it: a
-- refusal after it changed nothing, and neither did the intent of a call.
INSERT INTO leads (scope_id, key, lead_id, origin, digest, snapshot, unproven, changed_at, removed_at)
VALUES (:scope_id, :key, :lead_id, :origin, :digest, :snapshot, :unproven, :now, :removed_at)
ON CONFLICT (scope_id, key) DO UPDATE SET
    lead_id = coalesce(excluded.lead_id, leads.lead_id), origin = excluded.origin, digest = excluded.digest,
    snapshot = excluded.snapshot, unproven = excluded.unproven, removed_at = excluded.removed_at, taken_over = false,
    changed_at = CASE WHEN leads.snapshot = excluded.snapshot AND leads.origin = excluded.origin
                           AND coalesce(excluded.lead_id, '') IN ('', coalesce(leads.lead_id, ''))
                           AND (leads.removed_at IS NULL) = (excluded.removed_at IS NULL)
                      THEN leads.changed_at ELSE excluded.changed_at END;

-- name: mark_same*!
-- A wish that asks for nothing new: its digest is taken over, nothing is sent. What it no longer asks for is
-- forgotten in the snapshot.
UPDATE leads SET digest = :digest, snapshot = :snapshot, removed_at = NULL
WHERE scope_id = :scope_id AND key = :key;

-- name: drop(scope_id, key, lead_id)!
-- A lead that Kartra does not know under its number; one that was taken over may have none.
DELETE FROM leads WHERE scope_id = :scope_id AND key = :key AND lead_id IS :lead_id;

-- name: count(scope_id)$
-- Leads we created or adopted and that are still wished for.
SELECT count(*) FROM leads WHERE scope_id = :scope_id AND removed_at IS NULL AND origin <> 'skipped';

-- name: owner_of(scope_id, lead_id, email)$
-- The keys of leads with a number of Kartra's, or with an address while their number is not known.
SELECT key FROM leads INDEXED BY leads_by_id WHERE scope_id = :scope_id AND lead_id = :lead_id
UNION ALL
SELECT key FROM leads INDEXED BY leads_by_address
WHERE scope_id = :scope_id AND lead_id IS NULL AND json_extract(snapshot, '$.email') = :email;

-- name: learn_id(lead_id, scope_id, key)!
-- A lead's number in Kartra, where it is not known yet and no other lead has it.
UPDATE leads SET lead_id = :lead_id
WHERE scope_id = :scope_id AND key = :key AND lead_id IS NULL
  AND NOT EXISTS (SELECT 1 FROM leads AS other
                  WHERE other.scope_id = :scope_id AND other.lead_id = :lead_id);

-- name: states_of_key(pipeline, key)
-- The snapshots of one key of a pipeline, one row per account and mode.
SELECT scopes.scope_id, scopes.mode, leads.lead_id, leads.origin, leads.digest, leads.snapshot, leads.changed_at,
       leads.removed_at
FROM leads JOIN scopes USING (scope_id)
WHERE scopes.pipeline = :pipeline AND leads.key = :key
ORDER BY leads.changed_at DESC;

-- name: ids(account, after, count)
-- Kartra's numbers of all leads that this file knows in an account, in any pipeline and mode. One row each.
SELECT DISTINCT leads.lead_id
FROM leads JOIN scopes USING (scope_id)
WHERE scopes.account = :account AND leads.lead_id IS NOT NULL AND leads.lead_id > :after
ORDER BY leads.lead_id
LIMIT :count;

-- name: addresses(account, after, count)
-- The addresses of leads of an account whose number in Kartra nobody has seen, in any pipeline. One row each.
SELECT DISTINCT json_extract(leads.snapshot, '$.email') AS email
FROM scopes JOIN leads INDEXED BY leads_by_address ON leads.scope_id = scopes.scope_id
WHERE scopes.account = :account AND leads.lead_id IS NULL
  AND json_extract(leads.snapshot, '$.email') > :after
ORDER BY email
LIMIT :count;

-- name: raw_hashes(scope_id)
-- Every hash that is kept, one row each.
SELECT raw FROM raw_hashes WHERE scope_id = :scope_id;

-- name: raw_hashes_of_staged(scope_id)
-- The hashes kept for keys that stand in the staging table, one row each.
SELECT raw_hashes.raw
FROM temp.staged CROSS JOIN raw_hashes ON raw_hashes.scope_id = :scope_id AND raw_hashes.key = staged.key;

-- name: raw_hashes_of_suppressed(scope_id)
-- The hashes kept for keys that are suppressed addresses, one row each.
SELECT raw_hashes.raw
FROM temp.suppressed
CROSS JOIN raw_hashes ON raw_hashes.scope_id = :scope_id AND raw_hashes.key = suppressed.address;

-- name: keep_raw_hashes(scope_id)!
-- The hashes of staged records that are just as Kartra acknowledged them and the only ones of their key, as the
-- next run may know them again. One row per lead.
INSERT INTO raw_hashes (scope_id, key, raw)
SELECT leads.scope_id, leads.key, staged.raw
FROM temp.staged CROSS JOIN leads ON leads.scope_id = :scope_id AND leads.key = staged.key
WHERE staged.blocked IS NULL AND staged.raw IS NOT NULL
  AND leads.digest = staged.digest AND leads.removed_at IS NULL AND leads.origin <> 'skipped'
  AND staged.row NOT IN (SELECT winner FROM temp.losers)
ORDER BY staged.key
ON CONFLICT (scope_id, key) DO UPDATE SET raw = excluded.raw WHERE raw_hashes.raw <> excluded.raw;
