-- The snapshots of one key of a pipeline, one row per account and mode.
SELECT scopes.mode, leads.lead_id, leads.origin, leads.digest, leads.snapshot, leads.changed_at,
       leads.removed_at, refusals.kind AS refused, refusals.reason AS refused_reason
FROM leads JOIN scopes USING (scope_id)
LEFT JOIN refusals ON refusals.scope_id = leads.scope_id AND refusals.key = leads.key
WHERE scopes.pipeline = :pipeline AND leads.key = :key
ORDER BY leads.changed_at DESC;
