-- What waits in a pipeline, over all its scopes: entries without an outcome, leads with something unproven,
-- refused wishes.
SELECT
    (SELECT count(*) FROM outbox JOIN scopes USING (scope_id)
     WHERE scopes.pipeline = :pipeline AND outbox.state = 'sent') AS unknown,
    (SELECT count(*) FROM leads JOIN scopes USING (scope_id)
     WHERE scopes.pipeline = :pipeline AND leads.unproven > 0) AS parked,
    (SELECT count(*) FROM refusals JOIN scopes USING (scope_id)
     WHERE scopes.pipeline = :pipeline) AS rejected,
    (SELECT count(*) FROM leads JOIN scopes USING (scope_id)
     WHERE scopes.pipeline = :pipeline AND leads.removed_at IS NULL AND leads.origin <> 'skipped') AS leads;
