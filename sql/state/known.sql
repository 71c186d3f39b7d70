-- The snapshots of one key of a pipeline, one row per account and mode.
SELECT scopes.mode, leads.lead_id, leads.origin, leads.digest, leads.snapshot, leads.changed_at,
       leads.removed_at
FROM leads JOIN scopes USING (scope_id)
WHERE scopes.pipeline = :pipeline AND leads.key = :key
ORDER BY leads.changed_at DESC;
